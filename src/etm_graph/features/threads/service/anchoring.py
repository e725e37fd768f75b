"""Finding what a thread is to hang on, and what every use case of a thread begins with."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from etm_graph.core.access import ORGANISATION_PATH, Act, Kind
from etm_graph.core.anchors import Anchor, AnchorKind, AnchorPlace
from etm_graph.core.errors import Invalid, NotFound
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_changes_by_number
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models import service as models
from etm_graph.features.threads.tables import thread

BODY_CHARACTERS_MAX = 5_000
SUBJECT_CHARACTERS_MAX = 200

AnchorResolver = Callable[[ReadSession, Collection[Anchor]], Awaitable[Mapping[Anchor, AnchorPlace]]]
"""Finds anchors of one kind, whoever asks; those that are gone are absent."""


@dataclass(frozen=True, slots=True)
class AnchorRegistry:
    """How the anchors of features above are found, by kind; wiring.py fills it.

    Models and their changes need no resolver: threads know them.
    """

    resolvers: Mapping[AnchorKind, AnchorResolver]


def check_body(value: str) -> str:
    """What a comment says, trimmed; raises `Invalid`."""
    return _check_text(value, "comment", "body", BODY_CHARACTERS_MAX)


def check_subject(value: str | None) -> str | None:
    """What a thread is about, trimmed, None when it is blank; raises `Invalid`."""
    if value is None or not value.strip():
        return None
    return _check_text(value, "subject", "subject", SUBJECT_CHARACTERS_MAX)


def _check_text(value: str, what: str, field: str, most: int) -> str:
    trimmed = value.strip()
    if not 0 < len(trimmed) <= most:
        raise Invalid(f"A {what} has 1 to {most} characters; this one has {len(trimmed)}.", field=[field])
    if "\0" in trimmed:
        raise Invalid(f"A {what} must not contain the character NUL.", field=[field])
    return trimmed


async def place_anchor(
    work: UnitOfWork, anchors: AnchorRegistry, anchor: Anchor, model_id: int | None
) -> tuple[models.ModelHead, AnchorPlace]:
    """Lock the model of an anchor and find its place as it is then.

    model_id: the model of a CHANGE, which has no id of its own; of no use otherwise.
    Raises `NotFound` when it is gone or the principal may not read it.
    """
    missing = NotFound(f"There is no such {anchor.kind.value.lower()} to comment on.", field=["anchor"])
    if anchor.kind in {AnchorKind.MODEL, AnchorKind.CHANGE}:
        model = await models.lock_model(work, anchor.id if anchor.kind is AnchorKind.MODEL else model_id or 0)
        place = await _place_in_model(work, model, anchor)
    else:
        resolve = anchors.resolvers.get(anchor.kind)
        found = None if resolve is None else (await resolve(work.session, [anchor])).get(anchor)
        if resolve is None or found is None:
            raise missing
        model = await models.lock_model(work, found.model_id)
        place = (await resolve(work.session, [anchor])).get(anchor)
    if place is None or not _may_read(work, model, place):
        raise missing
    return model, place


async def _place_in_model(work: UnitOfWork, model: models.ModelHead, anchor: Anchor) -> AnchorPlace | None:
    if anchor.kind is AnchorKind.MODEL:
        return AnchorPlace(model.id, None, model.name, Kind.MODEL)
    change = (await read_changes_by_number(work.session, [(model.id, anchor.id)])).get((model.id, anchor.id))
    if change is None:
        return None
    draft = change.draft
    label = f"Change {change.seq}: {draft.kind.value} {draft.entity_type.value} {draft.key}"
    return AnchorPlace(model.id, draft.path, label, Kind.MODEL)


def _may_read(work: UnitOfWork, model: models.ModelHead, place: AnchorPlace) -> bool:
    """Whether the principal, who may read the model, may read the anchor and what is said about it."""
    viewer, path = models.viewer_of(work), place.path or ORGANISATION_PATH
    kinds = {place.kind, Kind.THREAD} - {Kind.MODEL}
    return all(viewer.may(Act.READ, kind, state=model.group, model_id=model.id, path=path) for kind in kinds)


async def locate(work: UnitOfWork, thread_id: int) -> tuple[models.ModelHead, Row[Any]]:
    """Lock the model of a thread and read the thread as it is then. Raises `NotFound`."""
    missing = NotFound("There is no such thread.", field=["id"])
    model_id = await work.session.scalar(select(thread.c.model_id).where(thread.c.id == thread_id))
    if model_id is None:
        raise missing
    model = await models.lock_model(work, model_id, missing)
    row = await work.session.row(select(thread).where(thread.c.id == thread_id))
    if row is None or not models.viewer_of(work).may(
        Act.READ, Kind.THREAD, state=model.group, model_id=model.id, path=row.path or ORGANISATION_PATH
    ):
        raise missing
    return model, row


def authorise(work: UnitOfWork, model: models.ModelHead, row: Row[Any], act: Act, *, own: bool = False) -> None:
    """Pass when the principal may do this in the thread; raise `Forbidden` otherwise."""
    models.authorise(work, model, act, Kind.THREAD, row.path or ORGANISATION_PATH, own=own)


def anchor_of(row: Row[Any]) -> Anchor:
    """What a thread hangs on."""
    return Anchor(AnchorKind(row.anchor_kind), row.anchor_id, row.anchor_part)
