"""Threads of comments on a model and what is in it."""
