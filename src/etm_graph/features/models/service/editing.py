"""What every edit inside a model begins and ends with: the lock, the state, the right, the version, the change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, select, update

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import ORGANISATION_PATH, Act, Grant, Kind, Role, StateGroup
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType, logged
from etm_graph.core.edits import merge_edit
from etm_graph.core.errors import Conflict, Invalid, NotFound, WrongState
from etm_graph.core.lifecycle import GROUP_OF, ModelState, require_transition
from etm_graph.events.log import read_changes_since
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models.tables import territory_model
from etm_graph.identity.principal import AuthMethod, Principal


@dataclass(frozen=True, slots=True)
class ModelHead:
    """A locked model: nobody else writes to it until the transaction ends."""

    id: int
    developer_name: str
    name: str
    state: ModelState
    created_by: int | None
    cloned_from_id: int | None
    base_structure_head: int | None
    version: int

    @property
    def group(self) -> StateGroup:
        """The group of its state, as policies see it."""
        return GROUP_OF[self.state]


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A model came into another state, in this transaction."""

    model_id: int
    before: ModelState
    after: ModelState


def viewer_of(work: UnitOfWork) -> Viewer:
    """Who acts in a unit of work."""
    return work.viewer


async def lock_model(work: UnitOfWork, model_id: int, missing: NotFound | None = None) -> ModelHead:
    """Take the model's turn and read its current state. Raises `NotFound` when it is absent or not readable.

    missing: what to raise instead, for what stands in the model: no answer may tell that the model exists.
    """
    model = await lock_for_system(work, model_id)
    own = model.created_by == work.principal.user_id
    if not viewer_of(work).may(Act.READ, Kind.MODEL, state=model.group, model_id=model.id, own=own):
        raise missing or NotFound("There is no such model.")
    return model


async def lock_for_system(work: UnitOfWork, model_id: int) -> ModelHead:
    """Take the model's turn for what follows by itself, whoever caused it. Raises `NotFound` when it is absent."""
    await work.lock_stream(model_id)
    columns = territory_model.c
    row = await work.session.row(
        select(
            columns.id,
            columns.developer_name,
            columns.name,
            columns.state,
            columns.created_by,
            columns.cloned_from_id,
            columns.base_structure_head,
            columns.version,
        ).where(columns.id == model_id)
    )
    if row is None:
        raise NotFound("There is no such model.")
    return ModelHead(
        row.id,
        row.developer_name,
        row.name,
        ModelState(row.state),
        row.created_by,
        row.cloned_from_id,
        row.base_structure_head,
        row.version,
    )


def require_planning(model: ModelHead) -> None:
    """Pass for a draft; raise `WrongState` otherwise (docs/domain.md, "Model states")."""
    if model.state is not ModelState.PLANNING:
        raise WrongState(
            f"{model.name} is {model.state}; its structure can be edited only in PLANNING. Clone it and edit the clone."
        )


def authorise(
    work: UnitOfWork, model: ModelHead, act: Act, kind: Kind, path: str = ORGANISATION_PATH, *, own: bool = False
) -> None:
    """Pass when the principal may do this in the locked model as it is now; raise `Forbidden` otherwise."""
    viewer_of(work).require(act, kind, state=model.group, model_id=model.id, path=path, own=own)


def require_same_version(what: str, version: int, expected_version: int) -> None:
    """For entities outside streams: pass when nobody changed it since; raise `Conflict` otherwise."""
    if version != expected_version:
        raise Conflict(
            f"{what} was changed since version {expected_version}; it is at {version} now, read it again.",
            field=["expectedVersion"],
        )


def require_unchanged(what: str, version: int, expected_version: int, head: int) -> None:
    """For entities of a stream: pass when nothing touched it after the number that the caller saw.

    expected_version: the entity's version, or any later number of the stream up to `head`. Raises `Conflict`, `Invalid`.
    """
    if expected_version > head:
        raise Invalid(
            f"The model is at number {head}; {expected_version} is not reached yet.", field=["expectedVersion"]
        )
    if version > expected_version:
        raise Conflict(
            f"{what} was changed by number {version}, after the {expected_version} that you saw; read it again.",
            field=["expectedVersion"],
        )


