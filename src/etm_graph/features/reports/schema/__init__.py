"""The GraphQL of reports."""
