"""Where deleted opportunities were aligned"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

DELETED = """
CREATE FUNCTION note_opportunity_alignment_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO opportunity_alignment_past (model_id, opportunity_id, territory_id, until)
    SELECT f.model_id, f.opportunity_id, f.territory_id, clock_timestamp()
    FROM former f WHERE EXISTS (SELECT FROM territory_model m WHERE m.id = f.model_id);
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(DELETED)
    op.execute(
        "CREATE TRIGGER opportunity_alignment_past_delete AFTER DELETE ON opportunity_alignment "
        "REFERENCING OLD TABLE AS former FOR EACH STATEMENT EXECUTE FUNCTION note_opportunity_alignment_deleted()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER opportunity_alignment_past_delete ON opportunity_alignment")
    op.execute("DROP FUNCTION note_opportunity_alignment_deleted()")
