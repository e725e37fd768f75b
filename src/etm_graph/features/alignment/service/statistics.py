"""Statistics of a model's rules: what each matches, which do nothing, where territories overlap, what nothing takes."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from etm_graph.analytics.evaluating import evaluate
from etm_graph.core.auditing import RuleFindings, audit_rules, single_rules
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_heads
from etm_graph.features.alignment.service.engine import Engine
from etm_graph.features.crm import queries as crm
from etm_graph.features.rules.queries import load_rule_set
from etm_graph.features.territories.queries import all_nodes

KEPT = 4
"""Statistics kept in memory, the latest of as many models."""


class UnassignedBy(StrEnum):
    """What accounts without a territory are counted by."""

    STATE = "STATE"
    COUNTRY = "COUNTRY"
    INDUSTRY = "INDUSTRY"


COLUMNS: Mapping[UnassignedBy, str] = {
    UnassignedBy.STATE: "billing_state",
    UnassignedBy.COUNTRY: "billing_country",
    UnassignedBy.INDUSTRY: "industry",
}


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two territories under the same parent that share accounts."""

    first_id: int
    second_id: int
    accounts: int


@dataclass(frozen=True)
class RuleStatistics:
    """rules: rule_id, developer_name, hits, assigned, territories; by developer name.

    hits: accounts that the rule matches by itself. assigned: those that it is a cause for. territories: its links.
    unassigned: accounts without a territory, with the columns of `COLUMNS`. accounts: how many there are.
    """

    rules: pl.DataFrame
    names: Mapping[int, str]
    findings: RuleFindings
    overlaps: Sequence[Overlap]
    unassigned: pl.DataFrame
    accounts: int

    def unassigned_by(self, what: UnassignedBy) -> pl.DataFrame:
        """Value (empty for none), accounts; by value."""
        column = pl.col(COLUMNS[what]).fill_null("").alias("value")
        return self.unassigned.group_by(column).agg(pl.len().alias("accounts")).sort("value")


def _overlaps(pairs: pl.DataFrame, parents: pl.DataFrame) -> Sequence[Overlap]:
    """Pairs of siblings that share accounts, the largest overlap first."""
    placed = pairs.select("object_id", "territory_id").join(parents, on="territory_id")
    shared = placed.filter(pl.len().over("object_id", "parent_id") > 1)
    joined = shared.join(shared, on=["object_id", "parent_id"], suffix="_other")
    counted = (
        joined.filter(pl.col("territory_id") < pl.col("territory_id_other"))
        .group_by("territory_id", "territory_id_other")
        .agg(pl.len().alias("accounts"))
        .sort(["accounts", "territory_id", "territory_id_other"], descending=[True, False, False])
    )
    return [Overlap(*row) for row in counted.iter_rows()]


class RuleAudits:
    """Computes statistics of rules, once for a position of the model and the CRM."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: OrderedDict[int, tuple[tuple[int, int, str], RuleStatistics]] = OrderedDict()
        self._turn = asyncio.Lock()

    async def of(self, session: ReadSession, model_id: int, state: ModelState) -> RuleStatistics:
        """A model's statistics, as the session sees it; whoever asks."""
        async with self._turn:
            snapshot = await self._engine.snapshot(session)
            head = (await read_heads(session, [model_id]))[model_id].head
            position = (head, snapshot.seq, snapshot.signature)
            found = self._kept.get(model_id)
            if found is None or found[0] != position:
                found = self._kept[model_id] = (position, await self._compute(session, model_id, state))
            self._kept.move_to_end(model_id)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return found[1]

    async def _compute(self, session: ReadSession, model_id: int, state: ModelState) -> RuleStatistics:
        snapshot = await self._engine.snapshot(session)
        rule_set = await load_rule_set(session, model_id, await crm.account_fields(session))
        pairs = (await self._engine.assignments(session, model_id, state)).pairs
        accounts = await crm.account_segments(session)
        nodes = await all_nodes(session, model_id)
        parents = pl.DataFrame(
            [(row.id, -1 if row.parent_id is None else row.parent_id) for row in nodes],
            schema={"territory_id": pl.Int64, "parent_id": pl.Int64},
            orient="row",
        )

        def compute() -> RuleStatistics:
            matched = evaluate(single_rules(rule_set), snapshot).group_by("territory_id").agg("object_id")
            hits: dict[int, frozenset[int]] = {rule.id: frozenset() for rule in rule_set.rules}
            hits |= {row[0]: frozenset(row[1]) for row in matched.iter_rows()}
            causes = pairs.select(pl.col("rule_ids").explode().alias("rule_id")).drop_nulls().group_by("rule_id").len()
            assigned = dict(causes.iter_rows())
            links = [link.rule_id for link in rule_set.links]
            rows = [
                (rule.id, rule.developer_name, len(hits[rule.id]), assigned.get(rule.id, 0), links.count(rule.id))
                for rule in rule_set.rules
            ]
            columns = {"rule_id": pl.Int64, "developer_name": pl.String}
            counts = dict.fromkeys(("hits", "assigned", "territories"), pl.Int64)
            return RuleStatistics(
                pl.DataFrame(rows, schema={**columns, **counts}, orient="row").sort("developer_name"),
                {row.id: row.developer_name for row in nodes},
                audit_rules(rule_set, hits),
                _overlaps(pairs, parents),
                accounts.join(pairs, left_on="id", right_on="object_id", how="anti"),
                accounts.height,
            )

        return await asyncio.to_thread(compute)
