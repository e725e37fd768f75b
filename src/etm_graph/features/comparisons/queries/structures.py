"""Whole structures of models, by name; whoever asks, access is applied to what is told of them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row

from etm_graph.core.changes import Change, EntityType
from etm_graph.core.rewinding import Names
from etm_graph.core.structure import CUSTOM, Fields, Structure
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_changes
from etm_graph.features.alignment import queries as alignment
from etm_graph.features.crm import queries as crm
from etm_graph.features.models import queries as models
from etm_graph.features.rules import queries as rules
from etm_graph.features.territories import queries as territories

BATCH = 5_000
"""Changes read at a time."""

_TERRITORY = (
    "name",
    "description",
    "rule_combination",
    "inherit_only",
    "account_access",
    "opportunity_access",
    "contact_access",
    "case_access",
)
_RULE = ("name", "object_type", "is_active", "filter_logic", "criteria")

Found = dict[int, dict[EntityType, dict[str, Fields]]]
"""Structures in the making, by model."""


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _add_territories(found: Found, rows: Sequence[Row[Any]], names: Names) -> None:
    by_id = {row.id: row.developer_name for row in rows}
    for row in rows:
        found[row.model_id][EntityType.TERRITORY][row.developer_name] = {
            **{name: row._mapping[name] for name in _TERRITORY},
            "parent": by_id.get(row.parent_id),
            "type": names.types.get(row.type_id),
            "forecast_manager": names.users.get(row.forecast_manager_id),
            **{CUSTOM + name: value for name, value in row.custom.items()},
        }


def _add_rules(found: Found, rows: Sequence[Row[Any]], links: Sequence[Row[Any]]) -> None:
    for row in rows:
        found[row.model_id][EntityType.RULE][row.developer_name] = {name: row._mapping[name] for name in _RULE}
    for row in links:
        fields = {"applies_to_descendants": row.applies_to_descendants}
        found[row.model_id][EntityType.RULE_LINK][f"{row.rule}/{row.territory}"] = fields


def _add_members(found: Found, rows: Sequence[Row[Any]], names: Names) -> None:
    for row in rows:
        found[row.model_id][EntityType.MEMBERSHIP][f"{row.developer_name}/{names.users[row.user_id]}"] = {
            "role_in_territory": row.role_in_territory,
            "effective_from": _plain(row.effective_from),
            "effective_until": _plain(row.effective_until),
        }


def _add_decisions(found: Found, rows: Sequence[Row[Any]]) -> None:
    for row in rows:
        key = f"{row.territory}/{row.account_id}"
        if row.excluded:
            found[row.model_id][EntityType.EXCLUSION][key] = {"note": row.note}
        else:
            found[row.model_id][EntityType.ASSIGNMENT][key] = {}


async def _names(session: ReadSession, user_ids: Collection[int]) -> Names:
    users = await crm.users_by_id(session, user_ids) if user_ids else {}
    return Names(await models.type_names(session), {key: row.user_name for key, row in users.items()})


async def load_structures(session: ReadSession, model_ids: Collection[int]) -> Mapping[int, Structure]:
    """The structures of models as they are now, by model: eight statements."""
    nodes = await territories.whole_trees(session, model_ids)
    members = await territories.whole_memberships(session, model_ids)
    managers = {row.forecast_manager_id for row in nodes if row.forecast_manager_id is not None}
    names = await _names(session, managers | {row.user_id for row in members})
    found: Found = {model_id: defaultdict(dict) for model_id in model_ids}
    _add_territories(found, nodes, names)
    _add_members(found, members, names)
    _add_rules(found, await rules.whole_rules(session, model_ids), await rules.whole_links(session, model_ids))
    _add_decisions(found, await alignment.whole_decisions(session, model_ids))
    for row in await models.type_priorities(session, model_ids):
        fields = {"priority": row.priority}
        found[row.model_id][EntityType.TYPE_PRIORITY][names.types[row.type_id]] = fields
    return {model_id: dict(made) for model_id, made in found.items()}


async def read_later(session: ReadSession, model_id: int, after: int) -> Sequence[Change]:
    """All changes of a model after a number, in order."""
    changes: list[Change] = []
    while batch := await read_changes(session, model_id, changes[-1].seq if changes else after, BATCH):
        changes += batch
        if len(batch) < BATCH:
            break
    return changes


async def names_in(session: ReadSession, changes: Iterable[Change]) -> Names:
    """What the ids in changes are called."""
    told = {change.draft.before.get("forecast_manager_id") for change in changes}
    return await _names(session, {int(str(user_id)) for user_id in told if user_id is not None})
