"""Pages of frames: keyset by one column, as lists in the database are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import polars as pl

from etm_graph.db.paging import Order, Page, decode_cursor, encode_cursor
from etm_graph.graphql.context import Context
from etm_graph.graphql.pages import Connection

T = TypeVar("T")


async def _heights(frames: Sequence[pl.DataFrame], context: Context) -> list[int]:
    _ = context
    return [frame.height for frame in frames]


def connect_frame(
    frame: pl.DataFrame, order: Order, page: Page, make: Callable[[Mapping[str, Any]], T]
) -> Connection[T]:
    """The connection of a page of a frame that is sorted by the order's one column, whose values are unique."""
    key = order.columns[0].name
    rows = frame
    if page.after is not None:
        rows = rows.filter(pl.col(key) > decode_cursor(order, page.after)[0])
    if page.before is not None:
        rows = rows.filter(pl.col(key) < decode_cursor(order, page.before)[0])
    more = rows.height > page.size
    kept = list((rows.tail(page.size) if page.backward else rows.head(page.size)).iter_rows(named=True))
    return Connection(
        nodes=[make(row) for row in kept],
        cursor_of=lambda place: encode_cursor(order, [kept[place][key]]),
        more_after=page.before is not None if page.backward else more,
        more_before=more if page.backward else page.after is not None,
        count=(_heights, frame, {}),
    )
