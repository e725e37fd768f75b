"""Reading a model's structure as facts, its log as steps, and its checkpoints."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from etm_graph.core.changes import Change, EntityType, logged
from etm_graph.core.facts import FORECAST_MANAGER, PARENT, Fact, Fields, Step, Structure
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_all_changes
from etm_graph.features.alignment import queries as alignment
from etm_graph.features.crm import queries as crm
from etm_graph.features.editing.tables import checkpoint
from etm_graph.features.models import queries as models
from etm_graph.features.rules import queries as rules
from etm_graph.features.territories import queries as territories

TYPE = "type"

_NAMED = {"parent_id": PARENT, "type_id": TYPE, "forecast_manager_id": FORECAST_MANAGER}
"""Columns that refer to something by number, and the fields that do it by name."""

_SAID_BY_KEY = frozenset({"path", "territory_id", "user_id", "account_id", "rule_id", "territory"})
_OF_MODEL = frozenset({"name", "description"})

KNOWN = frozenset(
    {
        EntityType.MODEL,
        EntityType.TYPE_PRIORITY,
        EntityType.TERRITORY,
        EntityType.RULE,
        EntityType.RULE_LINK,
        EntityType.MEMBERSHIP,
        EntityType.ASSIGNMENT,
        EntityType.EXCLUSION,
    }
)
"""Entities that are facts of a structure."""


@dataclass(frozen=True, slots=True)
class Names:
    """What numbers mean in one model, things that are gone included."""

    territories: Mapping[int, str]
    types: Mapping[int, str]
    users: Mapping[int, str]

    def fields(self, entity: EntityType, columns: Mapping[str, object]) -> dict[str, object]:
        """A fact's fields of logged columns."""
        found: dict[str, object] = {}
        for name, value in columns.items():
            if name in _NAMED:
                found[_NAMED[name]] = self._name(_NAMED[name], value)
            elif name not in _SAID_BY_KEY and (entity is not EntityType.MODEL or name in _OF_MODEL):
                found[name] = value
        return found

    def _name(self, field: str, value: object) -> str | None:
        if value is None:
            return None
        known = {PARENT: self.territories, TYPE: self.types, FORECAST_MANAGER: self.users}[field]
        return known.get(int(str(value)), f"#{value}")


@dataclass(frozen=True, slots=True)
class History:
    """A model's structure now, and what led to it after some number.

    steps: with the change that each is of. former_ids: numbers of entities that the log mentions, by fact.
    """

    now: Structure
    steps: Sequence[tuple[Change, Step]]
    former_ids: Mapping[Fact, int]

    def since(self, seq: int) -> list[Step]:
        """The steps after a number."""
        return [step for change, step in self.steps if change.seq > seq]


async def read_history(session: ReadSession, model_id: int, after: int | None = None) -> History:
    """A model's structure now, and its changes after a number (None: only the structure), whoever asks."""
    changes = [] if after is None else await read_all_changes(session, model_id, after)
    known = [change for change in changes if change.draft.entity_type in KNOWN]
    nodes = await territories.whole_trees(session, [model_id])
    members = await territories.whole_memberships(session, [model_id])
    names = await _names(session, nodes, members, known)
    former = {(c.draft.entity_type, c.draft.key): c.draft.entity_id for c in known}
    return History(
        await _structure(session, model_id, names, nodes, members),
        [(change, _step(change, names)) for change in known],
        former,
    )


async def read_structure(session: ReadSession, model_id: int) -> Structure:
    """A model's structure now, whoever asks."""
    return (await read_history(session, model_id)).now


def _step(change: Change, names: Names) -> Step:
    draft = change.draft
    entity = draft.entity_type
    return Step((entity, draft.key), draft.kind, names.fields(entity, draft.before), names.fields(entity, draft.after))


