"""Merging an edit with what others did meanwhile (docs/domain.md, "Streams, heads and versions")."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from etm_graph.core.changes import Change
from etm_graph.core.errors import Conflict, FieldConflict, Invalid


@dataclass(frozen=True, slots=True)
class Edit:
    """The fields that an edit really changes, before and after."""

    before: Mapping[str, object]
    after: Mapping[str, object]

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not self.after


def merge_edit(
    current: Mapping[str, object],
    wanted: Mapping[str, object],
    *,
    version: int,
    expected_version: int,
    later: Iterable[Change],
) -> Edit:
    """What to write so that `wanted` holds, given the entity's `current` fields.

    later: the entity's changes after `expected_version`, in order; needed only when `version` is above it.
    Fields that nobody else touched are merged; one that is being set to the value it has is no change. Raises `Conflict`
    with base, theirs and yours for every other field changed since, and `Invalid` for a version from the future.
    """
    if expected_version > version:
        raise Invalid(
            f"The expected version {expected_version} is above the entity's version {version}; read it again.",
            field=["expectedVersion"],
        )
    differing = {name: value for name, value in wanted.items() if current[name] != value}
    base: dict[str, object] = {}
    authors: dict[str, object] = {}
    for change in later:
        for name, value in change.draft.before.items():
            base.setdefault(name, value)
            authors[name] = {"userId": change.actor_id, "at": change.at.isoformat(), "sequence": change.seq}
    conflicts = [
        FieldConflict(name, base[name], current[name], value) for name, value in differing.items() if name in base
    ]
    if conflicts:
        names = ", ".join(conflict.field for conflict in conflicts)
        raise Conflict(
            f"Somebody else changed {names} since version {expected_version}; look at their value and decide.",
            field=["expectedVersion"],
            details={"conflicts": conflicts, "by": [authors[conflict.field] for conflict in conflicts]},
        )
    return Edit({name: current[name] for name in differing}, differing)
