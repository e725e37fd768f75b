"""Territory models, territory types, and the change feed."""
