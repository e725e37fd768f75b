"""Fetching objects of any type by global id."""

from collections.abc import Mapping, Sequence

from etm_graph.core.errors import LimitExceeded, NotFound
from etm_graph.graphql.context import BatchFunction, Context
from etm_graph.graphql.ids import Node, split_id


async def load_nodes(loaders: Mapping[str, BatchFunction], ids: Sequence[str], context: Context) -> list[Node | None]:
    """The objects with these ids, one call a type; None where there is none that the viewer may read."""
    most = context.services.settings.page_size_max
    if len(ids) > most:
        raise LimitExceeded(f"At most {most} ids at a time (page_size_max); {len(ids)} were given.")
    wanted: dict[str, list[tuple[int, int]]] = {}
    for place, global_id in enumerate(ids):
        try:
            type_name, number = split_id(global_id)
        except NotFound:
            continue
        wanted.setdefault(type_name, []).append((place, number))
    answer: list[Node | None] = [None] * len(ids)
    for type_name, places in wanted.items():
        if type_name in loaders:
            found = await loaders[type_name]([number for _, number in places], context)
            for (place, _), node in zip(places, found, strict=True):
                answer[place] = node
    return answer
