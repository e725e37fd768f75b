"""The GraphQL of comparisons."""
