"""Grants, keys and a sealed audit"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROLES = "'viewer', 'rep', 'planner', 'manager', 'forecaster', 'forecast_reader', 'admin', 'auditor'"
APPEND_ONLY = ("audit_entry", "audit_link")


def upgrade() -> None:
    op.execute("INSERT INTO stream (id) VALUES (-1)")
    op.create_check_constraint("role_known", "role_grant", f"role IN ({ROLES})")
    op.add_column("api_key", sa.Column("scopes", postgresql.JSONB(none_as_null=True, astext_type=sa.Text())))
    op.add_column("api_key", sa.Column("last_used_at", postgresql.TIMESTAMP(timezone=True)))
    op.add_column("app_user", sa.Column("external_id", sa.String()))
    op.create_unique_constraint(op.f("uq_app_user_external_id"), "app_user", ["external_id"])
    op.create_table(
        "audit_link",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_link")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_link_entry_id")),
    )
    op.create_table(
        "audit_pending",
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_pending")),
    )
    op.execute("INSERT INTO audit_pending SELECT id FROM audit_entry")
    op.execute(
        """CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the audit is append-only: % of % is refused', TG_OP, TG_TABLE_NAME; END $$"""
    )
    op.execute(
        """CREATE FUNCTION audit_await_seal() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO audit_pending SELECT id FROM written; RETURN NULL; END $$"""
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
        )
    op.execute(
        "CREATE TRIGGER await_seal AFTER INSERT ON audit_entry REFERENCING NEW TABLE AS written "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_await_seal()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER await_seal ON audit_entry")
    for table in APPEND_ONLY:
        op.execute(f"DROP TRIGGER append_only ON {table}")
    op.execute("DROP FUNCTION audit_await_seal()")
    op.execute("DROP FUNCTION audit_append_only()")
    op.drop_table("audit_pending")
    op.drop_table("audit_link")
    op.drop_constraint(op.f("uq_app_user_external_id"), "app_user", type_="unique")
    op.drop_column("app_user", "external_id")
    op.drop_column("api_key", "last_used_at")
    op.drop_column("api_key", "scopes")
    op.drop_constraint("role_known", "role_grant", type_="check")
    op.execute("DELETE FROM stream WHERE id = -1")
