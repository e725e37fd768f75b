"""Writing what the engine found: only the difference to what stands, in bulk, with history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, TEXT

from etm_graph.db.sessions import WriteSession
from etm_graph.features.alignment import queries

COPY_ROWS_MIN = 1_000
"""From so many new rows on they are loaded in bulk (PostgreSQL COPY)."""

_IDS = ARRAY(BIGINT)
_TEXTS = ARRAY(TEXT)


@dataclass(frozen=True, slots=True)
class Difference:
    """What has to change so that the assignments that stand are those that rules make.

    ended, unruled: rows that end, and rows that only hands keep from now on. ruled: row_id, rules of rows that rules make
    now, or other ones than before. new: object_id, territory_id, rules.
    """

    ended: Sequence[int]
    unruled: Sequence[int]
    ruled: pl.DataFrame
    new: pl.DataFrame

    @property
    def count(self) -> int:
        """How many rows change."""
        return len(self.ended) + len(self.unruled) + self.ruled.height + self.new.height


def difference(standing: pl.DataFrame, wanted: pl.DataFrame) -> Difference:
    """From what stands to what rules make.

    standing: row_id, object_id, territory_id, manual, by_rule, rules. wanted: object_id, territory_id, rules; rules are ids
    parted by blanks, and empty for what is kept whatever rules are behind it.
    """
    keys = ["object_id", "territory_id"]
    both = standing.join(wanted.rename({"rules": "wanted"}), on=keys, how="full", coalesce=True)
    there, rules, wanted_rules = pl.col("row_id").is_not_null(), pl.col("rules"), pl.col("wanted")
    gone = both.filter(there & wanted_rules.is_null() & pl.col("by_rule"))
    other = there & wanted_rules.is_not_null() & (~pl.col("by_rule") | ((wanted_rules != "") & (rules != wanted_rules)))
    return Difference(
        gone.filter(~pl.col("manual"))["row_id"].to_list(),
        gone.filter("manual")["row_id"].to_list(),
        both.filter(other).select("row_id", wanted_rules.alias("rules")),
        both.filter(~there).select(*keys, wanted_rules.alias("rules")),
    )


async def write_difference(session: WriteSession, model_id: int, found: Difference, now: datetime) -> int:
    """Write a difference; a row that ends keeps its `until`. Returns how many rows changed."""
    rows = text("UPDATE account_assignment SET until = :now WHERE id = ANY(:ids)").bindparams(
        bindparam("ids", type_=_IDS)
    )
    if found.ended:
        await session.execute(rows.bindparams(now=now, ids=list(found.ended)))
    if found.unruled:
        kept = text("UPDATE account_assignment SET by_rule = false, rule_ids = '{}' WHERE id = ANY(:ids)")
        await session.execute(kept.bindparams(bindparam("ids", list(found.unruled), type_=_IDS)))
    if found.ruled.height:
        ruled = text(
            "UPDATE account_assignment s SET by_rule = true, rule_ids = string_to_array(f.rules, ' ')::bigint[] "
            "FROM unnest(:ids, :rules) f(id, rules) WHERE s.id = f.id"
        )
        await session.execute(
            ruled.bindparams(
                bindparam("ids", found.ruled["row_id"].to_list(), type_=_IDS),
                bindparam("rules", found.ruled["rules"].to_list(), type_=_TEXTS),
            )
        )
    await _insert(session, model_id, found.new, now)
    return found.count


async def write_assignments(
    session: WriteSession, model_id: int, pairs: pl.DataFrame, now: datetime, account_ids: Sequence[int] | None = None
) -> int:
    """Make a model's stored assignments those of `pairs`, for some accounts or for all; returns how many rows changed.

    Assignments by hand stay; a row that ends keeps its `until`. pairs: object_id, territory_id, by_rule, rule_ids.
    """
    rules = pl.col("rule_ids").cast(pl.List(pl.String)).list.join(" ").alias("rules")
    wanted = pairs.filter("by_rule").select("object_id", "territory_id", rules)
    standing = await queries.standing_assignments(session, model_id, account_ids)
    return await write_difference(session, model_id, difference(standing, wanted), now)


async def _insert(session: WriteSession, model_id: int, new: pl.DataFrame, now: datetime) -> None:
    columns = "model_id, account_id, territory_id, manual, by_rule, rule_ids, since, version"
    if new.height >= COPY_ROWS_MIN:
        rows = new.select(
            pl.lit(model_id).alias("model_id"),
            "object_id",
            "territory_id",
            pl.lit("f").alias("manual"),
            pl.lit("t").alias("by_rule"),
            pl.concat_str(pl.lit("{"), pl.col("rules").str.replace_all(" ", ","), pl.lit("}")).alias("rule_ids"),
            pl.lit(now.isoformat()).alias("since"),
            pl.lit(0).alias("version"),
        )
        await session.copy_csv("account_assignment", columns.split(", "), rows.write_csv(include_header=False).encode())
    elif new.height:
        added = text(
            f"INSERT INTO account_assignment ({columns}) "
            "SELECT :model, f.account_id, f.territory_id, false, true, string_to_array(f.rules, ' ')::bigint[], :now, 0 "
            "FROM unnest(:accounts, :territories, :rules) f(account_id, territory_id, rules)"
        )
        await session.execute(
            added.bindparams(
                bindparam("model", model_id, type_=BIGINT),
                bindparam("accounts", new["object_id"].to_list(), type_=_IDS),
                bindparam("territories", new["territory_id"].to_list(), type_=_IDS),
                bindparam("rules", new["rules"].to_list(), type_=_TEXTS),
                now=now,
            )
        )


_DECIDED = "unnest(:accounts, :territories, :reasons) d(account_id, territory_id, reason)"
_KEPT = """(
    SELECT a.opportunity_id, here.id AS territory_id, a.cause FROM opportunity_alignment a
    LEFT JOIN territory there ON there.id = a.territory_id
    LEFT JOIN territory here ON here.model_id = :model AND here.developer_name = there.developer_name
    WHERE a.model_id = :source AND a.cause <> 'POLICY'
)"""
_WANTED = """
    SELECT o.id,
        CASE WHEN k.cause = 'MANUAL' THEN k.territory_id
             WHEN o.excluded_from_territory_assignment THEN coalesce(s.territory_id, k.territory_id)
             ELSE d.territory_id END AS territory_id,
        CASE WHEN k.cause = 'MANUAL' THEN 'MANUAL'
             WHEN o.excluded_from_territory_assignment THEN 'KEPT' ELSE 'POLICY' END AS cause,
        CASE WHEN o.excluded_from_territory_assignment AND k.cause IS DISTINCT FROM 'MANUAL' THEN 'EXCLUDED'
             ELSE coalesce(d.reason, 'NO_TERRITORY') END AS reason,
        s.territory_id AS old_territory, s.cause AS old_cause, s.reason AS old_reason
    FROM opportunity o
    LEFT JOIN {decided} ON d.account_id = o.account_id
    LEFT JOIN opportunity_alignment s ON s.model_id = :model AND s.opportunity_id = o.id
    LEFT JOIN {kept} k ON k.opportunity_id = o.id
    WHERE {scope}
