"""Forecasts: opportunities by territory, fiscal period and category, rolled up."""
