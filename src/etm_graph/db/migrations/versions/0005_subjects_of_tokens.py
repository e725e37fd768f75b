"""Subjects of tokens"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("app_user", sa.Column("subject", sa.String()))
    op.create_unique_constraint(op.f("uq_app_user_subject"), "app_user", ["subject"])


def downgrade() -> None:
    op.drop_constraint(op.f("uq_app_user_subject"), "app_user", type_="unique")
    op.drop_column("app_user", "subject")
