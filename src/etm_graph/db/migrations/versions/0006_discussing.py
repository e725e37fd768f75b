"""What people do with threads: mentions, signs, following, reading."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "thread_follow",
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("following", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["thread.id"], name=op.f("fk_thread_follow_thread_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_thread_follow_user_id")),
        sa.PrimaryKeyConstraint("thread_id", "user_id", name=op.f("pk_thread_follow")),
    )
    op.create_table(
        "thread_read_mark",
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("comment_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["thread.id"], name=op.f("fk_thread_read_mark_thread_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_thread_read_mark_user_id")),
        sa.PrimaryKeyConstraint("thread_id", "user_id", name=op.f("pk_thread_read_mark")),
    )
    op.create_table(
        "comment_mention",
        sa.Column("comment_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["comment_id"], ["comment.id"], name=op.f("fk_comment_mention_comment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_comment_mention_user_id")),
        sa.PrimaryKeyConstraint("comment_id", "user_id", name=op.f("pk_comment_mention")),
    )
    op.create_table(
        "comment_reaction",
        sa.Column("comment_id", sa.BigInteger(), nullable=False),
        sa.Column("emoji", sa.String(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["comment_id"], ["comment.id"], name=op.f("fk_comment_reaction_comment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_comment_reaction_user_id")),
        sa.PrimaryKeyConstraint("comment_id", "emoji", "user_id", name=op.f("pk_comment_reaction")),
    )
    op.add_column("thread", sa.Column("anchor_part", sa.String(), server_default="", nullable=False))
    op.drop_index(op.f("ix_thread_anchor"), table_name="thread")
    op.create_index("ix_thread_anchor", "thread", ["model_id", "anchor_kind", "anchor_id", "anchor_part"], unique=False)


def downgrade() -> None:

    op.drop_index("ix_thread_anchor", table_name="thread")
    op.create_index(op.f("ix_thread_anchor"), "thread", ["model_id", "anchor_kind", "anchor_id"], unique=False)
    op.drop_column("thread", "anchor_part")
    op.drop_table("comment_reaction")
    op.drop_table("comment_mention")
    op.drop_table("thread_read_mark")
    op.drop_table("thread_follow")
