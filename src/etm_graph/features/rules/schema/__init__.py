"""The GraphQL of assignment rules."""
