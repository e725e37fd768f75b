"""Who was given which rights, by whom: grants, delegated administration, API keys, the audit."""
