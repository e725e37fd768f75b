"""Durable jobs: claimed under a lease, with progress, taken over when a worker dies."""
