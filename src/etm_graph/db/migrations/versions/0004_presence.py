"""Presence."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "presence",
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("entity", sa.String(), nullable=True),
        sa.Column("entity_id", sa.BigInteger(), nullable=True),
        sa.Column("field", sa.String(), nullable=True),
        sa.Column("path", sa.Text(collation="C"), nullable=True),
        sa.Column("editing", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "user_id", "client_id", name=op.f("pk_presence")),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_presence_expires_at", "presence", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_presence_expires_at", table_name="presence")
    op.drop_table("presence")
