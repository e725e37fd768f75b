"""What every feature's GraphQL needs and nothing of any feature: context, batching, pages, ids, errors, limits."""
