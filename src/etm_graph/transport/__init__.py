"""Protocols and nothing else: HTTP, graphql-transport-ws."""
