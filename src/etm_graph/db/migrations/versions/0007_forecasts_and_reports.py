"""Forecasts and reports"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = "created_at, name, amount, currency, close_date, forecast_category, product_family"
_FORMER = ", ".join(f"f.{name}" for name in _COLUMNS.split(", "))
_COUNTED = ("amount", "currency", "close_date", "forecast_category", "product_family")
_DIFFERS = " OR ".join(f"f.{name} IS DISTINCT FROM p.{name}" for name in _COUNTED)

OPPORTUNITY_CHANGED = f"""
CREATE FUNCTION note_opportunity_past_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO opportunity_past (opportunity_id, until, {_COLUMNS})
    SELECT f.id, clock_timestamp(), {_FORMER} FROM former f JOIN present p ON p.id = f.id WHERE {_DIFFERS};
    RETURN NULL;
END $$
"""

OPPORTUNITY_DELETED = f"""
CREATE FUNCTION note_opportunity_past_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO opportunity_past (opportunity_id, until, {_COLUMNS})
    SELECT f.id, clock_timestamp(), {_FORMER} FROM former f;
    RETURN NULL;
END $$
"""

ALIGNMENT_CHANGED = """
CREATE FUNCTION note_opportunity_alignment_past() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO opportunity_alignment_past (model_id, opportunity_id, territory_id, until)
    SELECT f.model_id, f.opportunity_id, f.territory_id, clock_timestamp()
    FROM former f JOIN present p ON p.model_id = f.model_id AND p.opportunity_id = f.opportunity_id
    WHERE f.territory_id IS DISTINCT FROM p.territory_id;
    RETURN NULL;
