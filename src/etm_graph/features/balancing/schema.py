"""Balance in GraphQL."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Annotated

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.balance import Evenness
from etm_graph.core.errors import LimitExceeded, NotFound
from etm_graph.core.money import from_cents
from etm_graph.features.alignment.service import Engine
from etm_graph.features.balancing import service
from etm_graph.features.balancing.service import MEASURES, Balance, MoveWish
from etm_graph.features.crm.schema.inputs import KEY
from etm_graph.features.crm.schema.types import Account, User, load_accounts, load_users
from etm_graph.features.models.schema.feed import ChangeEvent, load_change
from etm_graph.features.reports.schema.running import ModelId, sources_of
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needing, needs
from etm_graph.graphql.ids import decode_id, decode_optional_id
from etm_graph.graphql.mutations import UserError, mutate

ContextInfo = Info[Context, None]
MONEY = needing(Act.READ_MONEY, Kind.REPORT)
PLACES = Decimal("0.0001")
MOMENTS_MAX = 60


def _four(value: Fraction | float) -> Decimal:
    exact = Fraction(value)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(PLACES, ROUND_HALF_EVEN)


@strawberry.type(description="How evenly something is shared; 0 deviation, variation and Gini is perfectly.")
@needs(Act.READ_MONEY, Kind.REPORT)
class BalanceMeasures:
    """The measures of one distribution."""

    count: int = strawberry.field(description="Over how many territories or people.")
    max_deviation: Decimal = strawberry.field(description="Largest deviation from the mean, as a part of it.")
    variation: Decimal = strawberry.field(description="Coefficient of variation.")
    gini: Decimal = strawberry.field(description="Gini coefficient.")
    max_min: Decimal | None = strawberry.field(description="Largest by smallest; null when the smallest is 0.")
    within10: Decimal = strawberry.field(description="Percent of them within ±10 % of the mean.")
    within15: Decimal = strawberry.field(description="Percent of them within ±15 % of the mean.")
    within20: Decimal = strawberry.field(description="Percent of them within ±20 % of the mean.")

    @classmethod
    def of(cls, found: Evenness) -> "BalanceMeasures":
        """The GraphQL form."""
        return cls(
            count=found.count,
            max_deviation=_four(found.max_deviation),
            variation=_four(found.variation),
            gini=_four(found.gini),
            max_min=None if found.max_min is None else _four(found.max_min),
            within10=_four(found.within[10]),
            within15=_four(found.within[15]),
            within20=_four(found.within[20]),
        )


@strawberry.type(description="What a territory has, and how that compares.")
@needs(Act.READ_MONEY, Kind.REPORT)
class TerritoryBalance:
    """One territory in which work is done."""

    territory_key: strawberry.Private[int]
    path: str = strawberry.field(description="Where it is.")
    accounts: int = strawberry.field(description="How many accounts.")
    revenue: Decimal = strawberry.field(description="Their annual revenue.")
    pipeline: Decimal = strawberry.field(description="Open pipeline.")
    effort: Decimal = strawberry.field(description="Effort of its accounts.")
    quota: Decimal = strawberry.field(description="Its quotas.")
    index: Decimal = strawberry.field(description="Workload index; the mean is 1.")
    deviation: Decimal = strawberry.field(description="The index less 1: above 0 overloaded, below underloaded.")
    territory: Territory | None = batched(
        lambda items, context: load_territories([item.territory_key for item in items], context),
        description="The territory.",
    )


@strawberry.type(description="A person's share of the work.")
@needs(Act.READ_MONEY, Kind.REPORT)
class PersonBalance:
    """One person; a territory's index is shared equally by its members."""

    user_key: strawberry.Private[int]
    index: Decimal = strawberry.field(description="The person's workload index.")
    deviation: Decimal = strawberry.field(description="By how much it is off the mean of people, as a part of it.")
    user: User | None = batched(
        lambda items, context: load_users([item.user_key for item in items], context), description="The person."
    )


