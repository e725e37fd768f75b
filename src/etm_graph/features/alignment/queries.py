"""Reading assignments, exclusions and the alignment of opportunities."""

from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl
from polars._typing import PolarsDataType
from sqlalchemy import Row, and_, func, literal, null, select, union_all

from etm_graph.analytics.aligning import Territories
from etm_graph.core.errors import NotFound
from etm_graph.core.opportunities import AlignmentCause
from etm_graph.db.paging import Order
from etm_graph.db.sessions import ReadSession
from etm_graph.features.alignment.tables import account_assignment, assignment_exclusion, opportunity_alignment
from etm_graph.features.crm import queries as crm
from etm_graph.features.models import queries as models
from etm_graph.features.territories import queries as territories

BY_ACCOUNT = Order("assignments", (account_assignment.c.account_id,))

STANDING: Mapping[str, PolarsDataType] = {
    "row_id": pl.Int64,
    "object_id": pl.Int64,
    "territory_id": pl.Int64,
    "manual": pl.Boolean,
    "by_rule": pl.Boolean,
    "rules": pl.String,
}
"""Columns of stored assignments; rules are ids parted by blanks."""


async def standing_assignments(
    session: ReadSession, model_id: int, account_ids: Collection[int] | None = None
) -> pl.DataFrame:
    """A model's stored assignments that stand now, of some accounts or of all."""
    listed = "" if account_ids is None else ",".join(str(int(number)) for number in account_ids) or "NULL"
    scope = "" if account_ids is None else f"AND account_id IN ({listed})"
    text = await session.copy_out(
        "SELECT id, account_id, territory_id, manual, by_rule, array_to_string(rule_ids, ' ') FROM account_assignment "
        f"WHERE model_id = {int(model_id)} AND until IS NULL {scope}"
    )
    if not text:
        return pl.DataFrame(schema=STANDING)
    plain = {name: pl.String if name in {"manual", "by_rule", "rules"} else pl.Int64 for name in STANDING}
    frame = pl.read_csv(BytesIO(text), has_header=False, new_columns=list(STANDING), schema=plain)
    return frame.with_columns(pl.col("manual") == "t", pl.col("by_rule") == "t", pl.col("rules").fill_null(""))


async def manual_assignments(session: ReadSession, model_id: int) -> pl.DataFrame:
    """A model's assignments by hand that stand now: object_id, territory_id."""
    columns = account_assignment.c
    rows = await session.rows(
        select(columns.account_id, columns.territory_id).where(
            columns.model_id == model_id, columns.until.is_(None), columns.manual
        )
    )
    return _pairs([tuple(row) for row in rows])


async def count_decisions(session: ReadSession, model_id: int) -> int:
    """How many assignments by hand and exclusions a model has, whoever asks."""
    columns = account_assignment.c
    manual = select(func.count()).where(columns.model_id == model_id, columns.until.is_(None), columns.manual)
    excluded = select(func.count()).where(assignment_exclusion.c.model_id == model_id)
    return int(await session.scalar(manual)) + int(await session.scalar(excluded))


async def accounts_aligned_otherwise(session: ReadSession, model_id: int, decisions: pl.DataFrame) -> list[int]:
    """Accounts with an opportunity that follows the policy and is not where `decisions` puts it, or is nowhere yet."""
    schema = {"account_id": pl.Int64, "was_id": pl.Int64, "why": pl.String, "missing": pl.String}
    found = await session.copy_out(
        "SELECT o.account_id, a.territory_id, a.reason, a.opportunity_id IS NULL FROM opportunity o "
        f"LEFT JOIN opportunity_alignment a ON a.opportunity_id = o.id AND a.model_id = {int(model_id)} "
        "WHERE a.opportunity_id IS NULL OR a.cause = 'POLICY'"
    )
    if not found:
        return []
    held = pl.read_csv(BytesIO(found), has_header=False, new_columns=list(schema), schema=schema)
    joined = held.join(decisions, on="account_id", how="left")
    planned = pl.col("reason").fill_null("NO_TERRITORY")
    unlike = (
        (pl.col("missing") == "t")
        | pl.col("was_id").ne_missing(pl.col("territory_id"))
        | pl.col("why").ne_missing(planned)
    )
    return joined.filter(unlike)["account_id"].unique().to_list()


