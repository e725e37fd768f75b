"""Reviews of drafts, approvals that activation needs, and challenges by those whom a draft concerns."""
