"""Balance: how evenly a model shares work, and moves that even it out."""
