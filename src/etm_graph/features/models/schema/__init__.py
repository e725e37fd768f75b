"""The GraphQL of territory models, territory types and the change feed."""
