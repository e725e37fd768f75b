"""Connections: pages of a list as Relay has them (Relay, "Cursor Connections Specification")."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from etm_graph.core.errors import LimitExceeded
from etm_graph.db.paging import Order, Page, decode_cursor, encode_cursor
from etm_graph.graphql.batching import batched, computed
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


def _cursors(edges: "Sequence[Edge[Any]]") -> list[str]:
    return [edge.cursor_of(edge.place) for edge in edges]


@strawberry.type(description="An item of a list with its cursor.")
class Edge(Generic[T]):
    """Relay's edge; its cursor is made only when it is selected."""

    node: T = strawberry.field(description="The item.")
    cursor_of: strawberry.Private[Callable[[int], str]]
    place: strawberry.Private[int]
    cursor: str = computed(_cursors, description="Where the item stands, for `after` and `before`.")


def _edges(connections: "Sequence[Connection[Any]]") -> list[list[Edge[Any]]]:
    return [
        [Edge(node=node, cursor_of=connection.cursor_of, place=place) for place, node in enumerate(connection.nodes)]
        for connection in connections
    ]


def _page_infos(connections: "Sequence[Connection[Any]]") -> list[PageInfo]:
    return [
        PageInfo(
            has_next_page=connection.more_after,
            has_previous_page=connection.more_before,
            start_cursor=connection.cursor_of(0) if connection.nodes else None,
            end_cursor=connection.cursor_of(len(connection.nodes) - 1) if connection.nodes else None,
        )
        for connection in connections
    ]


async def _total_counts(connections: "Sequence[Connection[Any]]", context: Context) -> list[int]:
    """The counts, with one call for all lists that are counted alike."""
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for place, connection in enumerate(connections):
        function, _, arguments = connection.count
        alike[function, repr(arguments)].append(place)
    answer = [0] * len(connections)
    for places in alike.values():
        function, _, arguments = connections[places[0]].count
        parents = [connections[place].count[1] for place in places]
        for place, counted in zip(places, await function(parents, context, **arguments), strict=True):
            answer[place] = int(counted)
    return answer


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    """Relay's connection; the total is counted, and cursors are made, only when they are selected.

    cursor_of: the cursor of the item at an index of `nodes`. count: a batch function, the parent and arguments for it.
    """

    edges: list[Edge[T]] = computed(_edges, description="The items with their cursors.")
    nodes: list[T] = strawberry.field(description="The items alone.")
    page_info: PageInfo = computed(_page_infos, description="Where this page stands.")
    cursor_of: strawberry.Private[Callable[[int], str]]
    more_after: strawberry.Private[bool]
    more_before: strawberry.Private[bool]
    count: strawberry.Private[tuple[BatchFunction, Any, dict[str, Any]]]
    total_count: int = batched(
        _total_counts, description="How many items the whole list has; counted only when selected."
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
    return Connection(
        nodes=[make(item) for item in kept],
        cursor_of=lambda place: encode_cursor(order, key_of(kept[place])),
        more_after=page.before is not None if page.backward else more,
        more_before=more if page.backward else page.after is not None,
        count=count,
    )


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
    names = [f"order_{index}" for index in range(len(order.columns))]
    return Connection(
        nodes=[make(row) for row in kept],
        cursor_of=lambda place: encode_cursor(order, [getattr(kept[place], name) for name in names]),
        more_after=page.before is not None if page.backward else more,
        more_before=more if page.backward else page.after is not None,
        count=count,
    )