"""
_UPSERT = """
    INSERT INTO opportunity_alignment AS a (model_id, opportunity_id, territory_id, cause, reason)
    SELECT :model, w.id, w.territory_id, w.cause, w.reason FROM ({wanted}) w
    WHERE w.old_cause IS NULL OR w.old_cause <> 'MANUAL'
        AND (w.old_territory, w.old_cause, w.old_reason) IS DISTINCT FROM (w.territory_id, w.cause, w.reason)
    ON CONFLICT (model_id, opportunity_id) DO UPDATE
    SET territory_id = excluded.territory_id, cause = excluded.cause, reason = excluded.reason
"""


async def write_alignment(
    session: WriteSession,
    model_id: int,
    decisions: pl.DataFrame,
    account_ids: Sequence[int] | None = None,
    source_id: int | None = None,
) -> int:
    """Make a model's opportunity alignment that of `decisions`, for some accounts or all; returns how many changed.

    What was aligned by hand stays, and so does what is excluded; where the model has nothing yet, it is taken from
    `source_id`, by the territory's developer name (docs/domain.md, "Opportunity alignment").
    decisions: account_id, territory_id, reason; an account that is not in it has no territory.
    """
    kept = _KEPT if source_id not in {None, model_id} else _KEPT.replace(":source", "NULL::bigint")
    given: dict[str, object] = {"model": model_id}
    if source_id not in {None, model_id}:
        given["source"] = source_id
    columns = [decisions[name].to_list() for name in ("account_id", "territory_id", "reason")]
    if account_ids is not None:
        wanted = _WANTED.format(decided=_DECIDED, kept=kept, scope="o.account_id = ANY(:scope)")
        statement = text(_UPSERT.format(wanted=wanted)).bindparams(
            bindparam("accounts", columns[0], type_=_IDS),
            bindparam("territories", columns[1], type_=_IDS),
            bindparam("reasons", columns[2], type_=_TEXTS),
            bindparam("scope", list(account_ids), type_=_IDS),
            **given,
        )
        return (await session.execute(statement)).rowcount
    await session.execute(
        text(
            "CREATE TEMP TABLE decided (account_id bigint PRIMARY KEY, territory_id bigint, reason text) ON COMMIT DROP"
        )
    )
    csv = decisions.select("account_id", "territory_id", "reason").write_csv(include_header=False)
    await session.copy_csv("decided", ["account_id", "territory_id", "reason"], csv.encode())
    await session.execute(text("ANALYZE decided"))
    wanted = _WANTED.format(decided="decided d", kept=kept, scope="true")
    changed = (await session.execute(text(_UPSERT.format(wanted=wanted)).bindparams(**given))).rowcount
    await session.execute(text("DROP TABLE decided"))
    return changed
