"""The columnar side: copies of tables kept by the change log, and rules evaluated on whole columns."""
