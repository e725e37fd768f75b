"""Alembic's entry: runs on the connection that db/migrate.py gives."""

from alembic import context

from etm_graph.db.base import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, compare_type=True, compare_server_default=True)
with context.begin_transaction():
    context.run_migrations()
