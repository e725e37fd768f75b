"""What the active model has that a draft does not know of: it would be dropped when the draft comes into force."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from etm_graph.core.changes import EntityType
from etm_graph.core.diff import Difference, diff
from etm_graph.core.errors import Conflict
from etm_graph.core.rewinding import rewind
from etm_graph.core.structure import Structure, name_of_territory, paths_of
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_heads
from etm_graph.features.comparisons import queries as comparisons
from etm_graph.features.models.queries import base_of

NAMED = 10
"""Keys that a refusal names."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """One thing that would be dropped.

    difference: what somebody did to the active model. path: where, None for the model.
    """

    difference: Difference
    path: str | None

    @property
    def key(self) -> str:
        """What an acknowledgement names: TYPE:key."""
        return f"{self.difference.entity_type.value}:{self.difference.key}"


async def dropped_by_activation(session: ReadSession, model_id: int, active_id: int | None) -> Sequence[Dropped]:
    """What would be dropped, in order.

    For a draft of the active model: what was changed there since, unless the draft has it the same way. For any other:
    the active model's territories without a namesake.
    """
    if active_id is None:
        return []
    base_id, base_head = await base_of(session, model_id)
    structures = await comparisons.load_structures(session, [model_id, active_id])
    draft, active = structures[model_id], structures[active_id]
    head = (await read_heads(session, [active_id]))[active_id]
    if base_id == active_id and base_head is not None and base_head >= head.floor:
        later = await comparisons.read_later(session, active_id, base_head)
        before = rewind(active, later, await comparisons.names_in(session, later))
        found = [item for item in diff(before, active) if _at(draft, item) != item.after]
    else:
        missing = draft.get(EntityType.TERRITORY, {})
        found = [
            item
            for item in diff({}, {EntityType.TERRITORY: active.get(EntityType.TERRITORY, {})})
            if item.key not in missing
        ]
    paths = paths_of(active)
    return [Dropped(item, paths.get(name_of_territory(item.entity_type, item.key) or "")) for item in found]


def _at(structure: Structure, item: Difference) -> object:
    return structure.get(item.entity_type, {}).get(item.key)


def require_acknowledged(dropped: Sequence[Dropped], acknowledged: Collection[str]) -> None:
    """Pass when the caller named everything that would be dropped; raise `Conflict` naming what was not."""
    silent = [item.key for item in dropped if item.key not in acknowledged]
    if silent:
        more = f" and {len(silent) - NAMED} more" if len(silent) > NAMED else ""
        raise Conflict(
            f"The active model has {len(silent)} changes that this draft does not know: {', '.join(silent[:NAMED])}{more}. "
            "Rebase the draft, or read `preflight { dropped }` and name them all in acknowledgeDropped.",
            field=["acknowledgeDropped"],
        )
