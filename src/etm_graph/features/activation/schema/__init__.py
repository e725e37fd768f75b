"""The GraphQL of pre-flight, activation and what undoes it."""
