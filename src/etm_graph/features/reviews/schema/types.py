"""GraphQL types of reviews and challenges."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

import strawberry
from sqlalchemy import Row

from etm_graph.core.access import Act, Kind
from etm_graph.core.lifecycle import GROUP_OF
from etm_graph.features.crm.schema.types import Account, User, load_accounts, load_users
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.features.reviews import queries
from etm_graph.features.reviews.service import Verdict
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs, open_to_callers
from etm_graph.graphql.enums import describe
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import encode_id
from etm_graph.graphql.scalars import BigInt

describe(
    Verdict,
    "What a reviewer says of a draft.",
    {
        "APPROVED": "It may be activated as it was when this was said.",
        "CHANGES_REQUESTED": "It should be changed first; blocks activation while the structure stays the same.",
    },
    name="ReviewVerdict",
)


@strawberry.type(description="What one reviewer said of a draft.")
class ReviewDecision:
    """A row of review_decision."""

    user_key: strawberry.Private[int]
    verdict: Verdict = strawberry.field(description="What it comes to.")
    comment: str | None = strawberry.field(description="What was said with it, as Markdown.")
    at: datetime = strawberry.field(description="When.")
    structure_head: BigInt = strawberry.field(description="The structure that was seen.")
    is_stale: bool = strawberry.field(description="Whether the structure changed since, so that it no longer counts.")
    user: User | None = batched(
        lambda parents, context: load_users([parent.user_key for parent in parents], context),
        description="Who said it.",
    )


async def _reviewers(reviews: "Sequence[Review]", context: Context) -> list[list[User]]:
    ids = [user_id for review in reviews for user_id in review.reviewer_keys]
    users = dict(zip(ids, await load_users(ids, context), strict=True))
    return [[user for user_id in review.reviewer_keys if (user := users[user_id]) is not None] for review in reviews]


async def _decisions(reviews: "Sequence[Review]", context: Context) -> list[list[ReviewDecision]]:
    found = await queries.decisions_of(await context.session(), {review.key for review in reviews})
    return [
        [
            ReviewDecision(
                user_key=row.user_id,
                verdict=Verdict(row.verdict),
                comment=row.comment,
                at=row.at,
                structure_head=BigInt(row.structure_head),
                is_stale=row.structure_head != review.present_head,
            )
            for row in found.get(review.key, ())
        ]
        for review in reviews
    ]


@strawberry.type(description="A request that people look at a draft.")
@needs(Act.READ, Kind.REVIEW)
class Review:
    """A row of review."""

    key: strawberry.Private[int]
    requester_key: strawberry.Private[int]
    reviewer_keys: strawberry.Private[list[int]]
    present_head: strawberry.Private[int]
    id: strawberry.ID = strawberry.field(description="Names it in reviewDecide and reviewClose.")
    note: str | None = strawberry.field(description="What was asked, as Markdown.")
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    structure_head: BigInt = strawberry.field(description="The structure as it was then.")
    is_open: bool = strawberry.field(description="Whether it can be decided.")
    requested_by: User | None = batched(
        lambda parents, context: load_users([parent.requester_key for parent in parents], context),
        description="Who asked.",
    )
    reviewers: list[User] = batched(_reviewers, description="Who was asked.")
    decisions: list[ReviewDecision] = batched(_decisions, description="What was said, oldest first.")

    @classmethod
    def of(cls, row: Row[Any], present_head: int) -> Self:
        """The review of a row, seen at a structure head."""
        return cls(
            key=row.id,
            requester_key=row.requested_by,
            reviewer_keys=list(row.reviewer_ids),
            present_head=present_head,
            id=encode_id("Review", row.id),
            note=row.note,
            requested_at=row.requested_at,
            structure_head=BigInt(row.structure_head),
            is_open=row.closed_at is None,
        )


@strawberry.type(description="A request of somebody whom a draft concerns for another outcome of an account.")
@open_to_callers("everybody reads the challenges that they filed; those of a model need read review")
class Challenge:
    """A row of challenge."""

    key: strawberry.Private[int]
    model_key: strawberry.Private[int]
    account_key: strawberry.Private[int]
    filer_key: strawberry.Private[int]
    id: strawberry.ID = strawberry.field(description="Names it in challengeAccept and challengeDecline.")
    reason: str = strawberry.field(description="Why it should be otherwise.")
    wanted: str | None = strawberry.field(description="Developer name of the territory that it should be in.")
    state: str = strawberry.field(description="OPEN, ACCEPTED or DECLINED.")
    filed_at: datetime = strawberry.field(description="When it was filed.")
    decided_at: datetime | None = strawberry.field(description="When it was decided; null while it is open.")
    answer: str | None = strawberry.field(description="What was said with the decision.")
    change_set: strawberry.ID | None = strawberry.field(description="The change set of the draft that settled it.")
    filed_by: User | None = batched(
        lambda parents, context: load_users([parent.filer_key for parent in parents], context),
        description="Who filed it.",
    )
    account: Account | None = batched(
        lambda parents, context: load_accounts([parent.account_key for parent in parents], context),
        description="The account, when you may read it.",
    )
    model: TerritoryModel | None = batched(
        lambda parents, context: load_models([parent.model_key for parent in parents], context),
        description="The draft, when you may read it.",
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The challenge of a row."""
        return cls(
            key=row.id,
            model_key=row.model_id,
            account_key=row.account_id,
            filer_key=row.filed_by,
            id=encode_id("Challenge", row.id),
            reason=row.reason,
            wanted=row.wanted,
            state=row.state,
            filed_at=row.filed_at,
            decided_at=row.decided_at,
            answer=row.answer,
            change_set=None if row.change_set is None else strawberry.ID(str(row.change_set)),
        )


def _readable(models: Sequence[TerritoryModel], context: Context) -> set[int]:
    """The models whose reviews the caller may read."""
    return {
        model.key
        for model in models
        if context.viewer.may(
            Act.READ,
            Kind.REVIEW,
            state=GROUP_OF[model.model_state],
            model_id=model.key,
            own=model.creator_key == context.principal.user_id,
        )
    }


@needs(Act.READ, Kind.REVIEW)
async def _reviews(models: Sequence[TerritoryModel], context: Context) -> list[list[Review]]:
    found = await queries.reviews_of(await context.session(), _readable(models, context))
    return [[Review.of(row, model.structure_head) for row in found.get(model.key, ())] for model in models]


@needs(Act.READ, Kind.REVIEW)
async def _challenges(models: Sequence[TerritoryModel], context: Context) -> list[list[Challenge]]:
    found = await queries.challenges_of(await context.session(), _readable(models, context))
    return [[Challenge.of(row) for row in found.get(model.key, ())] for model in models]


extend(TerritoryModel, "reviews", list[Review], batched(_reviews, description="Its reviews, latest first."))
extend(
    TerritoryModel,
    "challenges",
    list[Challenge],
    batched(_challenges, description="What people it concerns ask to be otherwise, latest first."),
)
