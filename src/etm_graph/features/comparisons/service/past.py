"""What a structure that is no longer there would make of today's accounts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from etm_graph.analytics.copies import Snapshot
from etm_graph.analytics.evaluating import evaluate, table_of
from etm_graph.core.assignment import Link, Node, Rule, RuleSet
from etm_graph.core.changes import EntityType
from etm_graph.core.criteria import Criterion, FieldDef, Operator, compile_criterion
from etm_graph.core.filter_logic import parse
from etm_graph.core.hierarchy import depth_of
from etm_graph.core.structure import Fields, Structure, paths_of
from etm_graph.db.sessions import ReadSession
from etm_graph.features.alignment import queries as alignment
from etm_graph.features.crm import queries as crm
from etm_graph.features.models.queries import active_model_id
from etm_graph.features.territories import queries as territories

KEYS = {"object_id": pl.Int64, "territory_id": pl.Int64}


@dataclass(frozen=True, slots=True)
class Past:
    """names: developer names; a territory's id is its place there. pairs: object_id, territory_id.

    territories: territory_id, type_priority, depth.
    """

    names: Sequence[str]
    pairs: pl.DataFrame
    territories: pl.DataFrame


def _rule(number: int, name: str, fields: Fields, defined: Mapping[str, FieldDef]) -> Rule | None:
    """A rule of a structure; None when it names a field that is gone."""
    listed = fields["criteria"]
    criteria = [
        Criterion(item["number"], item["field"], Operator(item["operator"]), tuple(item["values"]))
        for item in (listed if isinstance(listed, list) else [])
    ]
    if any(criterion.field not in defined for criterion in criteria):
        return None
    logic = fields["filter_logic"]
    return Rule(
        number,
        name,
        str(fields["object_type"]),
        bool(fields["is_active"]),
        tuple(compile_criterion(criterion, defined[criterion.field]) for criterion in criteria),
        parse(None if logic is None else str(logic), [criterion.number for criterion in criteria]),
    )


def rule_set_of(structure: Structure, defined: Mapping[str, FieldDef]) -> tuple[Sequence[str], RuleSet]:
    """The territories' names, each at the place that is its id, and everything that decides assignments by rule."""
    paths = paths_of(structure)
    names = sorted(paths, key=lambda name: paths[name])
    ids = {name: number for number, name in enumerate(names)}
    fields_of = structure.get(EntityType.TERRITORY, {})
    nodes = [
        Node(
            ids[name],
            ids.get(str(fields_of[name].get("parent"))),
            paths[name],
            str(fields_of[name]["rule_combination"]),
            bool(fields_of[name]["inherit_only"]),
        )
        for name in names
    ]
    found = structure.get(EntityType.RULE, {})
    rules = {name: _rule(number, name, found[name], defined) for number, name in enumerate(sorted(found))}
    links = []
    for key, fields in structure.get(EntityType.RULE_LINK, {}).items():
        rule, _, territory = key.partition("/")
        known = rules.get(rule)
        if known is not None and territory in ids:
            links.append(Link(known.id, ids[territory], bool(fields["applies_to_descendants"])))
    return names, RuleSet(tuple(nodes), tuple(rule for rule in rules.values() if rule is not None), tuple(links))


def _pairs(structure: Structure, entity_type: EntityType, ids: Mapping[str, int]) -> pl.DataFrame:
    parts = [key.partition("/") for key in structure.get(entity_type, {})]
    rows = [(int(account), ids[territory]) for territory, _, account in parts if territory in ids]
    return pl.DataFrame(rows, schema=KEYS, orient="row")


def _territories(structure: Structure, names: Sequence[str]) -> pl.DataFrame:
    """What alignment asks of territories."""
    paths, fields = paths_of(structure), structure.get(EntityType.TERRITORY, {})
    priorities = structure.get(EntityType.TYPE_PRIORITY, {})
    rows = [
        (number, int(str(priorities.get(str(fields[name].get("type")), {}).get("priority", 0))), depth_of(paths[name]))
        for number, name in enumerate(names)
    ]
    schema = {"territory_id": pl.Int64, "type_priority": pl.Int64, "depth": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


async def _frozen(session: ReadSession, ids: Mapping[str, int]) -> tuple[Sequence[int], pl.DataFrame]:
    """Frozen accounts, and what the active model's rules gave them, by name."""
    frozen = await alignment.frozen_accounts(session)
    active = await active_model_id(session)
    if not frozen or active is None:
        return frozen, pl.DataFrame(schema=KEYS)
    names = {row.id: row.developer_name for row in await territories.all_nodes(session, active)}
    carried = await alignment.frozen_assignments(session, active, active)
    rows = [(row[0], ids[names[row[1]]]) for row in carried.iter_rows() if names.get(row[1]) in ids]
    return frozen, pl.DataFrame(rows, schema=KEYS, orient="row")


async def derive_past(session: ReadSession, structure: Structure, snapshot: Snapshot) -> Past:
    """Who a structure's rules, hands and exclusions give today's accounts to (docs/domain.md, "Rules").

    snapshot: of all accounts as rules see them.
    """
    names, rule_set = rule_set_of(structure, await crm.account_fields(session))
    ids = {name: number for number, name in enumerate(names)}
    excluded, manual = (_pairs(structure, entity, ids) for entity in (EntityType.EXCLUSION, EntityType.ASSIGNMENT))
    frozen, carried = await _frozen(session, ids)
    ruled = (await asyncio.to_thread(evaluate, rule_set, snapshot, excluded)).select(list(KEYS))
    ruled = pl.concat([ruled.filter(~pl.col("object_id").is_in(list(frozen))), carried])
    accounts = table_of(snapshot).select(pl.col("id").alias("object_id"))
    here = manual.join(accounts, on="object_id", how="semi")
    pairs = pl.concat([ruled, here]).unique()
    return Past(names, pairs, _territories(structure, names))
