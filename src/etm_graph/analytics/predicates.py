"""Criteria as Polars expressions, with the meaning that core/criteria.py gives them.

Expressions read prepared columns (`prepare`): text folded, postal codes as keys and shapes, multi-picklists as lists of
folded values. Numbers are 64-bit floats, which tells apart all decimals of up to 15 significant digits.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal

import polars as pl

from etm_graph.core.criteria import (
    EARTH_KM,
    NEGATIVE,
    CompiledCriterion,
    DataType,
    FieldDef,
    Operator,
    PostalRange,
    Value,
    postal_shape,
)
from etm_graph.core.filter_logic import And, Logic, Not, Or, Ref

LATITUDE, LONGITUDE = "latitude", "longitude"


def column_of(field: str) -> str:
    """The prepared column of a field."""
    return f"{field}:prepared"


def _folded(column: pl.Expr) -> pl.Expr:
    return column.str.normalize("NFKC").str.to_lowercase().str.normalize("NFKC")


def prepare(frame: pl.DataFrame, fields: Iterable[FieldDef]) -> pl.DataFrame:
    """The frame with a prepared column for each field; a field's own column is kept."""
    made = []
    for field in fields:
        column = pl.col(field.name) if field.data_type is not DataType.LOCATION else pl.col(LATITUDE)
        if field.data_type in {DataType.TEXT, DataType.PICKLIST}:
            column = _folded(column)
        elif field.data_type is DataType.POSTAL_CODE:
            column = _folded(column).str.replace_all(r"[\s\-]+", "")
        elif field.data_type is DataType.MULTI_PICKLIST:
            column = column.list.eval(_folded(pl.element()))
        elif field.data_type in {DataType.NUMBER, DataType.CURRENCY}:
            column = column.cast(pl.Float64)
        made.append(column.alias(column_of(field.name)))
    return frame.with_columns(made)


def _literal(value: Value) -> pl.Expr:
    if isinstance(value, bool | str | date):
        return pl.lit(value)
    if isinstance(value, Decimal):
        return pl.lit(float(value))
    raise TypeError(f"{value!r} is compared as a range")


def _shape(column: pl.Expr) -> pl.Expr:
    return column.str.replace_all(r"\D", "a").str.replace_all(r"\d", "9")


def _in_range(column: pl.Expr, bounds: PostalRange) -> pl.Expr:
    part = column.str.slice(0, len(bounds.low))
    return (part >= bounds.low) & (part <= bounds.high) & (_shape(part) == postal_shape(bounds.low))


def _any_equal(criterion: CompiledCriterion, column: pl.Expr) -> pl.Expr:
    ranges = [value for value in criterion.values if isinstance(value, PostalRange)]
    plain = [float(v) if isinstance(v, Decimal) else v for v in criterion.values if not isinstance(v, PostalRange)]
    condition = column.is_in(plain) if plain else pl.lit(False)
    for bounds in ranges:
        condition |= _in_range(column, bounds)
    return condition


def _contains(criterion: CompiledCriterion, column: pl.Expr) -> pl.Expr:
    return pl.any_horizontal([column.str.contains(str(value), literal=True) for value in criterion.values])


def _starts_with(criterion: CompiledCriterion, column: pl.Expr) -> pl.Expr:
    return pl.any_horizontal([column.str.starts_with(str(value)) for value in criterion.values])


def _includes(criterion: CompiledCriterion, column: pl.Expr) -> pl.Expr:
    return column.list.eval(pl.element().is_in([str(value) for value in criterion.values])).list.any()


def _within(criterion: CompiledCriterion, _: pl.Expr) -> pl.Expr:
    latitude, longitude, limit = (float(str(value)) for value in criterion.values)
    phi, centre = pl.col(LATITUDE).radians(), math.radians(latitude)
    half = ((centre - phi) / 2).sin().pow(2)
    half += phi.cos() * math.cos(centre) * (((pl.lit(longitude) - pl.col(LONGITUDE)).radians() / 2).sin().pow(2))
    return 2 * EARTH_KM * half.sqrt().clip(upper_bound=1.0).arcsin() <= limit


def _ordered(criterion: CompiledCriterion, column: pl.Expr) -> pl.Expr:
    bound = _literal(criterion.values[0])
    if criterion.operator is Operator.LESS:
        return column < bound
    if criterion.operator is Operator.LESS_OR_EQUAL:
        return column <= bound
    if criterion.operator is Operator.GREATER:
        return column > bound
    return column >= bound


def _between(criterion: CompiledCriterion, column: pl.Expr) -> pl.Expr:
    low, high = criterion.values
    return (column >= _literal(low)) & (column <= _literal(high))


_POSITIVE: Mapping[Operator, Callable[[CompiledCriterion, pl.Expr], pl.Expr]] = {
    Operator.CONTAINS: _contains,
    Operator.NOT_CONTAINS: _contains,
    Operator.STARTS_WITH: _starts_with,
    Operator.INCLUDES: _includes,
    Operator.EXCLUDES: _includes,
    Operator.WITHIN: _within,
    Operator.BETWEEN: _between,
    Operator.EQUALS: _any_equal,
    Operator.NOT_EQUAL: _any_equal,
    Operator.IN: _any_equal,
    Operator.NOT_IN: _any_equal,
    Operator.LESS: _ordered,
    Operator.LESS_OR_EQUAL: _ordered,
    Operator.GREATER: _ordered,
    Operator.GREATER_OR_EQUAL: _ordered,
}
"""The positive form of each operator that looks at a value."""


def criterion_expression(criterion: CompiledCriterion) -> pl.Expr:
    """Whether each row satisfies the criterion; never null."""
    column = pl.col(column_of(criterion.field))
    missing = column.is_null()
    if criterion.data_type is DataType.MULTI_PICKLIST:
        missing |= column.list.len().fill_null(0) == 0
    if criterion.operator is Operator.IS_NULL:
        return missing
    positive = _POSITIVE[criterion.operator](criterion, column).fill_null(value=False)
    if criterion.operator in NEGATIVE:
        return missing | ~positive
    return ~missing & positive


def logic_expression(logic: Logic, criteria: Mapping[int, pl.Expr]) -> pl.Expr:
    """The filter logic over the criteria's expressions."""
    match logic:
        case Ref(number):
            return criteria[number]
        case Not(term):
            return ~logic_expression(term, criteria)
        case And(terms):
            return pl.all_horizontal([logic_expression(term, criteria) for term in terms])
        case Or(terms):
            return pl.any_horizontal([logic_expression(term, criteria) for term in terms])
