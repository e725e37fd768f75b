"""Writing what the engine found: only the difference to what stands, in bulk, with history."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl
from sqlalchemy import text

from etm_graph.db.sessions import WriteSession


async def _scope(session: WriteSession, account_ids: Sequence[int] | None) -> str:
    """A temporary table of the accounts in question, as a condition; nothing for all of them."""
    if account_ids is None:
        return ""
    await session.execute(text("CREATE TEMP TABLE scope (account_id bigint PRIMARY KEY) ON COMMIT DROP"))
    await session.copy("scope", ["account_id"], [(account_id,) for account_id in account_ids])
    return "AND s.account_id IN (SELECT account_id FROM scope)"


async def write_assignments(
    session: WriteSession, model_id: int, pairs: pl.DataFrame, now: datetime, account_ids: Sequence[int] | None = None
) -> int:
    """Make a model's stored assignments those of `pairs`, for some accounts or for all; returns how many rows changed.

    Assignments by hand stay; a row that ends keeps its `until`. pairs: object_id, territory_id, by_rule, rule_ids.
    """
    await session.execute(
        text(
            "CREATE TEMP TABLE found (account_id bigint, territory_id bigint, rule_ids bigint[], "
            "PRIMARY KEY (account_id, territory_id)) ON COMMIT DROP"
        )
    )
    ruled = pairs.filter("by_rule").select("object_id", "territory_id", "rule_ids")
    await session.copy("found", ["account_id", "territory_id", "rule_ids"], list(ruled.iter_rows()))
    await session.execute(text("ANALYZE found"))
    scope = await _scope(session, account_ids)
    values = {"model": model_id, "now": now}
    match = "f.account_id = s.account_id AND f.territory_id = s.territory_id"
    standing = f"s.model_id = :model AND s.until IS NULL {scope}"
    gone = f"{standing} AND s.by_rule AND NOT EXISTS (SELECT FROM found f WHERE {match})"
    statements = (
        f"UPDATE account_assignment s SET until = :now WHERE {gone} AND NOT s.manual",
        f"UPDATE account_assignment s SET by_rule = false, rule_ids = '{{}}' WHERE {gone} AND s.manual",
        f"""
        UPDATE account_assignment s SET by_rule = true, rule_ids = f.rule_ids FROM found f
        WHERE {standing} AND {match} AND (NOT s.by_rule OR s.rule_ids <> f.rule_ids)
        """,
        f"""
        INSERT INTO account_assignment (model_id, account_id, territory_id, manual, by_rule, rule_ids, since, version)
        SELECT :model, f.account_id, f.territory_id, false, true, f.rule_ids, :now, 0 FROM found f
        WHERE NOT EXISTS (
            SELECT FROM account_assignment s WHERE s.model_id = :model AND s.until IS NULL AND {match}
        )
        """,
    )
    changed = 0
    for statement in statements:
        needed = values if ":now" in statement else {"model": model_id}
        changed += (await session.execute(text(statement).bindparams(**needed))).rowcount
    await session.execute(text("DROP TABLE found"))
    if account_ids is not None:
        await session.execute(text("DROP TABLE scope"))
    return changed


async def write_alignment(
    session: WriteSession, model_id: int, decisions: pl.DataFrame, account_ids: Sequence[int] | None = None
) -> int:
    """Make a model's opportunity alignment that of `decisions`, for some accounts or all; returns how many changed.

    What was aligned by hand and what is excluded stays as it is (docs/domain.md, "Opportunity alignment").
    decisions: account_id, territory_id, reason; an account that is not in it has no territory.
    """
    await session.execute(
        text(
            "CREATE TEMP TABLE decided (account_id bigint PRIMARY KEY, territory_id bigint, reason text) ON COMMIT DROP"
        )
    )
    rows = list(decisions.select("account_id", "territory_id", "reason").iter_rows())
    await session.copy("decided", ["account_id", "territory_id", "reason"], rows)
    await session.execute(text("ANALYZE decided"))
    scope = "" if account_ids is None else "WHERE o.account_id = ANY(:accounts)"
    statement = text(
        "INSERT INTO opportunity_alignment AS a (model_id, opportunity_id, territory_id, cause, reason) "
        "SELECT :model, o.id, CASE WHEN o.excluded_from_territory_assignment THEN NULL ELSE d.territory_id END, "
        "CASE WHEN o.excluded_from_territory_assignment THEN 'KEPT' ELSE 'POLICY' END, "
        "CASE WHEN o.excluded_from_territory_assignment THEN 'EXCLUDED' ELSE coalesce(d.reason, 'NO_TERRITORY') END "
        f"FROM opportunity o LEFT JOIN decided d ON d.account_id = o.account_id {scope} "
        "ON CONFLICT (model_id, opportunity_id) DO UPDATE SET territory_id = excluded.territory_id, "
        "cause = excluded.cause, reason = excluded.reason "
        "WHERE a.cause = 'POLICY' AND excluded.cause = 'POLICY' "
        "AND (a.territory_id IS DISTINCT FROM excluded.territory_id OR a.reason <> excluded.reason)"
    )
    values = {"model": model_id} if account_ids is None else {"model": model_id, "accounts": list(account_ids)}
    changed = (await session.execute(statement.bindparams(**values))).rowcount
    await session.execute(text("DROP TABLE decided"))
    return changed
