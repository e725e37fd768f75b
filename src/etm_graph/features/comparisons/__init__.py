"""Two structures, and what they make of the CRM, side by side."""
