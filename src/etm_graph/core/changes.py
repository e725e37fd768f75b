"""A change: one entry of a stream (docs/domain.md, "Streams, heads and versions")."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

CRM_STREAM = 0
"""The id of the stream that carries changes of accounts, opportunities and users; a model's stream has the model's id."""


ACCESS_STREAM = -1
"""The id of the stream that carries changes of grants and API keys; processes watch it to forget who was let in."""


class EntityType(StrEnum):
    """What a change is about."""

    MODEL = "MODEL"
    TYPE_PRIORITY = "TYPE_PRIORITY"
    TERRITORY = "TERRITORY"
    RULE = "RULE"
    RULE_LINK = "RULE_LINK"
    MEMBERSHIP = "MEMBERSHIP"
    ASSIGNMENT = "ASSIGNMENT"
    EXCLUSION = "EXCLUSION"
    THREAD = "THREAD"
    COMMENT = "COMMENT"
    REACTION = "REACTION"
    REVIEW = "REVIEW"
    CHALLENGE = "CHALLENGE"
    ACCOUNT = "ACCOUNT"
    OPPORTUNITY = "OPPORTUNITY"
    USER = "USER"
    QUOTA = "QUOTA"
    ADJUSTMENT = "ADJUSTMENT"
    SUBMISSION = "SUBMISSION"
    GRANT = "GRANT"
    API_KEY = "API_KEY"
    NOTIFICATION = "NOTIFICATION"


class ChangeKind(StrEnum):
    """What happened to it."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    MOVED = "MOVED"
    DELETED = "DELETED"
    STATE_CHANGED = "STATE_CHANGED"
    RESOLVED = "RESOLVED"
    REOPENED = "REOPENED"
    IMPORTED = "IMPORTED"


STRUCTURAL = frozenset(
    {
        EntityType.TERRITORY,
        EntityType.RULE,
        EntityType.RULE_LINK,
        EntityType.TYPE_PRIORITY,
        EntityType.MEMBERSHIP,
        EntityType.ASSIGNMENT,
        EntityType.EXCLUSION,
    }
)
"""Entities whose changes move a model's `structureHead`."""

DISCUSSION = frozenset({EntityType.THREAD, EntityType.COMMENT, EntityType.REACTION})
"""Entities whose changes are the events of threads."""


@dataclass(frozen=True, slots=True)
class ChangeDraft:
    """A change before it has a number.

    key: the name that survives cloning (developerName, or parts joined by "/").
    path: the path of the territory that it belongs to, or None for the model as a whole; access is decided by it.
    before, after: the fields that changed, with JSON values; `before` is empty for a creation, `after` for a deletion.
    """

    entity_type: EntityType
    kind: ChangeKind
    entity_id: int
    key: str
    path: str | None = None
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """A change as the stream holds it.

    seq: consecutive in its stream, from 1.
    change_set: the edit that it was made by; changes of one edit stand together.
    actor_id: the user who made it, None for the system.
    undoes: the change set that it takes back, None for others.
    """

    stream_id: int
    seq: int
    change_set: UUID
    at: datetime
    actor_id: int | None
    message: str | None
    draft: ChangeDraft
    undoes: UUID | None = None


def logged(row: Mapping[Any, Any], without: Collection[str] = ()) -> dict[str, object]:
    """A row's columns as a change carries them: JSON values, all columns but those that the log says otherwise."""
    return {name: _json(value) for name, value in row.items() if name not in _IMPLIED and name not in without}


_IMPLIED = frozenset({"id", "model_id", "developer_name", "depth", "version"})
"""Columns that a change's entity, key, stream and number say, or that follow from others."""


def _json(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
