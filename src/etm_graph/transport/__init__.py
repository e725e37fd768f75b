"""Protocols and nothing else: GraphQL over HTTP, server-sent events, graphql-transport-ws."""