async def exclusions(session: ReadSession, model_id: int, account_ids: Collection[int] | None = None) -> pl.DataFrame:
    """A model's exclusions, of some accounts or of all: object_id, territory_id."""
    columns = assignment_exclusion.c
    statement = select(columns.account_id, columns.territory_id).where(columns.model_id == model_id)
    if account_ids is not None:
        statement = statement.where(columns.account_id.in_(account_ids))
    rows = await session.rows(statement)
    return _pairs([tuple(row) for row in rows])


async def all_decisions(
    session: ReadSession, model_id: int
) -> tuple[Sequence[tuple[int, int]], Sequence[tuple[int, int, str | None]]]:
    """A model's assignments by hand (territory, account) and exclusions (territory, account, note), whoever asks."""
    manual, kept_out = account_assignment.c, assignment_exclusion.c
    assigned = await session.rows(
        select(manual.territory_id, manual.account_id).where(
            manual.model_id == model_id, manual.until.is_(None), manual.manual
        )
    )
    excluded = await session.rows(
        select(kept_out.territory_id, kept_out.account_id, kept_out.note).where(kept_out.model_id == model_id)
    )
    return [(row.territory_id, row.account_id) for row in assigned], [
        (row.territory_id, row.account_id, row.note) for row in excluded
    ]


