"""The GraphQL of reviews and challenges."""
