"""The GraphQL of assignments."""
