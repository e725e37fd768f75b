"""Editing together: what an edit takes back, and checkpoints."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("change", sa.Column("undoes", sa.Uuid(), nullable=True))
    op.create_index("ix_change_set", "change", ["stream_id", "change_set", "seq"], unique=False)
    op.create_index(
        "ix_change_undoes",
        "change",
        ["stream_id", "undoes"],
        unique=False,
        postgresql_where=sa.text("undoes IS NOT NULL"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("structure", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["app_user.id"], name=op.f("fk_checkpoint_created_by")),
        sa.ForeignKeyConstraint(
            ["model_id"], ["territory_model.id"], name=op.f("fk_checkpoint_model_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "name", name=op.f("pk_checkpoint")),
    )


def downgrade() -> None:
    op.drop_table("checkpoint")
    op.drop_index("ix_change_undoes", table_name="change")
    op.drop_index("ix_change_set", table_name="change")
    op.drop_column("change", "undoes")
