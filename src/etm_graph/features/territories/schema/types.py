"""GraphQL types of territories and memberships."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any, Optional, Self

import strawberry
from sqlalchemy import Row

from etm_graph.core.access import Act, Kind
from etm_graph.core.hierarchy import ancestor_paths
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.models.schema.types import TerritoryModel, TerritoryType, load_models, load_types
from etm_graph.features.territories import queries
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import Node, encode_id
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page
from etm_graph.graphql.scalars import BigInt


class RuleCombination(StrEnum):
    """How a territory's own rules are combined (docs/domain.md, "Rules" 2)."""

    ALL = "ALL"
    ANY = "ANY"


class AccessLevel(StrEnum):
    """What members may do with the records of a territory."""

    NONE = "NONE"
    READ = "READ"
    EDIT = "EDIT"


describe(
    RuleCombination,
    "How a territory's own rules are combined.",
    {"ALL": "An object must match every rule.", "ANY": "An object must match at least one rule."},
)
describe(
    AccessLevel,
    "What members may do with the records of a territory.",
    {"NONE": "No access.", "READ": "May read.", "EDIT": "May read and edit."},
)


async def _models(territories: "Sequence[Territory]", context: Context) -> list[TerritoryModel | None]:
    return await load_models([territory.model_key for territory in territories], context)


async def _types(territories: "Sequence[Territory]", context: Context) -> list[TerritoryType | None]:
    return await load_types([territory.type_key for territory in territories], context)


async def _parents(territories: "Sequence[Territory]", context: Context) -> "list[Territory | None]":
    return await load_territories([territory.parent_key for territory in territories], context)


async def _forecast_managers(territories: "Sequence[Territory]", context: Context) -> list[User | None]:
    return await load_users([territory.forecast_manager_key for territory in territories], context)


async def _ancestors(territories: "Sequence[Territory]", context: Context) -> "list[list[Territory]]":
    wanted = {(node.model_key, path) for node in territories for path in ancestor_paths(node.path)}
    found = await queries.ancestors_of(await context.session(), context.viewer, wanted)
    return [
        [
            Territory.of(found[node.model_key, path])
            for path in ancestor_paths(node.path)
            if (node.model_key, path) in found
        ]
        for node in territories
    ]


async def _child_counts(territories: "Sequence[Territory]", context: Context) -> list[int]:
    return await _count_children([territory.key for territory in territories], context)


async def _count_children(keys: Sequence[int], context: Context) -> list[int]:
    found = await queries.child_counts(await context.session(), context.viewer, set(keys))
    return [found.get(key, 0) for key in keys]


async def _descendant_counts(territories: "Sequence[Territory]", context: Context) -> list[int]:
    found = await queries.descendant_counts(await context.session(), {territory.key for territory in territories})
    return [found.get(territory.key, 0) for territory in territories]


