"""Criteria of rules: fields, operators, and what it means that a value matches (docs/domain.md, "Rules" 6)."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from math import asin, cos, radians, sin, sqrt
from types import MappingProxyType

from etm_graph.core.errors import Invalid


class DataType(StrEnum):
    """What a field holds."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    CURRENCY = "CURRENCY"
    DATE = "DATE"
    BOOLEAN = "BOOLEAN"
    PICKLIST = "PICKLIST"
    MULTI_PICKLIST = "MULTI_PICKLIST"
    POSTAL_CODE = "POSTAL_CODE"
    LOCATION = "LOCATION"


class Operator(StrEnum):
    """How a field is compared."""

    EQUALS = "EQUALS"
    NOT_EQUAL = "NOT_EQUAL"
    LESS = "LESS"
    LESS_OR_EQUAL = "LESS_OR_EQUAL"
    GREATER = "GREATER"
    GREATER_OR_EQUAL = "GREATER_OR_EQUAL"
    BETWEEN = "BETWEEN"
    CONTAINS = "CONTAINS"
    NOT_CONTAINS = "NOT_CONTAINS"
    STARTS_WITH = "STARTS_WITH"
    IN = "IN"
    NOT_IN = "NOT_IN"
    INCLUDES = "INCLUDES"
    EXCLUDES = "EXCLUDES"
    WITHIN = "WITHIN"
    IS_NULL = "IS_NULL"


NEGATIVE = frozenset({Operator.NOT_EQUAL, Operator.NOT_CONTAINS, Operator.NOT_IN, Operator.EXCLUDES})
"""Operators that mean "none of", and that a missing value matches."""

ORDERING = frozenset({Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL})
"""Operators that take exactly one value."""

_EQUALITY = frozenset({Operator.EQUALS, Operator.NOT_EQUAL, Operator.IN, Operator.NOT_IN, Operator.IS_NULL})
_TEXTUAL = frozenset({Operator.CONTAINS, Operator.NOT_CONTAINS, Operator.STARTS_WITH})

ALLOWED: Mapping[DataType, frozenset[Operator]] = MappingProxyType(
    {
        DataType.TEXT: _EQUALITY | _TEXTUAL | ORDERING | {Operator.BETWEEN},
        DataType.POSTAL_CODE: _EQUALITY | _TEXTUAL | ORDERING | {Operator.BETWEEN},
        DataType.PICKLIST: _EQUALITY | _TEXTUAL,
        DataType.NUMBER: _EQUALITY | ORDERING | {Operator.BETWEEN},
        DataType.CURRENCY: _EQUALITY | ORDERING | {Operator.BETWEEN},
        DataType.DATE: _EQUALITY | ORDERING | {Operator.BETWEEN},
        DataType.BOOLEAN: _EQUALITY,
        DataType.MULTI_PICKLIST: frozenset({Operator.INCLUDES, Operator.EXCLUDES, Operator.IS_NULL}),
        DataType.LOCATION: frozenset({Operator.WITHIN, Operator.IS_NULL}),
    }
)
"""The operators that each type of field takes."""


@dataclass(frozen=True, slots=True)
class FieldDef:
    """A field that criteria may name. name: a column, or "custom." and a developer name."""

    name: str
    data_type: DataType
    label: str


def _standard(name: str, data_type: DataType) -> tuple[str, FieldDef]:
    return name, FieldDef(name, data_type, name.replace("_", " ").capitalize())


ACCOUNT_FIELDS: Mapping[str, FieldDef] = MappingProxyType(
    dict(
        [
            _standard("name", DataType.TEXT),
            _standard("owner_id", DataType.NUMBER),
            _standard("billing_street", DataType.TEXT),
            _standard("billing_city", DataType.TEXT),
            _standard("billing_postal_code", DataType.POSTAL_CODE),
            _standard("billing_state", DataType.TEXT),
            _standard("billing_country", DataType.TEXT),
            _standard("industry", DataType.TEXT),
            _standard("annual_revenue", DataType.CURRENCY),
            _standard("employees", DataType.NUMBER),
            _standard("type", DataType.PICKLIST),
            _standard("location", DataType.LOCATION),
        ]
    )
)
"""The standard fields of accounts; annual revenue is in corporate currency."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition as it was entered: values are text, currency is corporate."""

    number: int
    field: str
    operator: Operator
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PostalRange:
    """Postal codes from `low` to `high`, both included, of the same format; keys as `postal_key` makes them."""

    low: str
    high: str


Value = str | Decimal | date | bool | PostalRange


