"""Numbers of an impact: before, after, and what comes and goes."""

from collections.abc import Mapping
from typing import Any, Self

import strawberry

from etm_graph.analytics.comparing import Totals
from etm_graph.core.access import Act, Kind
from etm_graph.graphql.declaring import needs


@strawberry.type(description="A number of things in the base and in the other, and what comes and goes on the way.")
@needs(Act.READ, Kind.ASSIGNMENT)
class CountChange:
    """How many."""

    before: int | None = strawberry.field(description="In the base; null where you may not read it.")
    after: int | None = strawberry.field(description="In the other; null where you may not read it.")
    gained: int | None = strawberry.field(
        description="In the other and not in the base; null unless you may read both."
    )
    lost: int | None = strawberry.field(description="In the base and not in the other; null unless you may read both.")

    @classmethod
    def of(cls, row: Mapping[str, Any], what: str, *, before: bool, after: bool) -> Self:
        """The measure `what` of a row; before, after: whether each side may be read."""
        both = before and after
        return cls(
            before=row[f"{what}_before"] if before else None,
            after=row[f"{what}_after"] if after else None,
            gained=row[f"{what}_gained"] if both else None,
            lost=row[f"{what}_lost"] if both else None,
        )


@strawberry.type(description="An amount in corporate currency in the base and in the other, and what comes and goes.")
@needs(Act.READ_MONEY, Kind.ASSIGNMENT)
class AmountChange:
    """How much."""

    before: float | None = strawberry.field(description="In the base; null for those who may not see money there.")
    after: float | None = strawberry.field(description="In the other; null for those who may not see money there.")
    gained: float | None = strawberry.field(description="What comes; null unless you may see money in both.")
    lost: float | None = strawberry.field(description="What goes; null unless you may see money in both.")

    @classmethod
    def of(cls, row: Mapping[str, Any], what: str, *, before: bool, after: bool) -> Self:
        """The measure `what` of a row, rounded to cents; before, after: whether money of each side may be seen."""
        both = before and after
        return cls(
            before=round(row[f"{what}_before"], 2) if before else None,
            after=round(row[f"{what}_after"], 2) if after else None,
            gained=round(row[f"{what}_gained"], 2) if both else None,
            lost=round(row[f"{what}_lost"], 2) if both else None,
        )


@strawberry.type(description="What an impact sums up to, of what you may read.")
@needs(Act.READ, Kind.ASSIGNMENT)
class ImpactTotals:
    """Totals."""

    accounts_before: int = strawberry.field(description="Accounts with a territory in the base.")
    accounts_after: int = strawberry.field(description="Accounts with a territory in the other.")
    accounts_gained: int = strawberry.field(description="Accounts that get a territory and had none.")
    accounts_lost: int = strawberry.field(description="Accounts that have none any more.")
    accounts_moved: int = strawberry.field(description="Accounts that have territories in both, but not the same ones.")
    assignments_before: int = strawberry.field(description="Pairs of account and territory in the base.")
    assignments_after: int = strawberry.field(description="Pairs of account and territory in the other.")
    territories_changed: int = strawberry.field(description="Territories that get or lose anything.")
    opportunities_moved: int = strawberry.field(description="Opportunities that roll up to another territory, or none.")
    revenue: "MovedRevenue" = strawberry.field(description="Revenue a year of the accounts that come, go and move.")
    pipeline: "MovedPipeline" = strawberry.field(description="Open amounts that roll up to a territory.")

    @classmethod
    def of(cls, totals: Totals, *, money: bool) -> Self:
        """The GraphQL form; money: whether all amounts may be seen."""

        def show(amount: float) -> float | None:
            return round(amount, 2) if money else None

        return cls(
            accounts_before=totals.accounts_before,
            accounts_after=totals.accounts_after,
            accounts_gained=totals.accounts_gained,
            accounts_lost=totals.accounts_lost,
            accounts_moved=totals.accounts_moved,
            assignments_before=totals.assignments_before,
            assignments_after=totals.assignments_after,
            territories_changed=totals.territories_changed,
            opportunities_moved=totals.opportunities_moved,
            revenue=MovedRevenue(
                gained=show(totals.revenue_gained), lost=show(totals.revenue_lost), moved=show(totals.revenue_moved)
            ),
            pipeline=MovedPipeline(
                before=show(totals.pipeline_before),
                after=show(totals.pipeline_after),
                moved=show(totals.pipeline_moved),
            ),
        )


@strawberry.type(
    description="Revenue a year that an impact moves, in corporate currency; null unless you may see money."
)
@needs(Act.READ_MONEY, Kind.ASSIGNMENT)
class MovedRevenue:
    """Amounts of accounts."""

    gained: float | None = strawberry.field(description="Of accounts that get a territory and had none.")
    lost: float | None = strawberry.field(description="Of accounts that have none any more.")
    moved: float | None = strawberry.field(description="Of accounts that have other territories than before.")


@strawberry.type(
    description="Open pipeline that an impact moves, in corporate currency; null unless you may see money."
)
@needs(Act.READ_MONEY, Kind.ASSIGNMENT)
class MovedPipeline:
    """Amounts of opportunities."""

    before: float | None = strawberry.field(description="With a territory in the base.")
    after: float | None = strawberry.field(description="With a territory in the other.")
    moved: float | None = strawberry.field(description="Of opportunities that change hands.")
