"""Assignments in bulk: deletions are followed by triggers, not looked at row by row when rows are written"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

FOLLOWED = (
    ("account_assignment", "model_id", "territory_model"),
    ("account_assignment", "account_id", "account"),
    ("account_assignment", "territory_id", "territory"),
    ("opportunity_alignment", "model_id", "territory_model"),
    ("opportunity_alignment", "opportunity_id", "opportunity"),
    ("opportunity_alignment", "territory_id", "territory"),
)


def upgrade() -> None:
    op.execute(
        """CREATE FUNCTION follow_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            EXECUTE format('DELETE FROM %I WHERE %I IN (SELECT id FROM gone)', TG_ARGV[0], TG_ARGV[1]);
            RETURN NULL;
        END $$"""
    )
    for table, column, target in FOLLOWED:
        op.drop_constraint(op.f(f"fk_{table}_{column}"), table, type_="foreignkey")
        op.execute(
            f"CREATE TRIGGER {table}_follows_{column} AFTER DELETE ON {target} REFERENCING OLD TABLE AS gone "
            f"FOR EACH STATEMENT EXECUTE FUNCTION follow_deletion('{table}', '{column}')"
        )


def downgrade() -> None:
    for table, column, target in reversed(FOLLOWED):
        op.execute(f"DROP TRIGGER {table}_follows_{column} ON {target}")
        op.create_foreign_key(op.f(f"fk_{table}_{column}"), table, target, [column], ["id"], ondelete="CASCADE")
    op.execute("DROP FUNCTION follow_deletion()")
