"""The GraphQL of territories and their members."""