@dataclass(frozen=True, slots=True)
class CompiledCriterion:
    """A criterion with typed values: text folded, postal codes as keys, numbers as Decimal."""

    number: int
    field: str
    data_type: DataType
    operator: Operator
    values: tuple[Value, ...]


def fold(text: str) -> str:
    """Text as it is compared: Unicode-normalised (NFKC) and in lower case."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())


_PUNCTUATION = re.compile(r"[\s\-]+")


def postal_key(text: str) -> str:
    """A postal code as it is compared: folded, without spaces and hyphens."""
    return _PUNCTUATION.sub("", fold(text))


def postal_shape(key: str) -> str:
    """A postal key's format: 9 for a digit, a for anything else."""
    return "".join("9" if char.isdecimal() else "a" for char in key)


def postal_part(key: str, bound: str) -> str | None:
    """The part of a postal key that is compared in order with a bound: as long as it; None for another format."""
    part = key[: len(bound)]
    return part if postal_shape(part) == postal_shape(bound) else None


def in_range(key: str, bounds: PostalRange) -> bool:
    """Whether a postal key lies in a range.

    Only the part as long as the bounds counts, so that an extended code (ZIP+4) lies where its beginning does; a code
    of another format is in no range.
    """
    part = postal_part(key, bounds.low)
    return part is not None and bounds.low <= part <= bounds.high


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise Invalid(f"{text!r} is no number; write it like 1250000.50.", field=["values"])
    return number


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise Invalid(f"{text!r} is no date; write it like 2026-09-30.", field=["values"]) from error


def _boolean(text: str) -> bool:
    word = fold(text.strip())
    if word not in {"true", "false"}:
        raise Invalid(f"{text!r} is neither true nor false.", field=["values"])
    return word == "true"


def _postal(text: str) -> str | PostalRange:
    low, dots, high = text.partition("..")
    if not dots:
        return postal_key(text)
    bounds = PostalRange(postal_key(low), postal_key(high))
    if not bounds.low or postal_shape(bounds.low) != postal_shape(bounds.high) or bounds.low > bounds.high:
        raise Invalid(
            f"{text!r} is no range: two codes of the same format, the lower first, such as 80000..81999.",
            field=["values"],
        )
    return bounds


_TYPED: Mapping[DataType, Callable[[str], Value]] = MappingProxyType(
    {
        DataType.TEXT: fold,
        DataType.PICKLIST: fold,
        DataType.MULTI_PICKLIST: fold,
        DataType.POSTAL_CODE: _postal,
        DataType.NUMBER: _number,
        DataType.CURRENCY: _number,
        DataType.DATE: _date,
        DataType.BOOLEAN: _boolean,
        DataType.LOCATION: _number,
    }
)


def _check_count(criterion: Criterion) -> None:
    operator, count = criterion.operator, len(criterion.values)
    wanted = {Operator.IS_NULL: 0, Operator.BETWEEN: 2, Operator.WITHIN: 3}.get(operator)
    if operator in ORDERING:
        wanted = 1
    if wanted is None and count == 0:
        raise Invalid(f"{operator} needs at least one value.", field=["values"])
    if wanted is not None and count != wanted:
        raise Invalid(f"{operator} takes {wanted} values; {count} were given.", field=["values"])


def compile_criterion(criterion: Criterion, definition: FieldDef) -> CompiledCriterion:
    """The criterion with typed values. Raises `Invalid` pointing at the operator or the values."""
    data_type = definition.data_type
    if criterion.operator not in ALLOWED[data_type]:
        possible = ", ".join(sorted(ALLOWED[data_type]))
        raise Invalid(f"{definition.label} takes {possible}; not {criterion.operator}.", field=["operator"])
    _check_count(criterion)
    entered = criterion.values
    if data_type is DataType.POSTAL_CODE and criterion.operator is Operator.BETWEEN:
        entered = ("..".join(entered),)
    values = tuple(_TYPED[data_type](value) for value in entered)
    if criterion.operator is Operator.WITHIN:
        _check_circle(values)
    if criterion.operator in _TEXTUAL and any(isinstance(value, PostalRange) or not value for value in values):
        raise Invalid(f"{criterion.operator} takes texts that are not empty.", field=["values"])
    if criterion.operator in ORDERING and isinstance(values[0], PostalRange):
        raise Invalid(f"{criterion.operator} takes one code, not a range.", field=["values"])
    return CompiledCriterion(criterion.number, criterion.field, data_type, criterion.operator, values)


LATITUDE_MAX, LONGITUDE_MAX = 90, 180
"""Degrees."""


