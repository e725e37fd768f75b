"""Challenges: people whom a draft in review concerns see their part of it and ask for another outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import Row, insert, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import Invalid, NotFound, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import ReadSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment.service import Engine
from etm_graph.features.crm.queries import accounts_owned_by
from etm_graph.features.editing.service import Operation, apply_change_set
from etm_graph.features.models import service as models
from etm_graph.features.models.queries import active_model_id, model_for_system
from etm_graph.features.reviews.queries import challenge_by_id, has_open_review
from etm_graph.features.reviews.service.reviews import check_note
from etm_graph.features.reviews.tables import challenge
from etm_graph.features.territories.queries import all_nodes

MISSING = "There is no such draft in review that concerns you."


@dataclass(frozen=True, slots=True)
class Effect:
    """What a draft does to one of somebody's own accounts: names of territories now and then."""

    account_id: int
    account: str
    now: tuple[str, ...]
    then: tuple[str, ...]


async def effects_on(session: ReadSession, engine: Engine, model_id: int, user_id: int) -> Sequence[Effect]:
    """What a draft in review does to the accounts that somebody owns, and nothing else of it.

    Raises `NotFound` for what is no draft in review.
    """
    model = await model_for_system(session, model_id)
    if model is None or model.state != ModelState.PLANNING.value or not await has_open_review(session, model_id):
        raise NotFound(MISSING, field=["modelId"])
    own = {row.id: row.name for row in await accounts_owned_by(session, user_id)}
    active = await active_model_id(session)
    then = await _places(session, engine, model_id, own)
    now = {} if active is None else await _places(session, engine, active, own)
    return [
        Effect(account_id, name, now.get(account_id, ()), then.get(account_id, ())) for account_id, name in own.items()
    ]


async def _places(
    session: ReadSession, engine: Engine, model_id: int, accounts: dict[int, str]
) -> dict[int, tuple[str, ...]]:
    model = await model_for_system(session, model_id)
    names = {row.id: row.developer_name for row in await all_nodes(session, model_id)}
    if model is None:
        return {}
    pairs = (await engine.assignments(session, model_id, ModelState(model.state))).pairs
    own = pairs.filter(pl.col("object_id").is_in(list(accounts)))
    found: dict[int, list[str]] = {}
    for account_id, territory_id in own.select("object_id", "territory_id").iter_rows():
        found.setdefault(account_id, []).append(names[territory_id])
    return {account_id: tuple(sorted(territories)) for account_id, territories in found.items()}


async def file_challenge(work: UnitOfWork, model_id: int, account_id: int, wanted: str | None, reason: str) -> int:
    """Ask for another outcome of an account that one owns, of a draft in review; returns the challenge's id.

    wanted: developer name of the territory that it should be in. Raises `NotFound`, `Invalid`.
    """
    model = await models.lock_for_system(work, model_id)
    own = {row.id for row in await accounts_owned_by(work.session, work.principal.user_id)}
    in_review = model.state is ModelState.PLANNING and await has_open_review(work.session, model_id)
    if not in_review or account_id not in own or work.principal.suspended:
        raise NotFound(MISSING, field=["modelId"])
    said = check_note(reason, "reason")
    if said is None:
        raise Invalid("Say why it should be otherwise.", field=["reason"])
    by = work.principal.user_id
    values = {"account_id": account_id, "filed_by": by, "wanted": wanted, "reason": said}
    number = int(
        await work.session.scalar(
            insert(challenge)
            .values(model_id=model_id, filed_at=work.now, state="OPEN", **values)
            .returning(challenge.c.id)
        )
    )
    after = {**values, "state": "OPEN"}
    work.record(model_id, ChangeDraft(EntityType.CHALLENGE, ChangeKind.CREATED, number, str(number), after=after))
    return number


async def _open(work: UnitOfWork, challenge_id: int) -> tuple[models.ModelHead, Row[Any]]:
    found = await challenge_by_id(work.session, challenge_id)
    if found is None:
        raise NotFound("There is no such challenge.", field=["id"])
    try:
        model = await models.lock_model(work, found.model_id)
    except NotFound as error:
        raise NotFound("There is no such challenge.", field=["id"]) from error
    models.require_planning(model)
    models.authorise(work, model, Act.UPDATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    row = await challenge_by_id(work.session, challenge_id)
    if row is None or row.state != "OPEN":
        raise WrongState("The challenge is decided already.", field=["id"])
    return model, row


async def _decide(work: UnitOfWork, row: Row[Any], state: str, answer: str | None) -> None:
    accepted = work.change_set if state == "ACCEPTED" else None
    after = {"state": state, "answer": answer, "filed_by": row.filed_by}
    kind = ChangeKind.RESOLVED
    work.record(
        row.model_id,
        ChangeDraft(EntityType.CHALLENGE, kind, row.id, str(row.id), before={"state": "OPEN"}, after=after),
    )
    values = {"decided_by": work.principal.user_id, "decided_at": work.now, "answer": answer, "change_set": accepted}
    await work.session.execute(update(challenge).where(challenge.c.id == row.id).values(state=state, **values))


async def accept_challenge(
    work: UnitOfWork, challenge_id: int, operations: Sequence[Operation], answer: str | None
) -> int:
    """Settle a challenge by one change set of the draft; returns its id. Raises what the operations raise."""
    model, row = await _open(work, challenge_id)
    await apply_change_set(work, model.id, operations)
    await _decide(work, row, "ACCEPTED", check_note(answer, "answer"))
    return challenge_id


async def decline_challenge(work: UnitOfWork, challenge_id: int, reason: str) -> int:
    """Decline a challenge with a reason; returns its id. Raises `Invalid` without one."""
    _, row = await _open(work, challenge_id)
    said = check_note(reason, "reason")
    if said is None:
        raise Invalid("Say why it stays as it is.", field=["reason"])
    await _decide(work, row, "DECLINED", said)
    return challenge_id
