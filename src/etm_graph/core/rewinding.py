"""A model's structure as it was: today's with its later changes taken back, the last first.

Changes carry before and after of what they touched, and a deletion the entity whole, so that the log is enough. Accounts,
users and types that are gone from the organisation are gone from the past, too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from etm_graph.core.changes import STRUCTURAL, Change, ChangeKind, EntityType
from etm_graph.core.errors import Invalid
from etm_graph.core.hierarchy import SEPARATOR
from etm_graph.core.structure import CUSTOM, Fields, Structure


@dataclass(frozen=True, slots=True)
class Names:
    """What ids in changes are called in structures: territory types and users."""

    types: Mapping[int, str]
    users: Mapping[int, str]


_NOT_FIELDS = frozenset(
    [
        "id",
        "model_id",
        "developer_name",
        "version",
        "depth",
        "parent_id",
        "territory_id",
        "territory",
        "account_id",
        "user_id",
        "last_run_at",
    ]
)
"""What changes tell beside an entity's fields; a territory's parent is told by its path."""


def parent_of(path: str) -> str | None:
    """The developer name above the last one of a path."""
    names = path.strip(SEPARATOR).split(SEPARATOR)
    return names[-2] if len(names) > 1 else None


def fields_of(told: Mapping[str, object], names: Names) -> dict[str, object]:
    """What a change tells of an entity, as a structure's fields."""
    found: dict[str, object] = {}
    for name, value in told.items():
        if name == "path":
            found["parent"] = parent_of(str(value))
        elif name == "type_id":
            found["type"] = names.types.get(int(str(value)))
        elif name == "forecast_manager_id":
            found["forecast_manager"] = None if value is None else names.users.get(int(str(value)))
        elif name == "custom":
            found |= {CUSTOM + key: item for key, item in value.items()} if isinstance(value, Mapping) else {}
        elif name not in _NOT_FIELDS:
            found[name] = value
    return found


def _without_replaced(fields: Fields, told: Mapping[str, object]) -> dict[str, object]:
    """Fields that an earlier state may replace: custom values come as a whole."""
    return {name: value for name, value in fields.items() if not ("custom" in told and name.startswith(CUSTOM))}


def rewind(structure: Structure, later: Iterable[Change], names: Names) -> Structure:
    """The structure before `later`, its changes after some number, in order.

    Raises `Invalid` for a deletion that was noted without what was deleted.
    """
    made = {entity_type: dict(entities) for entity_type, entities in structure.items()}
    for change in sorted(later, key=lambda change: change.seq, reverse=True):
        draft = change.draft
        if draft.entity_type not in STRUCTURAL:
            continue
        entities = made.setdefault(draft.entity_type, {})
        if draft.kind is ChangeKind.CREATED:
            entities.pop(draft.key, None)
        elif draft.kind is ChangeKind.DELETED:
            if not draft.before and draft.entity_type in {EntityType.TERRITORY, EntityType.RULE}:
                raise Invalid(
                    f"Change {change.seq} deleted {draft.key} without noting what it was; compare with a later number.",
                    field=["sequence"],
                )
            entities[draft.key] = fields_of(draft.before, names)
        elif draft.key in entities:
            kept = _without_replaced(entities[draft.key], draft.before)
            entities[draft.key] = {**kept, **fields_of(draft.before, names)}
    return made