async def _children(
    territories: "Sequence[Territory]",
    context: Context,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> "list[Connection[Territory]]":
    page = make_page(context, first, after, last, before)
    keys = [territory.key for territory in territories]
    found = await queries.children_of(await context.session(), context.viewer, keys, page)
    return [
        connect(found.get(key, ()), queries.BY_NAME, page, Territory.of, (_count_children, key, {})) for key in keys
    ]


async def _count_members(keys: Sequence[int], context: Context) -> list[int]:
    found = await queries.member_counts(await context.session(), context.viewer, set(keys))
    return [found.get(key, 0) for key in keys]


async def _members(
    territories: "Sequence[Territory]",
    context: Context,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> "list[Connection[TerritoryMembership]]":
    page = make_page(context, first, after, last, before)
    keys = [territory.key for territory in territories]
    found = await queries.members_of(await context.session(), context.viewer, keys, page)
    return [
        connect(found.get(key, ()), queries.MEMBERS, page, TerritoryMembership.of, (_count_members, key, {}))
        for key in keys
    ]


@strawberry.type(description="A node of one model's tree.")
@needs(Act.READ, Kind.TERRITORY)
class Territory(Node):
    """A row of territory."""

    key: strawberry.Private[int]
    model_key: strawberry.Private[int]
    type_key: strawberry.Private[int]
    parent_key: strawberry.Private[int | None]
    forecast_manager_key: strawberry.Private[int | None]
    developer_name: str = strawberry.field(description="Unique and immutable in its model; what clones are matched by.")
    name: str = strawberry.field(description="The name for people.")
    description: str | None = strawberry.field(description="What the territory is for.")
    parent_id: strawberry.ID | None = strawberry.field(description="Global id of the parent; null for a root.")
    path: str = strawberry.field(description="Developer names from the root, each between slashes.")
    depth: int = strawberry.field(description="0 for a root.")
    rule_combination: RuleCombination = strawberry.field(description="How its own rules are combined.")
    inherit_only: bool = strawberry.field(
        description="Whether inherited rules alone suffice when it has none of its own."
    )
    account_access: AccessLevel = strawberry.field(description="What members may do with its accounts.")
    opportunity_access: AccessLevel = strawberry.field(description="What members may do with their opportunities.")
    contact_access: AccessLevel = strawberry.field(description="What members may do with their contacts.")
    case_access: AccessLevel = strawberry.field(description="What members may do with their cases.")
    version: BigInt = strawberry.field(description="Number of its last change; send it as `expectedVersion`.")
    model: TerritoryModel | None = batched(_models, description="The model it belongs to.")
    type: TerritoryType | None = batched(_types, description="Its territory type.")
    parent: Optional["Territory"] = batched(_parents, description="The territory above; null for a root.")
    ancestors: list["Territory"] = batched(_ancestors, description="All territories above, the root first.")
    forecast_manager: User | None = batched(_forecast_managers, description="The member who owns its forecast.")
    child_count: int = batched(_child_counts, description="How many territories are directly below.")
    descendant_count: int = batched(_descendant_counts, description="How many territories are below, at any depth.")
    children: Connection["Territory"] = batched(_children, description="The territories directly below, by name.")
    members: Connection["TerritoryMembership"] = batched(_members, description="Who works in it.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The territory of a row."""
        return cls(
            id=encode_id("Territory", row.id),
            key=row.id,
            model_key=row.model_id,
            type_key=row.type_id,
            parent_key=row.parent_id,
            forecast_manager_key=row.forecast_manager_id,
            developer_name=row.developer_name,
            name=row.name,
            description=row.description,
            parent_id=None if row.parent_id is None else encode_id("Territory", row.parent_id),
            path=row.path,
            depth=row.depth,
            rule_combination=RuleCombination(row.rule_combination),
            inherit_only=row.inherit_only,
            account_access=AccessLevel(row.account_access),
            opportunity_access=AccessLevel(row.opportunity_access),
            contact_access=AccessLevel(row.contact_access),
            case_access=AccessLevel(row.case_access),
            version=BigInt(row.version),
        )


async def _member_users(memberships: "Sequence[TerritoryMembership]", context: Context) -> list[User | None]:
    return await load_users([membership.user_key for membership in memberships], context)


async def _member_territories(memberships: "Sequence[TerritoryMembership]", context: Context) -> list[Territory | None]:
    return await load_territories([membership.territory_key for membership in memberships], context)


@strawberry.type(description="A user's place in a territory.")
@needs(Act.READ, Kind.MEMBERSHIP)
class TerritoryMembership(Node):
    """A row of territory_membership."""

    key: strawberry.Private[int]
    territory_key: strawberry.Private[int]
    user_key: strawberry.Private[int]
    role_in_territory: str | None = strawberry.field(description="What the user does there.")
    effective_from: date | None = strawberry.field(description="First day; null since ever.")
    effective_until: date | None = strawberry.field(description="Last day; null without end.")
    version: BigInt = strawberry.field(description="Number of its last change; send it as `expectedVersion`.")
    user: User | None = batched(_member_users, description="Who it is.")
    territory: Territory | None = batched(_member_territories, description="Where.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The membership of a row."""
        return cls(
            id=encode_id("TerritoryMembership", row.id),
            key=row.id,
            territory_key=row.territory_id,
            user_key=row.user_id,
            role_in_territory=row.role_in_territory,
            effective_from=row.effective_from,
            effective_until=row.effective_until,
            version=BigInt(row.version),
        )


async def load_territories(ids: Sequence[int | None], context: Context) -> list[Territory | None]:
    """Territories by id, None for those that the viewer may not read."""
    wanted = {number for number in ids if number is not None}
    if not wanted:
        return [None] * len(ids)
    found = await queries.territories_by_id(await context.session(), context.viewer, wanted)
    return [Territory.of(found[number]) if number in found else None for number in ids]


async def load_memberships(ids: Sequence[int | None], context: Context) -> list[TerritoryMembership | None]:
    """Memberships by id, None for those that the viewer may not read."""
    wanted = {number for number in ids if number is not None}
    found = await queries.memberships_by_id(await context.session(), context.viewer, wanted)
    return [TerritoryMembership.of(found[number]) if number in found else None for number in ids]
