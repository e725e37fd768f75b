"""The states of a territory model and the transitions between them (docs/domain.md, "Model states")."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from etm_graph.core.access import StateGroup
from etm_graph.core.errors import WrongState


class ModelState(StrEnum):
    """Where a territory model is in its life."""

    PLANNING = "PLANNING"
    CLONING = "CLONING"
    CLONING_FAILED = "CLONING_FAILED"
    ACTIVATING = "ACTIVATING"
    ACTIVATING_FAILED = "ACTIVATING_FAILED"
    ACTIVE = "ACTIVE"
    ARCHIVING = "ARCHIVING"
    ARCHIVING_FAILED = "ARCHIVING_FAILED"
    ARCHIVED = "ARCHIVED"
    DELETING = "DELETING"
    DELETING_FAILED = "DELETING_FAILED"


GROUP_OF: Mapping[ModelState, StateGroup] = MappingProxyType(
    {
        state: {
            ModelState.PLANNING: StateGroup.PLANNING,
            ModelState.ACTIVE: StateGroup.ACTIVE,
            ModelState.ARCHIVED: StateGroup.ARCHIVED,
        }.get(state, StateGroup.TRANSITION)
        for state in ModelState
    }
)
"""The group under which policies see each state."""

STATES_IN: Mapping[StateGroup, tuple[ModelState, ...]] = MappingProxyType(
    {group: tuple(state for state in ModelState if GROUP_OF[state] is group) for group in StateGroup}
)
"""The states of each group, the inverse of `GROUP_OF`."""

TRANSITIONS: Mapping[ModelState, frozenset[ModelState]] = MappingProxyType(
    {
        ModelState.CLONING: frozenset({ModelState.PLANNING, ModelState.CLONING_FAILED}),
        ModelState.CLONING_FAILED: frozenset({ModelState.CLONING, ModelState.DELETING}),
        ModelState.PLANNING: frozenset({ModelState.ACTIVATING, ModelState.DELETING}),
        ModelState.ACTIVATING: frozenset({ModelState.ACTIVE, ModelState.ACTIVATING_FAILED, ModelState.PLANNING}),
        ModelState.ACTIVATING_FAILED: frozenset({ModelState.ACTIVATING, ModelState.PLANNING}),
        ModelState.ACTIVE: frozenset({ModelState.ARCHIVING, ModelState.ARCHIVED}),
        ModelState.ARCHIVING: frozenset({ModelState.ARCHIVED, ModelState.ARCHIVING_FAILED, ModelState.ACTIVE}),
        ModelState.ARCHIVING_FAILED: frozenset({ModelState.ARCHIVING, ModelState.ACTIVE}),
        ModelState.ARCHIVED: frozenset({ModelState.ACTIVE}),
        ModelState.DELETING: frozenset({ModelState.DELETING_FAILED, ModelState.PLANNING, ModelState.CLONING_FAILED}),
        ModelState.DELETING_FAILED: frozenset({ModelState.DELETING, ModelState.PLANNING, ModelState.CLONING_FAILED}),
    }
)
"""Where a model can go from each state. A cancelled transition goes back to where it began."""


def require_transition(current: ModelState, wanted: ModelState) -> None:
    """Pass when a model in `current` may go to `wanted`; raise `WrongState` naming what is possible otherwise."""
    allowed = TRANSITIONS[current]
    if wanted not in allowed:
        possible = ", ".join(sorted(allowed)) or "nothing"
        raise WrongState(f"A model that is {current} cannot become {wanted}; from here it can become: {possible}.")
