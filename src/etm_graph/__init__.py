"""etm-graph: enterprise sales-territory management as a GraphQL API."""
