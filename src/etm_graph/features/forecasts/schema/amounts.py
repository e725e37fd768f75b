"""Amounts of a cell: every measure, made when it is asked for."""

from collections.abc import Callable
from decimal import Decimal

import strawberry

from etm_graph.core.access import Act, Kind
from etm_graph.core.money import from_cents
from etm_graph.core.rollup import Measure
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe

describe(
    Measure,
    "An amount that a forecast shows.",
    {
        "PIPELINE": "Category PIPELINE by itself.",
        "BEST_CASE": "Category BEST_CASE by itself.",
        "MOST_LIKELY": "Category MOST_LIKELY by itself.",
        "COMMIT": "Category COMMIT by itself.",
        "CLOSED": "Category CLOSED: won.",
        "OMITTED": "Category OMITTED, for reconciliation only.",
        "OPEN_PIPELINE": "All that is open: pipeline to commit.",
        "BEST_CASE_FORECAST": "Best case and what is surer, won included.",
        "MOST_LIKELY_FORECAST": "Most likely and what is surer, won included.",
        "COMMIT_FORECAST": "Commit and won.",
    },
    name="ForecastMeasure",
)

Cents = Callable[[Measure], int | None]
"""A measure's amount in cents, or quantity in hundredths; None where it is hidden or there is none."""

_MEASURES = {measure.value.lower(): measure for measure in Measure}


@strawberry.type(description="Amounts by category in corporate currency; null for those who may not see money.")
@needs(Act.READ_MONEY, Kind.FORECAST)
class ForecastAmounts:
    """Individual and cumulative amounts.

    The fields hold nothing: each is computed when it is selected, for a grid has many thousands of them.
    """

    pipeline: Decimal | None = strawberry.field(description="Category PIPELINE by itself.")
    best_case: Decimal | None = strawberry.field(description="Category BEST_CASE by itself.")
    most_likely: Decimal | None = strawberry.field(description="Category MOST_LIKELY by itself.")
    commit: Decimal | None = strawberry.field(description="Category COMMIT by itself.")
    closed: Decimal | None = strawberry.field(description="Category CLOSED: won.")
    omitted: Decimal | None = strawberry.field(description="Category OMITTED, for reconciliation only.")
    open_pipeline: Decimal | None = strawberry.field(description="All that is open: pipeline to commit.")
    best_case_forecast: Decimal | None = strawberry.field(description="Best case and what is surer, won included.")
    most_likely_forecast: Decimal | None = strawberry.field(description="Most likely and what is surer, won included.")
    commit_forecast: Decimal | None = strawberry.field(description="Commit and won.")

    @staticmethod
    def of(cents: Cents) -> "ForecastAmounts":
        """The amounts that a function gives."""
        made = object.__new__(ForecastAmounts)
        made.__dict__["_cents"] = cents
        return made

    def __getattr__(self, name: str) -> Decimal | None:
        measure = _MEASURES.get(name)
        if measure is None:
            raise AttributeError(name)
        cents: Cents = self.__dict__["_cents"]
        found = cents(measure)
        return None if found is None else from_cents(found)
