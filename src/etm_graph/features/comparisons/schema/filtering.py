"""Reading filters of comparisons: ids of either model become names."""

from typing import Annotated

import strawberry

from etm_graph.core.errors import NotFound
from etm_graph.features.comparisons.schema.structure import DifferenceFilterInput
from etm_graph.features.comparisons.service import DifferenceFilter, ImpactFilter
from etm_graph.features.crm.schema.types import load_users
from etm_graph.features.territories.schema.types import load_territories
from etm_graph.graphql.context import Context
from etm_graph.graphql.ids import decode_id, decode_optional_id


async def territory_name(context: Context, global_id: str | None) -> str | None:
    """The developer name of a territory that the viewer may read. Raises `NotFound`."""
    if global_id is None:
        return None
    (found,) = await load_territories([decode_id(global_id, "Territory", field="territoryId")], context)
    if found is None:
        raise NotFound("There is no such territory.", field=["territoryId"])
    return found.developer_name


async def user_name(context: Context, global_id: str | None) -> str | None:
    """The user name of a user. Raises `NotFound`."""
    if global_id is None:
        return None
    (found,) = await load_users([decode_id(global_id, "User", field="userId")], context)
    if found is None:
        raise NotFound("There is no such user.", field=["userId"])
    return found.user_name


async def read_difference_filter(context: Context, given: DifferenceFilterInput | None) -> DifferenceFilter:
    """The conditions as the service takes them. Raises `NotFound` for an id that leads nowhere."""
    if given is None:
        return DifferenceFilter()
    return DifferenceFilter(
        entity_types=None if given.entity_types is None else frozenset(given.entity_types),
        kinds=None if given.kinds is None else frozenset(given.kinds),
        within=await territory_name(context, given.territory_id),
        user_name=await user_name(context, given.user_id),
        account_id=decode_optional_id(given.account_id, "Account", field="accountId"),
    )


@strawberry.input(description="Of what an impact is; all conditions that are given must hold.")
class ImpactFilterInput:
    """Conditions on impacts."""

    territory_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only what is in this territory of either model, or below it in either."
    )
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only what the user has as a member of territories."
    )
    account_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only this account and its opportunities."
    )


ImpactOf = Annotated[
    ImpactFilterInput | None, strawberry.argument(description="Of what; of everything you may read when left out.")
]


async def read_impact_filter(context: Context, given: ImpactFilterInput | None) -> ImpactFilter:
    """The conditions as the service takes them. Raises `NotFound` for an id that leads nowhere."""
    if given is None:
        return ImpactFilter()
    return ImpactFilter(
        within=await territory_name(context, given.territory_id),
        user_name=await user_name(context, given.user_id),
        account_id=decode_optional_id(given.account_id, "Account", field="accountId"),
    )
