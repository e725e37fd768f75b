"""Several structures side by side: clones of models."""
