"""The GraphQL of editing together."""
