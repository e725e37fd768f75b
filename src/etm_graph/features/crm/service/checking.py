"""What every value of a CRM record must be. Functions raise `Invalid`, `NotFound` or `Taken` with the input's field."""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Table, select

from etm_graph.core.criteria import DataType
from etm_graph.core.errors import Invalid, NotFound, Taken
from etm_graph.core.names import check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import currencies, users_by_id

CENT = Decimal("0.01")
MONEY_MAX = Decimal(10) ** 18
TEXT_CHARACTERS_MAX = 1_000
LIMITS = {"latitude": (-90, 90), "longitude": (-180, 180), "employees": (0, 2**31 - 1), "probability": (0, 100)}
"""The least and the largest number that a field may hold."""


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def check_plain(wanted: Mapping[str, Any], required: Collection[str]) -> dict[str, Any]:
    """The values with names trimmed and money to the cent; `required` must not be null where they are given."""
    values = dict(wanted)
    for name, value in values.items():
        if value is None and name in required:
            raise Invalid("It cannot be null; leave it out to keep what it is.", field=[_camel(name)])
        if isinstance(value, str):
            _check_text(name, value)
        elif isinstance(value, Decimal):
            values[name] = _cents(name, value)
        if name in LIMITS and value is not None and not LIMITS[name][0] <= value <= LIMITS[name][1]:
            raise Invalid(f"It is from {LIMITS[name][0]} to {LIMITS[name][1]}.", field=[_camel(name)])
    if "name" in values:
        values["name"] = check_name(str(values["name"]))
    return values


def _check_text(name: str, value: str) -> None:
    if "\x00" in value or len(value) > TEXT_CHARACTERS_MAX:
        reason = f"A text has at most {TEXT_CHARACTERS_MAX} characters, and no NUL among them."
        raise Invalid(reason, field=[_camel(name)])


def _cents(name: str, amount: Decimal) -> Decimal:
    if not amount.is_finite() or abs(amount) >= MONEY_MAX:
        raise Invalid("An amount is below 10^18.", field=[_camel(name)])
    return amount.quantize(CENT, ROUND_HALF_EVEN)


async def check_currency(work: UnitOfWork, values: Mapping[str, object]) -> None:
    """Pass when the currency can be converted into corporate currency."""
    code = values.get("currency")
    if code is None:
        return
    _, known = await currencies(work.session)
    if code not in known:
        raise Invalid(
            f"There is no exchange rate for {code!r}; there are {', '.join(sorted(known))}.", field=["currency"]
        )


async def check_owner(work: UnitOfWork, values: Mapping[str, object]) -> None:
    """Pass when the owner is a user, or nobody."""
    owner = values.get("owner_id")
    if owner is not None and owner not in await users_by_id(work.session, [int(str(owner))]):
        raise NotFound("There is no such owner.", field=["ownerId"])


async def check_external_id(work: UnitOfWork, table: Table, values: Mapping[str, object]) -> None:
    """Pass when no record of the table has the external id."""
    key = values.get("external_id")
    if key is None:
        return
    if await work.session.scalar(select(table.c.id).where(table.c.external_id == key)) is not None:
        raise Taken(f"There is a record with the external id {key} already.", field=["externalId"])


def check_time_zone(values: Mapping[str, object]) -> None:
    """Pass when the time zone is one of IANA's."""
    name = values.get("time_zone")
    if name is None:
        return
    try:
        ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(f"{name!r} is no time zone of IANA's.", field=["timeZone"]) from error


def custom_value(data_type: DataType, choices: Collection[str], values: list[str]) -> Any:  # noqa: ANN401 - JSON
    """A custom value as it is stored. Raises `ValueError` with what is wrong."""
    if data_type is DataType.MULTI_PICKLIST:
        return [_choice(value, choices) for value in dict.fromkeys(values)]
    if len(values) != 1:
        raise ValueError("exactly one value is needed")
    (value,) = values
    if data_type is DataType.PICKLIST:
        return _choice(value, choices)
    return _PARSERS.get(data_type, _text)(value)


def _text(value: str) -> str:
    if "\x00" in value or len(value) > TEXT_CHARACTERS_MAX:
        raise ValueError(f"a text has at most {TEXT_CHARACTERS_MAX} characters, and no NUL among them")
    return value


def _truth(value: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise ValueError(f"{value!r} is neither true nor false")
    return value.lower() == "true"


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError as error:
        raise ValueError(f"{value!r} is no date") from error


def _choice(value: str, choices: Collection[str]) -> str:
    if value not in choices:
        raise ValueError(f"{value!r} is not one of {', '.join(choices)}")
    return value


def _number(value: str) -> float:
    try:
        number = float(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no number") from error
    if not isfinite(number):
        raise ValueError(f"{value!r} is no number")
    return number


_PARSERS: Mapping[DataType, Callable[[str], object]] = {
    DataType.BOOLEAN: _truth,
    DataType.NUMBER: _number,
    DataType.CURRENCY: _number,
    DataType.DATE: _day,
}
