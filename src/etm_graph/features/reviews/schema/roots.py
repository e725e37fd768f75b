"""Queries and mutations of reviews and challenges."""

from typing import Annotated

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.features.alignment.service import Engine
from etm_graph.features.crm.schema.types import Account, load_accounts
from etm_graph.features.editing.schema.change_sets import EditOperation, operations_of
from etm_graph.features.models.schema.feed import ChangeEvent, load_change
from etm_graph.features.models.schema.roots import KEY_MEANING
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.features.reviews import queries, service
from etm_graph.features.reviews.schema.types import Challenge, Review
from etm_graph.features.reviews.service import Verdict
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs, open_to_callers
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.mutations import Outcome, UserError, mutate
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]
CONCERNED = "decided by what one owns: a draft in review shows everybody what it does to their own accounts"


@strawberry.type(description="What a draft in review does to one of your own accounts.")
class DraftEffect:
    """An effect."""

    account_key: strawberry.Private[int]
    name: str = strawberry.field(description="The account's name.")
    now: list[str] = strawberry.field(description="Developer names of its territories in the active model.")
    then: list[str] = strawberry.field(description="Developer names of its territories in the draft.")
    account: Account | None = batched(
        lambda parents, context: load_accounts([parent.account_key for parent in parents], context),
        description="The account, when you may read it.",
    )


@strawberry.type
class ReviewQuery:
    """Root fields that read what concerns oneself."""

    @strawberry.field(description="What a draft in review does to the accounts that you own, and nothing else of it.")
    @open_to_callers(CONCERNED)
    async def draft_effects(
        self,
        info: ContextInfo,
        model_id: Annotated[strawberry.ID, strawberry.argument(description="The draft in review.")],
    ) -> list[DraftEffect]:
        """Effects on one's own accounts."""
        context = info.context
        found = await service.effects_on(
            await context.session(),
            context.services.get(Engine),
            decode_id(model_id, "TerritoryModel", field="modelId"),
            context.principal.user_id,
        )
        return [
            DraftEffect(
                account_key=effect.account_id, name=effect.account, now=list(effect.now), then=list(effect.then)
            )
            for effect in found
        ]

    @strawberry.field(description="The challenges that you filed, latest first.")
    @open_to_callers("everybody reads the challenges that they filed")
    async def my_challenges(self, info: ContextInfo) -> list[Challenge]:
        """One's own challenges."""
        rows = await queries.challenges_by(await info.context.session(), info.context.principal.user_id)
        return [Challenge.of(row) for row in rows]