def _check_circle(values: tuple[Value, ...]) -> None:
    latitude, longitude, distance = (float(str(value)) for value in values)
    if not (abs(latitude) <= LATITUDE_MAX and abs(longitude) <= LONGITUDE_MAX and distance > 0):
        raise Invalid("WITHIN takes a latitude, a longitude and a distance in km above 0.", field=["values"])


EARTH_KM = 6371.0088
"""Mean radius of the earth (IUGG)."""


def distance_km(latitude_a: float, longitude_a: float, latitude_b: float, longitude_b: float) -> float:
    """Great-circle distance in km (haversine formula); degrees in."""
    phi_a, phi_b = radians(latitude_a), radians(latitude_b)
    half = sin((phi_b - phi_a) / 2) ** 2
    half += cos(phi_a) * cos(phi_b) * sin(radians(longitude_b - longitude_a) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))


def _any_equal(criterion: CompiledCriterion, value: Value) -> bool:
    if criterion.data_type is DataType.POSTAL_CODE:
        key = str(value)
        return any(in_range(key, v) if isinstance(v, PostalRange) else key == v for v in criterion.values)
    return value in criterion.values


def _ordered(criterion: CompiledCriterion, value: Value) -> bool:
    bound: object = criterion.values[0]
    if criterion.data_type is DataType.POSTAL_CODE:
        part = postal_part(str(value), str(bound))
        if part is None:
            return False
        value = part
    first: Callable[[object, object], bool] = lambda a, b: a < b  # type: ignore[operator]  # noqa: E731 - same type by construction
    return {
        Operator.LESS: first(value, bound),
        Operator.LESS_OR_EQUAL: not first(bound, value),
        Operator.GREATER: first(bound, value),
        Operator.GREATER_OR_EQUAL: not first(value, bound),
    }[criterion.operator]


def _between(criterion: CompiledCriterion, value: Value) -> bool:
    if criterion.data_type is DataType.POSTAL_CODE:
        return _any_equal(criterion, value)
    low, high = criterion.values
    return bool(low <= value <= high)  # type: ignore[operator]  # same type by construction


def _holds(criterion: CompiledCriterion, value: Value) -> bool:
    """The positive form of the operator for a value that is there."""
    operator = criterion.operator
    if operator in ORDERING:
        return _ordered(criterion, value)
    if operator is Operator.BETWEEN:
        return _between(criterion, value)
    if operator in {Operator.CONTAINS, Operator.NOT_CONTAINS}:
        return any(str(part) in str(value) for part in criterion.values)
    if operator is Operator.STARTS_WITH:
        return any(str(value).startswith(str(part)) for part in criterion.values)
    return _any_equal(criterion, value)


def typed_value(data_type: DataType, value: object) -> object:
    """An object's value in the form in which criteria compare it; None when it is missing.

    value: text, number, date or bool by the field's type; for MULTI_PICKLIST a list of texts; for LOCATION a pair
    (latitude, longitude) in degrees.
    """
    if value is None or value in ([], ()):
        return None
    if data_type in {DataType.TEXT, DataType.PICKLIST}:
        return fold(str(value))
    if data_type is DataType.POSTAL_CODE:
        return postal_key(str(value))
    if data_type in {DataType.NUMBER, DataType.CURRENCY}:
        return Decimal(str(value))
    if data_type is DataType.MULTI_PICKLIST:
        return frozenset(fold(str(item)) for item in value)  # type: ignore[attr-defined]  # a list by contract
    if isinstance(value, bool | date | tuple):
        return value
    raise TypeError(f"{value!r} is no {data_type}")


def holds(criterion: CompiledCriterion, typed: object) -> bool:
    """Whether a value, as `typed_value` makes it, satisfies the criterion. Two-valued."""
    if criterion.operator is Operator.IS_NULL:
        return typed is None
    if typed is None:
        return criterion.operator in NEGATIVE
    if criterion.data_type is DataType.LOCATION:
        point: tuple[float, float] = typed  # type: ignore[assignment]  # a pair by contract
        centre_latitude, centre_longitude, limit = (float(str(v)) for v in criterion.values)
        return distance_km(*point, centre_latitude, centre_longitude) <= limit
    if criterion.data_type is DataType.MULTI_PICKLIST:
        found = not frozenset(criterion.values).isdisjoint(typed)  # type: ignore[arg-type]  # a set by contract
    else:
        found = _holds(criterion, typed)  # type: ignore[arg-type]  # a value by contract
    return found != (criterion.operator in NEGATIVE)


def matches(criterion: CompiledCriterion, value: object) -> bool:
    """Whether an object's value, as `typed_value` takes it, satisfies the criterion; None is a missing value."""
    return holds(criterion, typed_value(criterion.data_type, value))
