"""The GraphQL of threads and comments."""
