"""What a report is: a small definition over columns and measures that are known, never SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import polars as pl

from etm_graph.core.calendar import PeriodKind, period_of
from etm_graph.core.errors import Invalid, LimitExceeded

FILTERS_MAX, FIELDS_MAX, VALUES_MAX = 20, 20, 1_000


class Subject(StrEnum):
    """What a report is about."""

    COVERAGE = "COVERAGE"
    EFFECTIVENESS = "EFFECTIVENESS"
    ALIGNMENT = "ALIGNMENT"
    HISTORY = "HISTORY"
    BALANCE = "BALANCE"


class Comparison(StrEnum):
    """How a filter compares."""

    EQUALS = "EQUALS"
    NOT_EQUAL = "NOT_EQUAL"
    STARTS_WITH = "STARTS_WITH"
    CONTAINS = "CONTAINS"
    IS_NULL = "IS_NULL"
    FROM = "FROM"
    UNTIL = "UNTIL"


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a dimension; with several values any of them (for NOT_EQUAL none of them)."""

    field: str
    comparison: Comparison
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """A report. bucket: the fiscal periods that the subject's day is put into, as the dimension `period`.

    order_by: a dimension or measure; ties are by the dimensions.
    """

    subject: Subject
    measures: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    bucket: PeriodKind | None = None
    order_by: str | None = None
    descending: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "subject": self.subject.value,
            "measures": list(self.measures),
            "dimensions": list(self.dimensions),
            "filters": [
                {"field": f.field, "comparison": f.comparison.value, "values": list(f.values)} for f in self.filters
            ],
            "bucket": None if self.bucket is None else self.bucket.value,
            "orderBy": self.order_by,
            "descending": self.descending,
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "Definition":
        """What was kept."""
        return cls(
            Subject(kept["subject"]),
            tuple(kept["measures"]),
            tuple(kept["dimensions"]),
            tuple(Filter(f["field"], Comparison(f["comparison"]), tuple(f["values"])) for f in kept["filters"]),
            None if kept["bucket"] is None else PeriodKind(kept["bucket"]),
            kept["orderBy"],
            kept["descending"],
        )


PERIOD = "period"
_ONE = pl.lit(1)


def _count(when: pl.Expr | None = None) -> pl.Expr:
    return pl.len() if when is None else when.sum()


def _cents(column: str, when: pl.Expr | None = None) -> pl.Expr:
    value = pl.col(column) if when is None else pl.col(column).filter(when)
    return value.sum()


