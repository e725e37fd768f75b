"""Connections: pages of a list as Relay has them (Relay, "Cursor Connections Specification")."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from strawberry.types import Info

from etm_graph.core.errors import LimitExceeded
from etm_graph.db.paging import Order, Page, decode_cursor, encode_cursor
from etm_graph.graphql.context import BatchFunction, Context

First = Annotated[int | None, strawberry.argument(description="How many from the start; 50 when left out.")]
After = Annotated[str | None, strawberry.argument(description="Only what follows this cursor.")]
Last = Annotated[int | None, strawberry.argument(description="How many from the end.")]
Before = Annotated[str | None, strawberry.argument(description="Only what precedes this cursor.")]


def make_page(
    context: Context,
    first: int | None,
    after: str | None,
    last: int | None = None,
    before: str | None = None,
    *,
    limit: int | None = None,
) -> Page:
    """Check a connection's arguments; raises `LimitExceeded` naming the limit and its value."""
    settings = context.services.settings
    most = limit or settings.page_size_max
    if first is not None and last is not None:
        raise LimitExceeded("Give `first` or `last`, not both.")
    size = first if first is not None else last if last is not None else min(settings.page_size_default, most)
    if not 0 <= size <= most:
        raise LimitExceeded(f"A page holds 0 to {most} items (page size); {size} were asked for.")
    return Page(size, last is not None, after, before)


S = TypeVar("S")
T = TypeVar("T")


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(description="Whether more follows.")
    has_previous_page: bool = strawberry.field(description="Whether something precedes.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first item.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last item.")


@strawberry.type(description="An item of a list with its cursor.")
class Edge(Generic[T]):
    """Relay's edge."""

    node: T = strawberry.field(description="The item.")
    cursor: str = strawberry.field(description="Where the item stands, for `after` and `before`.")


async def _total_count(root: "Connection[Any]", info: Info[Context, None]) -> int:
    function, parent, arguments = root.count
    return int(await info.context.load(function, parent, arguments))


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    """Relay's connection; the total is counted only when it is selected."""

    edges: list[Edge[T]] = strawberry.field(description="The items with their cursors.")
    nodes: list[T] = strawberry.field(description="The items alone.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    count: strawberry.Private[tuple[BatchFunction, object, dict[str, Any]]]
    total_count: int = strawberry.field(
        resolver=_total_count, description="How many items the whole list has; counted only when selected."
    )


def slice_page(
    items: Sequence[T], order: Order, page: Page, key_of: Callable[[T], tuple[Any, ...]]
) -> tuple[Sequence[T], bool]:
    """A page of a list that is in memory, sorted by `key_of`, and whether more lies in the page's direction.

    key_of: the values of the order's columns, as cursors carry them: text and numbers.
    """
    start = 0 if page.after is None else bisect_right(items, tuple(decode_cursor(order, page.after)), key=key_of)
    end = (
        len(items) if page.before is None else bisect_left(items, tuple(decode_cursor(order, page.before)), key=key_of)
    )
    if page.backward:
        return items[max(start, end - page.size) : end], end - page.size > start
    return items[start : min(end, start + page.size)], start + page.size < end


def connect_list(
    items: Sequence[S],
    order: Order,
    page: Page,
    key_of: Callable[[S], tuple[Any, ...]],
    make: Callable[[S], T],
    count: tuple[BatchFunction, object, dict[str, Any]],
) -> Connection[T]:
    """The connection of a page of a list in memory, sorted ascending by `key_of`."""
    kept, more = slice_page(items, order, page, key_of)
    cursors = [encode_cursor(order, key_of(item)) for item in kept]
    nodes = [make(item) for item in kept]
    info = PageInfo(
        has_next_page=page.before is not None if page.backward else more,
        has_previous_page=more if page.backward else page.after is not None,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )
    edges = [Edge(node=node, cursor=cursor) for node, cursor in zip(nodes, cursors, strict=True)]
    return Connection(edges=edges, nodes=nodes, page_info=info, count=count)


def connect(
    rows: Sequence[Any],
    order: Order,
    page: Page,
    make: Callable[[Any], T],
    count: tuple[BatchFunction, object, dict[str, Any]],
) -> Connection[T]:
    """The connection of the rows that `apply_page` gave (for one partition)."""
    more = len(rows) > page.size
    kept = list(rows[: page.size])
    if page.backward:
        kept.reverse()
    width = len(order.columns)
    cursors = [encode_cursor(order, [getattr(row, f"order_{index}") for index in range(width)]) for row in kept]
    nodes = [make(row) for row in kept]
    edges = [Edge(node=node, cursor=cursor) for node, cursor in zip(nodes, cursors, strict=True)]
    info = PageInfo(
        has_next_page=page.before is not None if page.backward else more,
        has_previous_page=more if page.backward else page.after is not None,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )
    return Connection(edges=edges, nodes=nodes, page_info=info, count=count)
