"""Who is in a model at this moment, and what they look at or edit. Never written to the change log."""
