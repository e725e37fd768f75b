"""The GraphQL of governance."""
