"""Accounts, opportunities, users, custom fields."""