@strawberry.type(description="How evenly a model shares work among the territories that you may see.")
@needs(Act.READ_MONEY, Kind.REPORT)
class ModelBalance:
    """A balance."""

    potential: BalanceMeasures = strawberry.field(description="Of the workload index of territories.")
    quota: BalanceMeasures = strawberry.field(description="Of their quotas.")
    by_person: BalanceMeasures = strawberry.field(description="Of the workload index of people.")
    territories: list[TerritoryBalance] = strawberry.field(description="By path.")
    people: list[PersonBalance] = strawberry.field(description="Who has most first.")

    @classmethod
    def of(cls, found: Balance) -> "ModelBalance":
        """The GraphQL form."""
        mean = found.by_person.mean
        people = sorted(found.people.items(), key=lambda item: (-item[1], item[0]))
        return cls(
            potential=BalanceMeasures.of(found.potential),
            quota=BalanceMeasures.of(found.quota),
            by_person=BalanceMeasures.of(found.by_person),
            territories=[
                TerritoryBalance(
                    territory_key=item.id,
                    path=item.path,
                    accounts=int(item.load["accounts"]),
                    revenue=from_cents(int(item.load["revenue"])),
                    pipeline=from_cents(int(item.load["pipeline"])),
                    effort=_four(item.load["effort"] / 10_000),
                    quota=from_cents(int(item.quota)),
                    index=_four(item.index),
                    deviation=_four(item.index - 1) if any(item.load[name] for name in MEASURES) else Decimal(-1),
                )
                for item in found.territories
            ],
            people=[
                PersonBalance(
                    user_key=user, index=_four(value), deviation=_four(value / mean - 1) if mean else Decimal(0)
                )
                for user, value in people
            ],
        )


@strawberry.type(description="An account that another territory could have.")
@needs(Act.READ_MONEY, Kind.REPORT)
class SuggestedMove:
    """One move; send it to balanceApply."""

    account_key: strawberry.Private[int]
    source_key: strawberry.Private[int]
    target_key: strawberry.Private[int]
    max_deviation: Decimal = strawberry.field(description="The largest deviation after this move and those before it.")
    account: Account | None = batched(
        lambda items, context: load_accounts([item.account_key for item in items], context), description="The account."
    )
    source: Territory | None = batched(
        lambda items, context: load_territories([item.source_key for item in items], context),
        description="Where it is.",
    )
    target: Territory | None = batched(
        lambda items, context: load_territories([item.target_key for item in items], context),
        description="Where it would be.",
    )


@strawberry.type(description="How even a model was at a moment.")
@needs(Act.READ_MONEY, Kind.REPORT)
class BalancePoint:
    """A point of a balance's history."""

    at: datetime = strawberry.field(description="The moment.")
    measures: BalanceMeasures = strawberry.field(description="Who was assigned then, at today's amounts.")


@strawberry.input(description="An account to move.")
class BalanceMoveInput:
    """One move."""

    account_id: strawberry.ID = strawberry.field(description="The account.")
    source_id: strawberry.ID = strawberry.field(description="The territory that it is in.")
    target_id: strawberry.ID = strawberry.field(description="The territory that it is to be in.")


