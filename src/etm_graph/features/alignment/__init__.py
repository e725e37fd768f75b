"""Who is assigned to what, and where opportunities roll up."""
