"""The database: engine, sessions that read or write, base table, embedded server, migrations."""
