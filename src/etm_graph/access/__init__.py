"""Who may do what: policy snapshots, memoised decisions, list filters, grants, audit."""
