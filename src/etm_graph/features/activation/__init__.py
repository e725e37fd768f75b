"""Putting models in and out of force."""