def _pairs(rows: list[tuple[int, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"object_id": pl.Int64, "territory_id": pl.Int64}, orient="row")


async def frozen_assignments(session: ReadSession, source_id: int | None, model_id: int) -> pl.DataFrame:
    """Rule-made assignments of frozen accounts in `source_id`, as territories of the same developer name in `model_id`.

    Columns object_id, territory_id; docs/domain.md, "Rules" 5.
    """
    if source_id is None:
        return _pairs([])
    old, new = territories.nodes.alias("old"), territories.nodes.alias("new")
    columns = account_assignment.c
    rows = await session.rows(
        select(columns.account_id, new.c.id)
        .join(crm.accounts, crm.accounts.c.id == columns.account_id)
        .join(old, old.c.id == columns.territory_id)
        .join(new, and_(new.c.model_id == model_id, new.c.developer_name == old.c.developer_name))
        .where(
            columns.model_id == source_id,
            columns.until.is_(None),
            columns.by_rule,
            crm.accounts.c.excluded_from_realignment,
        )
    )
    return _pairs([tuple(row) for row in rows])


async def frozen_accounts(session: ReadSession) -> list[int]:
    """The ids of frozen accounts."""
    accounts = crm.accounts.c
    rows = await session.rows(select(accounts.id).where(accounts.excluded_from_realignment))
    return [row.id for row in rows]


async def places(session: ReadSession, model_id: int) -> pl.DataFrame:
    """Where a model's territories are: territory_id, path."""
    rows = await territories.all_nodes(session, model_id)
    schema = {"territory_id": pl.Int64, "path": pl.String}
    return pl.DataFrame([(row.id, row.path) for row in rows], schema=schema, orient="row")


async def aligned_territories(session: ReadSession, model_id: int) -> Territories:
    """A model's territories in preorder, as alignment sees them."""
    priorities = {row.type_id: row.priority for row in await models.type_priorities(session, [model_id])}
    rows = sorted(await territories.all_nodes(session, model_id), key=lambda row: str(row.path))
    columns = [(row.id, priorities.get(row.type_id, 0), row.depth) for row in rows]
    ids, found, depths = np.array(columns, np.int64).reshape(-1, 3).T
    return Territories(ids, found, depths)


async def alignments_of(
    session: ReadSession, model_id: int, opportunity_ids: Collection[int]
) -> Mapping[int, Row[Any]]:
    """The alignment of opportunities in a model, by opportunity."""
    columns = opportunity_alignment.c
    rows = await session.rows(
        select(opportunity_alignment).where(columns.model_id == model_id, columns.opportunity_id.in_(opportunity_ids))
    )
    return {row.opportunity_id: row for row in rows}


async def territories_of_accounts(
    session: ReadSession, model_id: int, account_ids: Collection[int]
) -> Mapping[int, list[int]]:
    """The territories of accounts in a model whose assignments are rows, by account."""
    columns = account_assignment.c
    rows = await session.rows(
        select(columns.account_id, columns.territory_id)
        .where(columns.model_id == model_id, columns.until.is_(None), columns.account_id.in_(account_ids))
        .order_by(columns.account_id, columns.territory_id)
    )
    found: dict[int, list[int]] = {}
    for row in rows:
        found.setdefault(row.account_id, []).append(row.territory_id)
    return found


def _aligned() -> Any:  # noqa: ANN401 - a selectable
    found = crm.opportunities.c
    nodes = territories.nodes
    return (
        select(
            opportunity_alignment.c.model_id,
            opportunity_alignment.c.opportunity_id,
            opportunity_alignment.c.territory_id,
            nodes.c.path,
            found.account_id,
            found.amount,
            found.currency,
            found.quantity,
            found.close_date,
            found.forecast_category,
        )
        .join(crm.opportunities, found.id == opportunity_alignment.c.opportunity_id)
        .outerjoin(nodes, nodes.c.id == opportunity_alignment.c.territory_id)
        .subquery("aligned_opportunities")
    )


aligned_opportunities = _aligned()
"""Every opportunity with its territory in every model that has rows of its own, for features above."""


async def whole_decisions(session: ReadSession, model_ids: Collection[int]) -> Sequence[Row[Any]]:
    """What people decided in models: model_id, territory (its name), account_id, excluded, note; whoever asks."""
    nodes, manual, kept = territories.nodes.c, account_assignment.c, assignment_exclusion.c
    by_hand = (
        select(
            manual.model_id,
            nodes.developer_name.label("territory"),
            manual.account_id,
            literal(value=False).label("excluded"),
            null().label("note"),
        )
        .join(territories.nodes, nodes.id == manual.territory_id)
        .where(manual.model_id.in_(model_ids), manual.until.is_(None), manual.manual)
    )
    exclusions = (
        select(kept.model_id, nodes.developer_name, kept.account_id, literal(value=True), kept.note)
        .join(territories.nodes, nodes.id == kept.territory_id)
        .where(kept.model_id.in_(model_ids))
    )
    return await session.rows(union_all(by_hand, exclusions))


async def standing_alignment(session: ReadSession, model_id: int) -> pl.DataFrame:
    """Where a model's stored alignment has opportunities: opportunity_id, territory_id; those without are absent."""
    schema = {"opportunity_id": pl.Int64, "territory_id": pl.Int64}
    found = await session.copy_out(
        "SELECT opportunity_id, territory_id FROM opportunity_alignment "
        f"WHERE model_id = {int(model_id)} AND territory_id IS NOT NULL"
    )
    if not found:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(BytesIO(found), has_header=False, new_columns=list(schema), schema=schema)


async def kept_alignment(session: ReadSession, model_id: int) -> Sequence[Row[Any]]:
    """Opportunities that no policy moves in a model: opportunity_id, territory (its developer name or None)."""
    columns, nodes = opportunity_alignment.c, territories.nodes.c
    return await session.rows(
        select(columns.opportunity_id, nodes.developer_name.label("territory"))
        .outerjoin(territories.nodes, nodes.id == columns.territory_id)
        .where(columns.model_id == model_id, columns.cause != AlignmentCause.POLICY.value)
    )


async def pair_of(session: ReadSession, territory_id: int, account_id: int, active_id: int | None) -> Row[Any]:
    """What is known of one account and territory beside rules: one row, whether anything stands or not.

    manual, by_rule, since: of the standing assignment. excluded, note: of the exclusion. frozen: whether runs leave the
    account alone. carried: whether the active model's rules have it in the territory of the same name.
    """
    standing, kept = account_assignment.alias("standing"), assignment_exclusion.alias("kept")
    own, other = territories.nodes.alias("own"), territories.nodes.alias("other")
    elsewhere = account_assignment.alias("elsewhere")
    carried = (
        select(elsewhere.c.account_id)
        .join(other, other.c.id == elsewhere.c.territory_id)
        .where(
            elsewhere.c.model_id == active_id,
            elsewhere.c.account_id == account_id,
            elsewhere.c.until.is_(None),
            elsewhere.c.by_rule,
            other.c.developer_name == own.c.developer_name,
        )
        .exists()
    )
    found = crm.accounts
    row = await session.row(
        select(
            standing.c.manual,
            standing.c.by_rule,
            standing.c.since,
            kept.c.account_id.is_not(None).label("excluded"),
            kept.c.note,
            found.c.excluded_from_realignment.label("frozen"),
            carried.label("carried"),
        )
        .select_from(own)
        .join(found, found.c.id == account_id)
        .outerjoin(
            standing,
            and_(standing.c.territory_id == own.c.id, standing.c.account_id == found.c.id, standing.c.until.is_(None)),
        )
        .outerjoin(kept, and_(kept.c.territory_id == own.c.id, kept.c.account_id == found.c.id))
        .where(own.c.id == territory_id)
    )
    if row is None:
        raise NotFound("There is no such account or territory.")
    return row