async def _names(
    session: ReadSession, nodes: Sequence[Row[Any]], members: Sequence[Row[Any]], changes: Sequence[Change]
) -> Names:
    territory_names = {
        change.draft.entity_id: change.draft.key
        for change in changes
        if change.draft.entity_type is EntityType.TERRITORY
    }
    territory_names |= {row.id: row.developer_name for row in nodes}
    mentioned: dict[str, set[int]] = defaultdict(set)
    for columns in [*(c.draft.before for c in changes), *(c.draft.after for c in changes)]:
        for name in _NAMED:
            if columns.get(name) is not None:
                mentioned[name].add(int(str(columns[name])))
    types = {row.type_id for row in nodes} | mentioned["type_id"]
    managers = {row.forecast_manager_id for row in nodes if row.forecast_manager_id is not None}
    users = managers | {row.user_id for row in members} | mentioned["forecast_manager_id"]
    return Names(
        territory_names,
        {key: row.developer_name for key, row in (await models.types_by_id(session, types)).items()},
        {key: row.user_name for key, row in (await crm.users_by_id(session, users)).items()},
    )


async def _structure(
    session: ReadSession, model_id: int, names: Names, nodes: Sequence[Row[Any]], members: Sequence[Row[Any]]
) -> Structure:
    facts: dict[Fact, Fields] = {}

    def add(entity: EntityType, key: str, row: Mapping[Any, Any]) -> None:
        facts[entity, key] = names.fields(entity, logged(row))

    model = await models.describe_model(session, model_id)
    if model is not None:
        facts[EntityType.MODEL, model.developer_name] = {"name": model.name, "description": model.description}
    for row in nodes:
        add(EntityType.TERRITORY, row.developer_name, row._mapping)
    for row in members:
        add(EntityType.MEMBERSHIP, f"{names.territories[row.territory_id]}/{names.users[row.user_id]}", row._mapping)
    facts |= await _rule_facts(session, model_id, names)
    assigned, excluded = await alignment.all_decisions(session, model_id)
    for territory_id, account_id in assigned:
        facts[EntityType.ASSIGNMENT, f"{names.territories[territory_id]}/{account_id}"] = {}
    for territory_id, account_id, note in excluded:
        facts[EntityType.EXCLUSION, f"{names.territories[territory_id]}/{account_id}"] = {"note": note}
    priorities = await models.type_priorities(session, [model_id])
    types = await models.types_by_id(session, {row.type_id for row in priorities})
    for row in priorities:
        facts[EntityType.TYPE_PRIORITY, types[row.type_id].developer_name] = {"priority": row.priority}
    return facts


async def _rule_facts(session: ReadSession, model_id: int, names: Names) -> dict[Fact, Fields]:
    facts: dict[Fact, Fields] = {}
    for row in await rules.whole_rules(session, [model_id]):
        facts[EntityType.RULE, row.developer_name] = names.fields(EntityType.RULE, logged(row._mapping))
    for row in await rules.whole_links(session, [model_id]):
        facts[EntityType.RULE_LINK, f"{row.rule}/{row.territory}"] = {
            "applies_to_descendants": row.applies_to_descendants
        }
    return facts


async def checkpoints_of(session: ReadSession, model_ids: Collection[int]) -> Mapping[int, Sequence[Row[Any]]]:
    """The checkpoints of models without their structures, oldest first, by model."""
    columns = checkpoint.c
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    statement = (
        select(columns.model_id, columns.name, columns.seq, columns.created_by, columns.created_at)
        .where(columns.model_id.in_(model_ids))
        .order_by(columns.model_id, columns.seq, columns.name)
    )
    for row in await session.rows(statement):
        grouped[row.model_id].append(row)
    return grouped


def packed(structure: Structure) -> list[list[Any]]:
    """A structure as JSON."""
    return [[entity.value, key, dict(fields)] for (entity, key), fields in structure.items()]


def unpacked(rows: Sequence[Sequence[Any]]) -> dict[Fact, Fields]:
    """The structure of its JSON."""
    return {(EntityType(entity), key): fields for entity, key, fields in rows}
