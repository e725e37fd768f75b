"""The GraphQL of forecasts."""
