"""The GraphQL of inboxes and webhooks."""