async def apply_edit(
    work: UnitOfWork,
    stream_id: int,
    table: Table,
    draft: ChangeDraft,
    row: Row[Any],
    wanted: Mapping[str, object],
    expected_version: int,
) -> bool:
    """Merge, write and record an edit of one entity; False when nothing changes.

    draft: says what the change is about; its before and after are filled in. row: the entity as it is.
    Raises `Conflict` (core/edits.py).
    """
    later = []
    if row.version > expected_version:
        later = list(
            await read_changes_since(work.session, stream_id, draft.entity_type, draft.entity_id, expected_version)
        )
    current = dict(row._mapping)
    edit = merge_edit(current, wanted, version=row.version, expected_version=expected_version, later=later)
    if edit.is_empty:
        return False
    recorded = ChangeDraft(
        draft.entity_type, draft.kind, draft.entity_id, draft.key, draft.path, logged(edit.before), logged(edit.after)
    )
    seq = work.record(stream_id, recorded)
    await work.session.execute(
        update(table).where(table.c.id == draft.entity_id).values(**dict(edit.after), version=seq)
    )
    return True


async def change_state(
    work: UnitOfWork, model: ModelHead, wanted: ModelState, *, reason: str | None = None, **stamps: object
) -> None:
    """Bring a locked model into another state, with the columns that the transition stamps. Raises `WrongState`."""
    require_transition(model.state, wanted)
    seq = work.record(
        model.id,
        ChangeDraft(
            EntityType.MODEL,
            ChangeKind.STATE_CHANGED,
            model.id,
            model.developer_name,
            before={"state": model.state.value},
            after={"state": wanted.value, "state_reason": reason},
        ),
    )
    await work.session.execute(
        update(territory_model)
        .where(territory_model.c.id == model.id)
        .values(state=wanted.value, state_reason=reason, version=seq, **stamps)
    )
    await work.announce(StateChanged(model.id, model.state, wanted))


async def note_reason(work: UnitOfWork, model: ModelHead, reason: str) -> None:
    """Record why something did not happen to a locked model that stays in its state."""
    draft = ChangeDraft(
        EntityType.MODEL, ChangeKind.UPDATED, model.id, model.developer_name, after={"state_reason": reason}
    )
    seq = work.record(model.id, draft)
    await work.session.execute(
        update(territory_model).where(territory_model.c.id == model.id).values(state_reason=reason, version=seq)
    )


async def note_run(work: UnitOfWork, model: ModelHead) -> None:
    """Record that a locked model's assignments were computed, so that readers of its stream look again."""
    draft = ChangeDraft(
        EntityType.MODEL,
        ChangeKind.UPDATED,
        model.id,
        model.developer_name,
        after={"last_run_at": work.now.isoformat()},
    )
    seq = work.record(model.id, draft)
    await work.session.execute(
        update(territory_model).where(territory_model.c.id == model.id).values(last_run_at=work.now, version=seq)
    )


@dataclass(frozen=True, slots=True)
class ModelActivating:
    """Somebody is about to begin to activate a locked draft; whoever has something against it raises."""

    model: ModelHead


def _somebody(user_id: int, grants: tuple[Grant, ...]) -> Principal:
    return Principal(user_id, "", grants, suspended=False, method=AuthMethod.SYSTEM)


def may_as(
    work: UnitOfWork, model: ModelHead, user_id: int, grants: tuple[Grant, ...], act: Act, kind: Kind, path: str
) -> bool:
    """Whether somebody else may do this in the locked model now."""
    viewer = Viewer(work.access, _somebody(user_id, grants), work.now)
    own = model.created_by == user_id
    return viewer.may(act, kind, state=model.group, model_id=model.id, path=path, own=own)


def roles_as(work: UnitOfWork, model: ModelHead, user_id: int, grants: tuple[Grant, ...]) -> frozenset[Role]:
    """The roles that somebody else has for the whole of the locked model now."""
    return work.access.roles_covering(
        _somebody(user_id, grants), Act.APPROVE, Kind.REVIEW, model_id=model.id, path=ORGANISATION_PATH, now=work.now
    )
