"""Pages of a statement by keyset: no offset, so that the thousandth page costs what the first does.

A cursor holds the ordering values of its row and a check code, so that an altered one is recognised.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select

from etm_graph.core.errors import BadCursor

_CODE_BYTES = 6


@dataclass(frozen=True, slots=True)
class Order:
    """A list's order: columns that are never null and together unique, and its name, which its cursors carry."""

    name: str
    columns: tuple[ColumnElement[Any], ...]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """What part of a list is asked for, checked against the limit."""

    size: int
    backward: bool
    after: str | None
    before: str | None


def encode_cursor(order: Order, values: Sequence[object]) -> str:
    """The cursor of a row with these ordering values."""
    body = orjson.dumps([order.name, *values], default=str)
    return urlsafe_b64encode(blake2b(body, digest_size=_CODE_BYTES).digest() + body).rstrip(b"=").decode()


def decode_cursor(order: Order, cursor: str) -> list[Any]:
    """The ordering values of a cursor; raises `BadCursor` when it was not made for this list and order."""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        code, body = raw[:_CODE_BYTES], raw[_CODE_BYTES:]
        name, *values = orjson.loads(body)
        genuine = code == blake2b(body, digest_size=_CODE_BYTES).digest() and name == order.name
        if genuine and len(values) == len(order.columns):
            return [_typed(column, value) for column, value in zip(order.columns, values, strict=True)]
    except (ValueError, TypeError, UnicodeEncodeError):
        pass
    raise BadCursor("The cursor is not one of this list in this order; start again without it.")


_FROM_TEXT: dict[type, Callable[[str], object]] = {
    Decimal: Decimal,
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
}


def _typed(column: ColumnElement[Any], value: Any) -> object:  # noqa: ANN401 - whatever the cursor holds
    convert = _FROM_TEXT.get(column.type.python_type)
    return value if convert is None else convert(value)


def _beyond(order: Order, values: Sequence[object], *, later: bool) -> ColumnElement[bool]:
    """Rows strictly after (or before) the values, column by column."""
    bigger = later != order.descending
    alternatives = []
    for index, column in enumerate(order.columns):
        same = [left == literal(value, left.type) for left, value in zip(order.columns[:index], values, strict=False)]
        value = literal(values[index], column.type)
        alternatives.append(and_(*same, column > value if bigger else column < value))
    return or_(*alternatives)


def apply_page(
    statement: Select[Any], order: Order, page: Page, partition: ColumnElement[Any] | None = None
) -> Select[Any]:
    """The statement limited to a page plus one row, with `order`; per `partition` when one is given."""
    if page.after is not None:
        statement = statement.where(_beyond(order, decode_cursor(order, page.after), later=True))
    if page.before is not None:
        statement = statement.where(_beyond(order, decode_cursor(order, page.before), later=False))
    reverse = order.descending != page.backward
    by = [column.desc() if reverse else column.asc() for column in order.columns]
    keys = [column.label(f"order_{index}") for index, column in enumerate(order.columns)]
    if partition is None:
        return statement.add_columns(*keys).order_by(*by).limit(page.size + 1)
    place = func.row_number().over(partition_by=partition, order_by=by).label("place")
    ranked = statement.add_columns(*keys, place).subquery()
    return select(ranked).where(ranked.c.place <= page.size + 1).order_by(ranked.c.place)