_OPEN = ~pl.col("category").is_in(["CLOSED", "OMITTED"])
_WON, _LOST = pl.col("category") == "CLOSED", pl.col("category") == "OMITTED"


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure. kind: count, money (whole cents), ratio (of two further measures, to four places)."""

    kind: str
    expression: pl.Expr | None = None
    ratio: tuple[str, ...] = ()


_ACCOUNT = ("account", "industry", "state", "country", "postal_area", "account_type", "owner")
_PLACE = ("territory", "path", "territory_type")
CATALOGUE: Mapping[Subject, tuple[tuple[str, ...], Mapping[str, Measured]]] = {
    Subject.COVERAGE: (
        (*_ACCOUNT, *_PLACE, "assigned", "has_members", "has_manager"),
        {
            "accounts": Measured("count", pl.col("account_id").n_unique()),
            "assigned_accounts": Measured("count", pl.col("account_id").filter(pl.col("assigned") == "yes").n_unique()),
            "unassigned_accounts": Measured(
                "count", pl.col("account_id").filter(pl.col("assigned") == "no").n_unique()
            ),
            "overlapping_accounts": Measured("count", pl.col("account_id").filter(pl.col("places") > 1).n_unique()),
            "territories": Measured("count", pl.col("path").drop_nulls().n_unique()),
            "revenue": Measured("money", _cents("revenue")),
        },
    ),
    Subject.EFFECTIVENESS: (
        ("owner", "category", "stage", "product_family", *_PLACE),
        {
            "opportunities": Measured("count", pl.col("id").drop_nulls().len()),
            "won": Measured("count", _count(_WON.fill_null(value=False))),
            "lost": Measured("count", _count(_LOST.fill_null(value=False))),
            "win_rate": Measured("ratio", ratio=("won", "won", "lost")),
            "pipeline": Measured("money", _cents("cents", _OPEN)),
            "closed": Measured("money", _cents("cents", _WON)),
            "quota": Measured("money", _cents("quota")),
            "attainment": Measured("ratio", ratio=("closed", "quota")),
        },
    ),
    Subject.ALIGNMENT: (
        ("owner", "category", "stage", "product_family", *_PLACE, "outside"),
        {
            "opportunities": Measured("count", _count()),
            "outside_opportunities": Measured("count", _count(pl.col("outside") == "yes")),
            "outside_amount": Measured("money", _cents("cents", pl.col("outside") == "yes")),
            "amount": Measured("money", _cents("cents")),
        },
    ),
    Subject.HISTORY: (
        ("account", *_PLACE, "cause", "ended"),
        {
            "started": Measured("count", _count()),
            "ended_assignments": Measured("count", _count(pl.col("ended") == "yes")),
            "standing": Measured("count", _count(pl.col("ended") == "no")),
        },
    ),
    Subject.BALANCE: (
        _PLACE,
        {
            "territories": Measured("count", _count()),
            "accounts": Measured("count", _cents("accounts")),
            "revenue": Measured("money", _cents("revenue")),
            "pipeline": Measured("money", _cents("pipeline")),
        },
    ),
}
"""What each subject can be grouped by and what it measures."""


def is_money(definition: Definition) -> bool:
    """Whether a report tells amounts, or ratios of amounts."""
    measures = CATALOGUE[definition.subject][1]
    wanted = [measures[name] for name in definition.measures]
    return any(m.kind == "money" or any(measures[part].kind == "money" for part in m.ratio) for m in wanted)


def check(definition: Definition) -> None:
    """Pass for a definition whose fields are known. Raises `Invalid` with what there is, `LimitExceeded`."""
    dimensions, measures = CATALOGUE[definition.subject]
    if len(definition.measures) + len(definition.dimensions) > FIELDS_MAX or len(definition.filters) > FILTERS_MAX:
        raise LimitExceeded(f"A report has at most {FIELDS_MAX} fields and {FILTERS_MAX} filters.")
    _known("measures", definition.measures, measures)
    _known("dimensions", definition.dimensions, dimensions)
    _known("filters", [item.field for item in definition.filters], (*dimensions, "day"))
    fields = (*definition.measures, *definition.dimensions)
    if not definition.measures or len(set(fields)) != len(fields):
        raise Invalid("A report has at least one measure, and each field once.", field=["measures"])
    if definition.order_by is not None:
        _known("orderBy", [definition.order_by], (*fields, PERIOD) if definition.bucket else fields)
    for item in definition.filters:
        if (item.comparison is Comparison.IS_NULL) == bool(item.values) or len(item.values) > VALUES_MAX:
            raise Invalid(
                f"A filter has 1 to {VALUES_MAX} values, and IS_NULL has none.", field=["filters", item.field]
            )
    if definition.bucket is not None and definition.subject in {Subject.COVERAGE, Subject.BALANCE}:
        raise Invalid(f"{definition.subject} has no day to put into periods.", field=["bucket"])


def _known(field: str, names: Sequence[str], there: Sequence[str] | Mapping[str, object]) -> None:
    for name in names:
        if name not in there:
            raise Invalid(f"There is no {name!r}; there are {', '.join(there)}.", field=[field])


def _condition(item: Filter) -> pl.Expr:
    column, values = pl.col(item.field), list(item.values)
    if item.comparison is Comparison.IS_NULL:
        return column.is_null()
    if item.field == "day" or item.comparison in {Comparison.FROM, Comparison.UNTIL}:
        text = column.cast(pl.String)
        return text >= values[0] if item.comparison is Comparison.FROM else text <= values[0]
    if item.comparison is Comparison.EQUALS:
        return column.is_in(values).fill_null(value=False)
    if item.comparison is Comparison.NOT_EQUAL:
        return ~column.is_in(values).fill_null(value=False)
    if item.comparison is Comparison.STARTS_WITH:
        return pl.any_horizontal([column.str.starts_with(value) for value in values]).fill_null(value=False)
    return pl.any_horizontal([column.str.contains(value, literal=True) for value in values]).fill_null(value=False)


def evaluate(definition: Definition, frame: pl.DataFrame, first_month: int) -> pl.DataFrame:
    """The report over a subject's rows: its dimensions (with `period`), then its measures; money in whole cents.

    A ratio is null where nothing is divided by; ratios are rounded to four places, half to even.
    """
    measures = CATALOGUE[definition.subject][1]
    for item in definition.filters:
        frame = frame.filter(_condition(item))
    groups = list(definition.dimensions)
    if definition.bucket is not None:
        bucket = definition.bucket
        days = frame["day"].unique().drop_nulls().to_list()
        keys = {day: period_of(day, bucket, first_month).key for day in days}
        frame = frame.with_columns(
            pl.col("day").replace_strict(keys, default=None, return_dtype=pl.String).alias(PERIOD)
        )
        groups.append(PERIOD)
    needed = {name for name in definition.measures if measures[name].expression is not None}
    needed |= {part for name in definition.measures for part in measures[name].ratio}
    sums = [
        measures[name].expression.alias(name)  # type: ignore[union-attr]  # ratios are not among them
        for name in sorted(needed)
    ]
    found = frame.group_by(groups).agg(sums) if groups else frame.select(sums)
    ratios = [_ratio(found, measures[name]).alias(name) for name in definition.measures if measures[name].ratio]
    found = found.with_columns(ratios).select([*groups, *definition.measures])
    order = [definition.order_by] if definition.order_by else []
    order += [name for name in groups if name not in order]
    if not order:
        return found
    descending = [definition.descending and name == definition.order_by for name in order]
    return found.sort(order, descending=descending, nulls_last=True)


def _ratio(found: pl.DataFrame, measure: Measured) -> pl.Series:
    above, *below = measure.ratio
    answers = []
    for row in found.select(list(dict.fromkeys([above, *below]))).iter_rows(named=True):
        whole = sum(row[name] or 0 for name in below)
        answers.append(None if not whole else _four_places(row[above] or 0, whole))
    return pl.Series(answers, dtype=pl.String)


def _four_places(part: int, whole: int) -> str:
    scaled, rest = divmod(part * 10_000, whole)
    double = 2 * rest
    scaled += double > whole or (double == whole and scaled % 2 == 1)
    return f"{scaled // 10_000}.{scaled % 10_000:04d}"
