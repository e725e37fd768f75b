"""Asking for reviews, deciding them, and what activation needs of them."""

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import insert, update

from etm_graph.access.grants import load_grants_of
from etm_graph.core.access import ORGANISATION_PATH, Act, Kind
from etm_graph.core.approvals import Approval, ApprovalPolicy, missing
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import Conflict, Invalid, NotFound, WrongState
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import users_by_id
from etm_graph.features.models import service as models
from etm_graph.features.reviews.queries import latest_decisions, review_by_id
from etm_graph.features.reviews.tables import review, review_decision

REVIEWERS_MAX = 50
NOTE_CHARACTERS_MAX = 5_000


class Verdict(StrEnum):
    """What a reviewer says."""

    APPROVED = "APPROVED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"


def check_note(value: str | None, field: str) -> str | None:
    """What somebody says with it, trimmed; raises `Invalid`."""
    trimmed = (value or "").strip()
    if len(trimmed) > NOTE_CHARACTERS_MAX:
        raise Invalid(f"At most {NOTE_CHARACTERS_MAX} characters.", field=[field])
    return trimmed or None


async def request_review(work: UnitOfWork, model_id: int, reviewer_ids: Sequence[int], note: str | None) -> int:
    """Ask people to review a draft as it is; returns the review's id. Raises `NotFound`, `Invalid`, `Forbidden`."""
    model = await models.lock_model(work, model_id)
    models.require_planning(model)
    models.authorise(work, model, Act.CREATE, Kind.REVIEW)
    asked = list(dict.fromkeys(reviewer_ids))
    if not 0 < len(asked) <= REVIEWERS_MAX:
        raise Invalid(f"A review has 1 to {REVIEWERS_MAX} reviewers.", field=["reviewerIds"])
    users = await users_by_id(work.session, asked)
    grants = await load_grants_of(work.session, asked)
    for user_id in asked:
        user = users.get(user_id)
        if user is None or not models.may_as(
            work, model, user_id, grants.get(user_id, ()), Act.APPROVE, Kind.REVIEW, ORGANISATION_PATH
        ):
            name = "somebody" if user is None else user.name
            raise Invalid(f"{name} may not approve drafts; ask somebody else.", field=["reviewerIds"])
    head = work.heads[model_id].structure_head
    said = check_note(note, "note")
    values = {"requested_by": work.principal.user_id, "structure_head": head, "note": said, "reviewer_ids": asked}
    number = int(
        await work.session.scalar(
            insert(review).values(model_id=model_id, requested_at=work.now, **values).returning(review.c.id)
        )
    )
    work.record(model_id, ChangeDraft(EntityType.REVIEW, ChangeKind.CREATED, number, str(number), after=values))
    return number


async def decide_review(
    work: UnitOfWork, review_id: int, verdict: Verdict, comment: str | None, expected_structure_head: int
) -> int:
    """Approve a draft as one saw it, or request changes; returns the review's id.

    Raises `Conflict` when the structure changed since `expected_structure_head`, `NotFound`, `WrongState`, `Forbidden`.
    """
    found = await review_by_id(work.session, review_id)
    if found is None:
        raise NotFound("There is no such review.", field=["id"])
    model = await models.lock_model(work, found.model_id)
    models.require_planning(model)
    models.authorise(work, model, Act.APPROVE, Kind.REVIEW)
    row = await review_by_id(work.session, review_id)
    if row is None or row.closed_at is not None:
        raise WrongState("The review is closed; ask for a new one.", field=["id"])
    head = work.heads[model.id].structure_head
    if head != expected_structure_head:
        raise Conflict(
            f"The structure is at change {head} by now, not {expected_structure_head}; look at what changed first.",
            field=["expectedStructureHead"],
        )
    said = check_note(comment, "comment")
    if verdict is Verdict.CHANGES_REQUESTED and said is None:
        raise Invalid("Say which changes you request.", field=["comment"])
    values = {"user_id": work.principal.user_id, "verdict": verdict.value, "comment": said, "structure_head": head}
    await work.session.execute(
        insert(review_decision).values(review_id=review_id, model_id=model.id, at=work.now, **values)
    )
    after = {**values, "requested_by": row.requested_by}
    work.record(model.id, ChangeDraft(EntityType.REVIEW, ChangeKind.UPDATED, review_id, str(review_id), after=after))
    return review_id


async def close_review(work: UnitOfWork, review_id: int) -> int:
    """End a review; its decisions stay and count. Returns its id. Raises `NotFound`, `Forbidden`."""
    found = await review_by_id(work.session, review_id)
    if found is None:
        raise NotFound("There is no such review.", field=["id"])
    model = await models.lock_model(work, found.model_id)
    models.authorise(work, model, Act.SUBMIT, Kind.REVIEW)
    if found.closed_at is None:
        after = {"closed_at": work.now.isoformat()}
        draft = ChangeDraft(
            EntityType.REVIEW, ChangeKind.RESOLVED, review_id, str(review_id), before={"closed_at": None}, after=after
        )
        work.record(model.id, draft)
        await work.session.execute(update(review).where(review.c.id == review_id).values(closed_at=work.now))
    return review_id


async def require_approved(work: UnitOfWork, model: models.ModelHead, policy: ApprovalPolicy) -> None:
    """Pass for a locked draft that the approval policy lets the principal activate; raise `WrongState` otherwise."""
    decisions = await latest_decisions(work.session, model.id)
    grants = await load_grants_of(work.session, [row.user_id for row in decisions])
    approvals = [
        Approval(
            row.user_id,
            row.verdict == Verdict.APPROVED.value,
            row.structure_head,
            models.roles_as(work, model, row.user_id, grants.get(row.user_id, ())),
        )
        for row in decisions
    ]
    left = missing(
        policy,
        approvals,
        structure_head=work.heads[model.id].structure_head,
        owner_id=model.created_by,
        actor_id=work.principal.user_id,
    )
    if left:
        raise WrongState(f"{model.name} cannot be activated yet: {'; '.join(left)} (policies/approvals.toml).")
