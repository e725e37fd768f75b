"""Comparing two models, or a model with an earlier time of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from etm_graph.access.viewer import Viewer
from etm_graph.core.changes import CRM_STREAM
from etm_graph.core.diff import Difference, diff
from etm_graph.core.errors import Invalid, NotFound
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.core.rewinding import rewind
from etm_graph.core.structure import Structure, paths_of
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import StreamHead, read_heads
from etm_graph.features.comparisons import queries
from etm_graph.features.comparisons.service.visibility import visible_structure
from etm_graph.features.models import queries as models


@dataclass(frozen=True, slots=True)
class Comparand:
    """What is to be compared: a model as it is, or as it was just after a change of its own."""

    model_id: int
    sequence: int | None = None


@dataclass(frozen=True)
class Side:
    """One of the two that are compared.

    structure: as the viewer may read it. whole: all of it. sequence: the number of the model's change that it reflects.
    is_past: whether it is not the model as it is now.
    """

    model_id: int
    state: ModelState
    whole: Structure
    structure: Structure
    sequence: int
    is_past: bool

    @cached_property
    def paths(self) -> Mapping[str, str]:
        """The path of every territory, by developer name."""
        return paths_of(self.whole)


@dataclass(frozen=True)
class Comparison:
    """Two structures as one viewer may read them. crm_sequence: the number of the CRM's change that both reflect."""

    base: Side
    other: Side
    crm_sequence: int

    @cached_property
    def differences(self) -> Sequence[Difference]:
        """What makes the other of the base, by type and key."""
        return diff(self.base.structure, self.other.structure)


def _check(comparand: Comparand, head: StreamHead, field: str) -> None:
    sequence = comparand.sequence
    if sequence is None:
        return
    if sequence > head.head:
        raise Invalid(f"The model is at change {head.head}; {sequence} has not been made.", field=[field, "sequence"])
    if sequence < max(head.floor, 1):
        raise Invalid(
            f"Changes up to {max(head.floor, 1)} are not kept one by one; ask for a later sequence than {sequence}.",
            field=[field, "sequence"],
        )


async def _at(session: ReadSession, structure: Structure, comparand: Comparand, head: StreamHead) -> Structure:
    if comparand.sequence is None or comparand.sequence >= head.structure_head:
        return structure
    later = await queries.read_later(session, comparand.model_id, comparand.sequence)
    return rewind(structure, later, await queries.names_in(session, later))


async def compare(session: ReadSession, viewer: Viewer, base: Comparand, other: Comparand) -> Comparison:
    """Put two side by side, as the viewer may read them.

    Raises `NotFound` for a model that the viewer may not read, `Invalid` for a sequence that cannot be gone back to.
    """
    wanted = {"base": base, "other": other}
    ids = {comparand.model_id for comparand in wanted.values()}
    rows = await models.models_by_id(session, viewer, ids)
    for field, comparand in wanted.items():
        if comparand.model_id not in rows:
            raise NotFound("There is no such model.", field=[field, "modelId"])
    heads = await read_heads(session, [*ids, CRM_STREAM])
    for field, comparand in wanted.items():
        _check(comparand, heads[comparand.model_id], field)
    structures = await queries.load_structures(session, ids)
    sides = []
    for comparand in wanted.values():
        head, state = heads[comparand.model_id], ModelState(rows[comparand.model_id].state)
        whole = await _at(session, structures[comparand.model_id], comparand, head)
        seen = visible_structure(viewer, whole, model_id=comparand.model_id, state=GROUP_OF[state])
        sequence = head.head if comparand.sequence is None else comparand.sequence
        is_past = whole is not structures[comparand.model_id]
        sides.append(Side(comparand.model_id, state, whole, seen, sequence, is_past))
    return Comparison(sides[0], sides[1], heads[CRM_STREAM].head)