@strawberry.input(description="Moves to put into a draft as one change set.")
class BalanceApplyInput:
    """Input of balanceApply."""

    model_id: strawberry.ID = strawberry.field(description="The draft.")
    moves: list[BalanceMoveInput] = strawberry.field(description="At most 200, all or none.")
    message: str | None = strawberry.field(default=None, description="Why; kept with the changes.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="What moving did.")
@needs(Act.READ_MONEY, Kind.REPORT)
class BalancePayload:
    """Balance before and after, or errors."""

    before: BalanceMeasures = strawberry.field(description="The workload index before.")
    after: BalanceMeasures = strawberry.field(description="And after.")
    change: ChangeEvent | None = strawberry.field(description="The last of the changes; they share a change set.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


Within = Annotated[strawberry.ID | None, strawberry.argument(description="Only territories at and below this one.")]


async def _path(context: Context, territory_id: strawberry.ID | None) -> str:
    number = decode_optional_id(territory_id, "Territory", field="territoryId")
    if number is None:
        return "/"
    found = (await load_territories([number], context))[0]
    if found is None:
        raise NotFound("There is no such territory.", field=["territoryId"])
    return found.path


@strawberry.type
class BalanceQuery:
    """Root fields of balance."""

    @strawberry.field(description="How evenly a model, active or draft, shares work.")
    @needs(Act.READ_MONEY, Kind.REPORT)
    async def balance(
        self,
        info: ContextInfo,
        model_id: ModelId = None,
        territory_id: Within = None,
        day: Annotated[
            date | None, strawberry.argument(description="Only quotas of periods with this day; all when left out.")
        ] = None,
    ) -> ModelBalance:
        """Balance."""
        context = info.context
        sources = await sources_of(context, decode_optional_id(model_id, "TerritoryModel", field="modelId"))
        within = await _path(context, territory_id)
        return ModelBalance.of(await service.balance_of(sources, context.viewer, within=within, day=day))

    @strawberry.field(description="Moves of accounts between sister territories that make a model more even.")
    @needs(Act.READ_MONEY, Kind.REPORT)
    async def balance_suggestions(
        self,
        info: ContextInfo,
        model_id: ModelId = None,
        territory_id: Within = None,
        most: Annotated[int, strawberry.argument(description="How many moves, at most 200.")] = 10,
    ) -> list[SuggestedMove]:
        """Suggestions."""
        context = info.context
        sources = await sources_of(context, decode_optional_id(model_id, "TerritoryModel", field="modelId"))
        within = await _path(context, territory_id)
        balance, moves = await service.suggest_moves(sources, context.viewer, within=within, most=most)
        ids = [territory.id for territory in balance.territories]
        return [
            SuggestedMove(
                account_key=move.unit.id,
                source_key=ids[move.unit.place],
                target_key=ids[move.target],
                max_deviation=_four(move.deviation),
            )
            for move in moves
        ]

    @strawberry.field(description="How even a model was at some moments: who was assigned then, at today's amounts.")
    @needs(Act.READ_MONEY, Kind.REPORT)
    async def balance_history(
        self,
        info: ContextInfo,
        moments: Annotated[list[datetime], strawberry.argument(description="At most 60.")],
        model_id: ModelId = None,
    ) -> list[BalancePoint]:
        """History."""
        if not 0 < len(moments) <= MOMENTS_MAX:
            raise LimitExceeded(f"A history has 1 to {MOMENTS_MAX} moments; these are {len(moments)}.")
        context = info.context
        sources = await sources_of(context, decode_optional_id(model_id, "TerritoryModel", field="modelId"))
        found = await service.history(sources, context.viewer, moments)
        told = zip(moments, found, strict=True) if found else ()
        return [BalancePoint(at=at, measures=BalanceMeasures.of(item)) for at, item in told]


def _wishes(moves: Sequence[BalanceMoveInput]) -> list[MoveWish]:
    return [
        MoveWish(
            decode_id(move.account_id, "Account", field="moves"),
            decode_id(move.source_id, "Territory", field="moves"),
            decode_id(move.target_id, "Territory", field="moves"),
        )
        for move in moves
    ]


@strawberry.type
class BalanceMutation:
    """Root fields that even work out."""

    @strawberry.mutation(description="Put moves into a draft as one change set; tells the balance before and after.")
    @needs(Act.CREATE, Kind.ASSIGNMENT)
    async def balance_apply(self, info: ContextInfo, input: BalanceApplyInput) -> BalancePayload:
        """Apply moves."""
        context, number = info.context, decode_id(input.model_id, "TerritoryModel", field="modelId")

        async def potential() -> BalanceMeasures:
            found = await service.balance_of(await sources_of(context, number), context.viewer)
            return BalanceMeasures.of(found.potential)

        before = await potential()
        engine = context.services.get(Engine)
        outcome = await mutate(
            context,
            input,
            lambda work: service.apply_moves(work, engine, number, _wishes(input.moves)),
            message=input.message,
        )
        change = await load_change(context, outcome.changes)
        return BalancePayload(before=before, after=await potential(), change=change, user_errors=outcome.errors)