@strawberry.type(description="What a mutation of a review did.")
class ReviewPayload:
    """Review and change, or errors."""

    review: Review | None = strawberry.field(description="The review as it is now.")
    change: ChangeEvent | None = strawberry.field(description="The change that was made.")
    territory_model: TerritoryModel | None = strawberry.field(description="The draft.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="What a mutation of a challenge did.")
class ChallengePayload:
    """Challenge, or errors."""

    challenge: Challenge | None = strawberry.field(description="The challenge as it is now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.input(description="A request for a review.")
class ReviewRequestInput:
    """Input of reviewRequest."""

    model_id: strawberry.ID = strawberry.field(description="The draft.")
    reviewer_ids: list[strawberry.ID] = strawberry.field(description="Who is asked: 1 to 50 users who may approve.")
    note: str | None = strawberry.field(default=None, description="What to look at, as Markdown.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="What you say of a draft.")
class ReviewDecideInput:
    """Input of reviewDecide."""

    id: strawberry.ID = strawberry.field(description="The review.")
    verdict: Verdict = strawberry.field(description="What it comes to.")
    comment: str | None = strawberry.field(
        default=None, description="What you say with it, as Markdown; needed with CHANGES_REQUESTED."
    )
    expected_structure_head: BigInt = strawberry.field(description="The structure that you saw.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Which review to close.")
class ReviewCloseInput:
    """Input of reviewClose."""

    id: strawberry.ID = strawberry.field(description="The review.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="What should be otherwise in a draft.")
class ChallengeFileInput:
    """Input of challengeFile."""

    model_id: strawberry.ID = strawberry.field(description="The draft in review.")
    account_id: strawberry.ID = strawberry.field(description="An account that you own.")
    wanted_territory: str | None = strawberry.field(
        default=None, description="Developer name of the territory that it should be in."
    )
    reason: str = strawberry.field(description="Why.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="How a challenge is settled.")
class ChallengeAcceptInput:
    """Input of challengeAccept."""

    id: strawberry.ID = strawberry.field(description="The challenge.")
    operations: list[EditOperation] = strawberry.field(description="What changes in the draft, as one change set.")
    answer: str | None = strawberry.field(default=None, description="What you say with it.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Why a challenge is declined.")
class ChallengeDeclineInput:
    """Input of challengeDecline."""

    id: strawberry.ID = strawberry.field(description="The challenge.")
    reason: str = strawberry.field(description="Why it stays as it is.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


async def _review_payload(context: Context, outcome: Outcome) -> ReviewPayload:
    change = await load_change(context, outcome.changes)
    row = None if outcome.result is None else await queries.review_by_id(await context.session(), outcome.result)
    model = None if row is None else (await load_models([row.model_id], context))[0]
    found = None if row is None or model is None else Review.of(row, model.structure_head)
    return ReviewPayload(review=found, change=change, territory_model=model, user_errors=outcome.errors)


async def _challenge_payload(context: Context, outcome: Outcome) -> ChallengePayload:
    row = None if outcome.result is None else await queries.challenge_by_id(await context.session(), outcome.result)
    return ChallengePayload(challenge=None if row is None else Challenge.of(row), user_errors=outcome.errors)


@strawberry.type
class ReviewMutation:
    """Root fields that change reviews and challenges."""

    @strawberry.mutation(description="Ask people to review a draft.")
    @needs(Act.CREATE, Kind.REVIEW)
    async def review_request(self, info: ContextInfo, input: ReviewRequestInput) -> ReviewPayload:
        """Request a review."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.request_review(
                work,
                decode_id(input.model_id, "TerritoryModel", field="modelId"),
                [decode_id(one, "User", field="reviewerIds") for one in input.reviewer_ids],
                input.note,
            ),
        )
        return await _review_payload(info.context, outcome)

    @strawberry.mutation(description="Approve a draft as you saw it, or request changes.")
    @needs(Act.APPROVE, Kind.REVIEW)
    async def review_decide(self, info: ContextInfo, input: ReviewDecideInput) -> ReviewPayload:
        """Decide a review."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.decide_review(
                work,
                decode_id(input.id, "Review"),
                Verdict(input.verdict),
                input.comment,
                input.expected_structure_head,
            ),
        )
        return await _review_payload(info.context, outcome)

    @strawberry.mutation(description="End a review; what was said stays and counts.")
    @needs(Act.SUBMIT, Kind.REVIEW)
    async def review_close(self, info: ContextInfo, input: ReviewCloseInput) -> ReviewPayload:
        """Close a review."""
        outcome = await mutate(
            info.context, input, lambda work: service.close_review(work, decode_id(input.id, "Review"))
        )
        return await _review_payload(info.context, outcome)

    @strawberry.mutation(description="Ask for another outcome of an account that you own, of a draft in review.")
    @open_to_callers(CONCERNED)
    async def challenge_file(self, info: ContextInfo, input: ChallengeFileInput) -> ChallengePayload:
        """File a challenge."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.file_challenge(
                work,
                decode_id(input.model_id, "TerritoryModel", field="modelId"),
                decode_id(input.account_id, "Account", field="accountId"),
                input.wanted_territory,
                input.reason,
            ),
        )
        return await _challenge_payload(info.context, outcome)

    @strawberry.mutation(description="Settle a challenge by a change set of the draft, all or none.")
    @needs(Act.UPDATE, Kind.MODEL)
    async def challenge_accept(self, info: ContextInfo, input: ChallengeAcceptInput) -> ChallengePayload:
        """Accept a challenge."""
        engine = info.context.services.get(Engine)
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.accept_challenge(
                work, decode_id(input.id, "Challenge"), operations_of(input.operations, engine), input.answer
            ),
            message=input.answer,
        )
        return await _challenge_payload(info.context, outcome)

    @strawberry.mutation(description="Decline a challenge with a reason; the draft stays as it is.")
    @needs(Act.UPDATE, Kind.MODEL)
    async def challenge_decline(self, info: ContextInfo, input: ChallengeDeclineInput) -> ChallengePayload:
        """Decline a challenge."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.decline_challenge(work, decode_id(input.id, "Challenge"), input.reason),
        )
        return await _challenge_payload(info.context, outcome)
