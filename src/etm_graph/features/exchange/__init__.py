"""Exchange with other systems: exports of a CRM come in."""
