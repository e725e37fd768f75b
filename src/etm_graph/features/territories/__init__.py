"""The territory tree and its members."""
