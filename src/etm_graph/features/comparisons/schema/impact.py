"""GraphQL types of a comparison's effect on accounts, opportunities and people."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Self

import polars as pl
import strawberry
from sqlalchemy import BigInteger, String, column

from etm_graph.analytics.comparing import GAINED, LOST, MOVED, changed
from etm_graph.core.access import Act, Kind
from etm_graph.db.paging import Order
from etm_graph.features.comparisons.schema.frames import connect_frame
from etm_graph.features.comparisons.schema.measures import AmountChange, CountChange, ImpactTotals
from etm_graph.features.comparisons.schema.places import territories_at, territories_in
from etm_graph.features.comparisons.service import Impact
from etm_graph.features.crm import queries as crm
from etm_graph.features.crm.schema.types import (
    Account,
    Opportunity,
    User,
    load_accounts,
    load_opportunities,
    load_users,
)
from etm_graph.features.territories.schema.types import Territory
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needing, needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.pages import After, Before, Connection, First, Last, make_page

BY_PATH = Order("territory impacts", (column("path", String),))
BY_USER = Order("user impacts", (column("user_name", String),))
BY_ACCOUNT = Order("account impacts", (column("object_id", BigInteger),))
BY_OPPORTUNITY = Order("opportunity impacts", (column("opportunity_id", BigInteger),))


class ImpactKind(StrEnum):
    """What happens to an account."""

    GAINED = GAINED
    LOST = LOST
    MOVED = MOVED


describe(
    ImpactKind,
    "What happens to an account.",
    {
        "GAINED": "It has no territory in the base and one in the other.",
        "LOST": "It has a territory in the base and none in the other.",
        "MOVED": "It has territories in both, but not the same ones.",
    },
)

Kinds = Annotated[list[ImpactKind] | None, strawberry.argument(description="Only these; all when left out.")]
OnlyChanged = Annotated[bool, strawberry.argument(description="Whether to leave out those of which nothing changes.")]
OnlyOpen = Annotated[bool, strawberry.argument(description="Whether to leave out won, lost and omitted ones.")]


async def _base_of_territories(items: "Sequence[TerritoryImpact]", context: Context) -> list[Territory | None]:
    return await territories_at([(item.impact.base, item.developer_name) for item in items], context)


async def _other_of_territories(items: "Sequence[TerritoryImpact]", context: Context) -> list[Territory | None]:
    return await territories_at([(item.impact.other, item.developer_name) for item in items], context)


@strawberry.type(description="What happens to one territory, by itself, without those below it.")
@needs(Act.READ, Kind.ASSIGNMENT)
class TerritoryImpact:
    """A place in two standings."""

    impact: strawberry.Private[Impact]
    developer_name: str = strawberry.field(description="Its developerName, the same in both.")
    path: str = strawberry.field(description="Where it is in the other, or was in the base when it is gone.")
    accounts: CountChange = strawberry.field(description="Its accounts.")
    opportunities: CountChange = strawberry.field(description="The opportunities that roll up to it, closed ones too.")
    revenue: AmountChange = strawberry.field(description="Its accounts' revenue a year.")
    pipeline: AmountChange = strawberry.field(description="The open amounts that roll up to it.")
    base_territory: Territory | None = batched(_base_of_territories, description="It in the base; null when it is not.")
    other_territory: Territory | None = batched(
        _other_of_territories, description="It in the other; null when it is not."
    )

    @classmethod
    def of(cls, impact: Impact, row: Mapping[str, Any]) -> Self:
        """The GraphQL form of a row of `Impact.territories`."""
        place = row["place"]
        seen = {
            "before": place in impact.base_view.seen or place not in impact.base_paths,
            "after": place in impact.other_view.seen or place not in impact.other_paths,
        }
        money = {
            "before": seen["before"] and (place in impact.base_view.money or place not in impact.base_paths),
            "after": seen["after"] and (place in impact.other_view.money or place not in impact.other_paths),
        }
        return cls(
            impact=impact,
            developer_name=impact.places.name(place),
            path=row["path"],
            accounts=CountChange.of(row, "accounts", **seen),
            opportunities=CountChange.of(row, "opportunities", **seen),
            revenue=AmountChange.of(row, "revenue", **money),
            pipeline=AmountChange.of(row, "pipeline", **money),
        )


async def _users(items: "Sequence[UserImpact]", context: Context) -> list[User | None]:
    ids = await crm.user_ids(await context.session(), {item.user_name for item in items})
    return await load_users([ids.get(item.user_name) for item in items], context)


@strawberry.type(
    description="What a user can reach through memberships in territories; what is in several counts once."
)
@needs(Act.READ, Kind.MEMBERSHIP)
class UserImpact:
    """A member in two standings."""

    user_name: str = strawberry.field(description="The user's name for signing in.")
    accounts: CountChange = strawberry.field(description="Accounts in the user's territories: access gained and lost.")
    opportunities: CountChange = strawberry.field(description="Opportunities that roll up to the user's territories.")
    revenue: AmountChange = strawberry.field(description="The accounts' revenue a year.")
    pipeline: AmountChange = strawberry.field(description="The open amounts of the opportunities.")
    user: User | None = batched(_users, description="Who it is.")

    @classmethod
    def of(cls, impact: Impact, row: Mapping[str, Any]) -> Self:
        """The GraphQL form of a row of `Impact.users`."""
        return cls(
            user_name=row["user_name"],
            accounts=CountChange.of(row, "accounts", before=True, after=True),
            opportunities=CountChange.of(row, "opportunities", before=True, after=True),
            revenue=AmountChange.of(row, "revenue", before=impact.money, after=impact.money),
            pipeline=AmountChange.of(row, "pipeline", before=impact.money, after=impact.money),
        )


async def _accounts_of(items: "Sequence[AccountImpact]", context: Context) -> list[Account | None]:
    return await load_accounts([item.account_key for item in items], context)


async def _base_of_accounts(items: "Sequence[AccountImpact]", context: Context) -> list[list[Territory]]:
    return await territories_in([[(item.impact.base, name) for name in item.before] for item in items], context)


async def _other_of_accounts(items: "Sequence[AccountImpact]", context: Context) -> list[list[Territory]]:
    return await territories_in([[(item.impact.other, name) for name in item.after] for item in items], context)


@strawberry.type(description="An account whose territories differ, of those that you may read.")
@needs(Act.READ, Kind.ASSIGNMENT)
class AccountImpact:
    """An object in two standings."""

    impact: strawberry.Private[Impact]
    account_key: strawberry.Private[int]
    before: list[str] = strawberry.field(description="developerNames of its territories in the base.")
    after: list[str] = strawberry.field(description="developerNames of its territories in the other.")
    kind: ImpactKind = strawberry.field(description="What happens to it.")
    account: Account | None = batched(_accounts_of, description="The account.")
    base_territories: list[Territory] = batched(_base_of_accounts, description="Its territories in the base.")
    other_territories: list[Territory] = batched(_other_of_accounts, description="Its territories in the other.")

    @classmethod
    def of(cls, impact: Impact, row: Mapping[str, Any]) -> Self:
        """The GraphQL form of a row of `Impact.accounts`."""
        return cls(
            impact=impact,
            account_key=row["object_id"],
            before=sorted(impact.places.name(place) for place in row["before"]),
            after=sorted(impact.places.name(place) for place in row["after"]),
            kind=ImpactKind(row["kind"]),
        )


async def _opportunities_of(items: "Sequence[OpportunityImpact]", context: Context) -> list[Opportunity | None]:
    return await load_opportunities([item.opportunity_key for item in items], context)


async def _base_of_opportunities(items: "Sequence[OpportunityImpact]", context: Context) -> list[Territory | None]:
    return await territories_at([(item.impact.base, item.before) for item in items], context)


async def _other_of_opportunities(items: "Sequence[OpportunityImpact]", context: Context) -> list[Territory | None]:
    return await territories_at([(item.impact.other, item.after) for item in items], context)


@strawberry.type(description="An opportunity that changes hands: it rolls up to another territory, or to none.")
@needs(Act.READ, Kind.ASSIGNMENT)
class OpportunityImpact:
    """An opportunity in two standings."""

    impact: strawberry.Private[Impact]
    opportunity_key: strawberry.Private[int]
    before: str | None = strawberry.field(description="developerName of its territory in the base; null for none.")
    after: str | None = strawberry.field(description="developerName of its territory in the other; null for none.")
    is_open: bool = strawberry.field(description="Whether it is neither won nor lost nor omitted.")
    amount: float | None = strawberry.field(
        description="Its amount in corporate currency; null unless you may see money.",
        metadata=needing(Act.READ_MONEY, Kind.ASSIGNMENT),
    )
    opportunity: Opportunity | None = batched(_opportunities_of, description="The opportunity.")
    base_territory: Territory | None = batched(_base_of_opportunities, description="Its territory in the base.")
    other_territory: Territory | None = batched(_other_of_opportunities, description="Its territory in the other.")

    @classmethod
    def of(cls, impact: Impact, row: Mapping[str, Any]) -> Self:
        """The GraphQL form of a row of `Impact.opportunities`."""

        def name(place: int | None) -> str | None:
            return None if place is None else impact.places.name(place)

        return cls(
            impact=impact,
            opportunity_key=row["opportunity_id"],
            before=name(row["before"]),
            after=name(row["after"]),
            is_open=row["is_open"],
            amount=round(row["amount"], 2) if impact.money else None,
        )


async def _totals(parents: "Sequence[ComparisonImpact]", context: Context) -> list[ImpactTotals]:
    _ = context
    return [ImpactTotals.of(await parent.impact.totals(), money=parent.impact.money) for parent in parents]


async def _territory_impacts(
    parents: "Sequence[ComparisonImpact]",
    context: Context,
    only_changed: OnlyChanged = True,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[TerritoryImpact]]:
    page = make_page(context, first, after, last, before)
    answer = []
    for parent in parents:
        impact = parent.impact
        frame = await impact.territories()
        shown = changed(frame) if only_changed else frame
        answer.append(connect_frame(shown, BY_PATH, page, partial(TerritoryImpact.of, impact)))
    return answer


async def _user_impacts(
    parents: "Sequence[ComparisonImpact]",
    context: Context,
    only_changed: OnlyChanged = True,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[UserImpact]]:
    page = make_page(context, first, after, last, before)
    answer = []
    for parent in parents:
        impact = parent.impact
        frame = await impact.users()
        shown = changed(frame) if only_changed else frame
        answer.append(connect_frame(shown, BY_USER, page, partial(UserImpact.of, impact)))
    return answer


async def _account_impacts(
    parents: "Sequence[ComparisonImpact]",
    context: Context,
    kinds: Kinds = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[AccountImpact]]:
    page = make_page(context, first, after, last, before)
    answer = []
    for parent in parents:
        impact = parent.impact
        frame = await impact.accounts()
        if kinds is not None:
            frame = frame.filter(pl.col("kind").is_in([ImpactKind(kind).value for kind in kinds]))
        answer.append(connect_frame(frame, BY_ACCOUNT, page, partial(AccountImpact.of, impact)))
    return answer


async def _opportunity_impacts(
    parents: "Sequence[ComparisonImpact]",
    context: Context,
    only_open: OnlyOpen = False,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[OpportunityImpact]]:
    page = make_page(context, first, after, last, before)
    answer = []
    for parent in parents:
        impact = parent.impact
        frame = await impact.opportunities()
        if only_open:
            frame = frame.filter("is_open")
        answer.append(connect_frame(frame, BY_OPPORTUNITY, page, partial(OpportunityImpact.of, impact)))
    return answer


@strawberry.type(description="What a comparison does to accounts, opportunities and people, as far as you may see it.")
@needs(Act.READ, Kind.ASSIGNMENT)
class ComparisonImpact:
    """An impact."""

    impact: strawberry.Private[Impact]
    totals: ImpactTotals = batched(_totals, description="All of it in numbers.")
    territories: Connection[TerritoryImpact] = batched(_territory_impacts, description="By territory, in tree order.")
    users: Connection[UserImpact] = batched(_user_impacts, description="By member: who gains or loses access to what.")
    accounts: Connection[AccountImpact] = batched(_account_impacts, description="Accounts gained, lost and moved.")
    opportunities: Connection[OpportunityImpact] = batched(
        _opportunity_impacts, description="Opportunities that change hands."
    )
