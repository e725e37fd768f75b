"""Events of jobs, jobs that wait for their time, jobs that outlive their model"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('QUEUED', 'RUNNING')")
TIMESTAMP = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.add_column("job", sa.Column("key", sa.String(), nullable=True))
    op.add_column("job", sa.Column("run_after", TIMESTAMP, server_default=sa.text("now()"), nullable=False))
    op.add_column("job", sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("job", sa.Column("epoch", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False))
    op.add_column("job", sa.Column("cancel_requested_at", TIMESTAMP, nullable=True))
    op.add_column("job", sa.Column("cancelled_by", sa.BigInteger(), nullable=True))
    op.drop_index("ix_job_open", table_name="job")
    op.drop_index("ix_job_model_id", table_name="job")
    op.create_index("ix_job_open", "job", ["run_after", "id"], postgresql_where=OPEN)
    op.create_index("ix_job_model_id", "job", ["model_id", "id"])
    op.create_index("uq_job_running", "job", ["model_id"], unique=True, postgresql_where=sa.text("state = 'RUNNING'"))
    op.create_index("uq_job_key", "job", ["key"], unique=True, postgresql_where=OPEN)
    op.drop_constraint("fk_job_model_id", "job", type_="foreignkey")
    op.create_foreign_key("fk_job_model_id", "job", "territory_model", ["model_id"], ["id"], ondelete="SET NULL")
    op.create_table(
        "job_event",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", TIMESTAMP, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_event_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "seq", name=op.f("pk_job_event")),
    )


def downgrade() -> None:
    op.drop_table("job_event")
    op.drop_constraint("fk_job_model_id", "job", type_="foreignkey")
    op.create_foreign_key("fk_job_model_id", "job", "territory_model", ["model_id"], ["id"], ondelete="CASCADE")
    op.drop_index("uq_job_key", table_name="job")
    op.drop_index("uq_job_running", table_name="job")
    op.drop_index("ix_job_model_id", table_name="job")
    op.drop_index("ix_job_open", table_name="job")
    op.create_index("ix_job_model_id", "job", ["model_id"])
    op.create_index("ix_job_open", "job", ["lease_until"], postgresql_where=OPEN)
    for name in ("cancelled_by", "cancel_requested_at", "epoch", "seq", "run_after", "key"):
        op.drop_column("job", name)
