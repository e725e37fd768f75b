"""Assignment rules and their links to territories."""
