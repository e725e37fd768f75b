"""The GraphQL of the CRM."""
