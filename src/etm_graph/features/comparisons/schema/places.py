"""From names on a side to the territories that bear them now."""

from collections.abc import Sequence

from etm_graph.features.comparisons.service import Side
from etm_graph.features.territories import queries as territories
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.context import Context

Spot = tuple[Side, str | None]
"""A side and a territory's developer name, or None for no territory."""


async def territories_at(spots: Sequence[Spot], context: Context) -> list[Territory | None]:
    """The territories of these names as they are now, None for those that are gone or may not be read."""
    session = await context.session()
    wanted = {(side.model_id, name) for side, name in spots if name is not None}
    ids = await territories.ids_by_name(session, wanted)
    return await load_territories([ids.get((side.model_id, name or "")) for side, name in spots], context)


async def territories_in(lists: Sequence[Sequence[Spot]], context: Context) -> list[list[Territory]]:
    """The same for a list of spots each; what is gone or may not be read is left out."""
    found = iter(await territories_at([spot for spots in lists for spot in spots], context))
    return [[territory for _ in spots if (territory := next(found)) is not None] for spots in lists]
