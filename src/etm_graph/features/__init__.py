"""Vertical slices, in an order that import-linter holds."""