END $$
"""


def _past() -> None:
    op.create_table(
        "opportunity_past",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("opportunity_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("close_date", sa.Date(), nullable=False),
        sa.Column("forecast_category", sa.String(), nullable=False),
        sa.Column("product_family", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opportunity_past")),
    )
    op.create_index("ix_opportunity_past_until", "opportunity_past", ["until", "opportunity_id"], unique=False)
    op.create_table(
        "opportunity_alignment_past",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("opportunity_id", sa.BigInteger(), nullable=False),
        sa.Column("territory_id", sa.BigInteger(), nullable=True),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["territory_model.id"],
            name=op.f("fk_opportunity_alignment_past_model_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opportunity_alignment_past")),
    )
    op.create_index(
        "ix_opportunity_alignment_past_until",
        "opportunity_alignment_past",
        ["model_id", "until", "opportunity_id"],
        unique=False,
    )


def _workload() -> None:
    op.create_table(
        "workload_weights",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("developer_name", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("accounts", sa.Numeric(precision=9, scale=4), nullable=False),
        sa.Column("revenue", sa.Numeric(precision=9, scale=4), nullable=False),
        sa.Column("pipeline", sa.Numeric(precision=9, scale=4), nullable=False),
        sa.Column("effort", sa.Numeric(precision=9, scale=4), nullable=False),
        sa.Column("effort_field", sa.String(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workload_weights")),
        sa.UniqueConstraint("developer_name", name=op.f("uq_workload_weights_developer_name")),
    )
    op.create_table(
        "saved_report",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("definition", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("written_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_saved_report_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_report")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_saved_report_user_id_name")),
    )
    op.create_table(
        "model_workload",
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("weights_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["territory_model.id"], name=op.f("fk_model_workload_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["weights_id"], ["workload_weights.id"], name=op.f("fk_model_workload_weights_id")),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_model_workload")),
    )
    op.create_index(op.f("ix_model_workload_weights_id"), "model_workload", ["weights_id"], unique=False)


def _quotas() -> None:
    op.create_table(
        "quota_kind",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("developer_name", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quota_kind")),
        sa.UniqueConstraint("developer_name", name=op.f("uq_quota_kind_developer_name")),
    )
    op.create_table(
        "quota",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("territory_id", sa.BigInteger(), nullable=False),
        sa.Column("kind_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("product_family", sa.String(), nullable=True),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("inherited_from", sa.String(), nullable=True),
        sa.Column("written_by", sa.BigInteger(), nullable=True),
        sa.Column("written_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["kind_id"], ["quota_kind.id"], name=op.f("fk_quota_kind_id")),
        sa.ForeignKeyConstraint(
            ["model_id"], ["territory_model.id"], name=op.f("fk_quota_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["territory_id"], ["territory.id"], name=op.f("fk_quota_territory_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_quota_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quota")),
    )
    op.create_index(op.f("ix_quota_kind_id"), "quota", ["kind_id"], unique=False)
    op.create_index("ix_quota_model_id", "quota", ["model_id", "period_start"], unique=False)
    op.create_index(op.f("ix_quota_user_id"), "quota", ["user_id"], unique=False)
    op.create_index(
        "uq_quota_key",
        "quota",
        [
            "territory_id",
            "kind_id",
            sa.literal_column("coalesce(user_id, 0)"),
            sa.literal_column("coalesce(product_family, '')"),
            "period_start",
        ],
        unique=True,
    )


def _adjustments() -> None:
    op.create_table(
        "forecast_adjustment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("territory_id", sa.BigInteger(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("inherited_from", sa.String(), nullable=True),
        sa.Column("written_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["territory_model.id"], name=op.f("fk_forecast_adjustment_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["app_user.id"], name=op.f("fk_forecast_adjustment_owner_id")),
        sa.ForeignKeyConstraint(
            ["territory_id"], ["territory.id"], name=op.f("fk_forecast_adjustment_territory_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_forecast_adjustment_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecast_adjustment")),
    )
    op.create_index(
        "ix_forecast_adjustment_model_id", "forecast_adjustment", ["model_id", "period_start"], unique=False
    )
    op.create_index(op.f("ix_forecast_adjustment_user_id"), "forecast_adjustment", ["user_id"], unique=False)
    op.create_index(
        "uq_forecast_adjustment_key",
        "forecast_adjustment",
        ["territory_id", "period_start", "measure", "user_id", sa.literal_column("(owner_id IS NULL)")],
        unique=True,
    )


def _submissions() -> None:
    op.create_table(
        "forecast_carry",
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("former", sa.String(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("copied", sa.Integer(), nullable=False),
        sa.Column("left", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["territory_model.id"], name=op.f("fk_forecast_carry_model_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_forecast_carry")),
    )
    op.create_table(
        "forecast_submission",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("territory_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("amounts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["territory_model.id"], name=op.f("fk_forecast_submission_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["territory_id"], ["territory.id"], name=op.f("fk_forecast_submission_territory_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_forecast_submission_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecast_submission")),
    )
    op.create_index(op.f("ix_forecast_submission_model_id"), "forecast_submission", ["model_id"], unique=False)
    op.create_index(
        "ix_forecast_submission_territory_id",
        "forecast_submission",
        ["territory_id", "period_start", "at"],
        unique=False,
    )


def upgrade() -> None:
    _past()
    _workload()
    _quotas()
    _adjustments()
    _submissions()
    op.add_column("exchange_rate", sa.Column("version", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column(
        "opportunity",
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
    )
    op.add_column("organisation", sa.Column("adjustment_period", sa.String(), server_default="QUARTER", nullable=False))
    op.add_column("organisation", sa.Column("version", sa.BigInteger(), server_default="1", nullable=False))
    for function in (OPPORTUNITY_CHANGED, OPPORTUNITY_DELETED, ALIGNMENT_CHANGED):
        op.execute(function)
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER opportunity_past_{event.lower()} AFTER {event} ON opportunity "
            f"REFERENCING OLD TABLE AS former {'NEW TABLE AS present' if event == 'UPDATE' else ''} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION note_opportunity_past_{event.lower()}()"
        )
    op.execute(
        "CREATE TRIGGER opportunity_alignment_past_update AFTER UPDATE ON opportunity_alignment "
        "REFERENCING OLD TABLE AS former NEW TABLE AS present "
        "FOR EACH STATEMENT EXECUTE FUNCTION note_opportunity_alignment_past()"
    )
    op.execute(
        "INSERT INTO quota_kind (developer_name, name, description, unit, version) "
        "VALUES ('Revenue', 'Revenue', 'What is to be sold, in corporate currency.', 'AMOUNT', 1)"
    )
    op.execute(
        "INSERT INTO workload_weights (developer_name, name, accounts, revenue, pipeline, effort, version) "
        "VALUES ('Even', 'Even', 1, 1, 1, 0, 1)"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER opportunity_alignment_past_update ON opportunity_alignment")
    op.execute("DROP TRIGGER opportunity_past_update ON opportunity")
    op.execute("DROP TRIGGER opportunity_past_delete ON opportunity")
    for name in ("opportunity_past_update", "opportunity_past_delete", "opportunity_alignment_past"):
        op.execute(f"DROP FUNCTION note_{name}()")
    # ### commands auto generated by Alembic - please adjust! ###
    op.drop_column("organisation", "version")
    op.drop_column("organisation", "adjustment_period")
    op.drop_column("opportunity", "created_at")
    op.drop_column("exchange_rate", "version")
    op.drop_index("uq_quota_key", table_name="quota")
    op.drop_index(op.f("ix_quota_user_id"), table_name="quota")
    op.drop_index("ix_quota_model_id", table_name="quota")
    op.drop_index(op.f("ix_quota_kind_id"), table_name="quota")
    op.drop_table("quota")
    op.drop_index("ix_forecast_submission_territory_id", table_name="forecast_submission")
    op.drop_index(op.f("ix_forecast_submission_model_id"), table_name="forecast_submission")
    op.drop_table("forecast_submission")
    op.drop_index("uq_forecast_adjustment_key", table_name="forecast_adjustment")
    op.drop_index(op.f("ix_forecast_adjustment_user_id"), table_name="forecast_adjustment")
    op.drop_index("ix_forecast_adjustment_model_id", table_name="forecast_adjustment")
    op.drop_table("forecast_adjustment")
    op.drop_index("ix_opportunity_alignment_past_until", table_name="opportunity_alignment_past")
    op.drop_table("opportunity_alignment_past")
    op.drop_index(op.f("ix_model_workload_weights_id"), table_name="model_workload")
    op.drop_table("model_workload")
    op.drop_table("forecast_carry")
    op.drop_table("saved_report")
    op.drop_table("workload_weights")
    op.drop_table("quota_kind")
    op.drop_index("ix_opportunity_past_until", table_name="opportunity_past")
    op.drop_table("opportunity_past")
    # ### end Alembic commands ###
