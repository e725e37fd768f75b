"""GraphQL types of territories and memberships."""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, Optional

import strawberry
from sqlalchemy import ColumnElement
from strawberry.utils.str_converters import to_camel_case

from etm_graph.core.access import Act, Kind
from etm_graph.core.hierarchy import ancestor_paths
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.models.schema.types import TerritoryModel, TerritoryType, load_models, load_types
from etm_graph.features.territories import queries
from etm_graph.graphql.batching import batched
from etm_graph.graphql.breadth import Selection
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import Node
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page
from etm_graph.graphql.rows import Reader, RowBacked, as_ids, each, values_of
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
    return await load_models(values_of("model_key", territories), context)


async def _types(territories: "Sequence[Territory]", context: Context) -> list[TerritoryType | None]:
    return await load_types(values_of("type_key", territories), context)


async def _parents(territories: "Sequence[Territory]", context: Context) -> "list[Territory | None]":
    return await load_territories(values_of("parent_key", territories), context)


async def _forecast_managers(territories: "Sequence[Territory]", context: Context) -> list[User | None]:
    return await load_users(values_of("forecast_manager_key", territories), context)


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
    return await _count_children(values_of("key", territories), context)


async def _count_children(keys: Sequence[int], context: Context) -> list[int]:
    found = await queries.child_counts(await context.session(), context.viewer, set(keys))
    return [found.get(key, 0) for key in keys]


async def _descendant_counts(territories: "Sequence[Territory]", context: Context) -> list[int]:
    found = await queries.descendant_counts(await context.session(), set(values_of("key", territories)))
    return [found.get(territory.key, 0) for territory in territories]


async def _children(
    territories: "Sequence[Territory]",
    context: Context,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    selection: Selection | None = None,
) -> "list[Connection[Territory]]":
    page = make_page(context, first, after, last, before)
    keys = values_of("key", territories)
    found = await queries.children_of(await context.session(), context.viewer, keys, page, columns_for(selection))
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
    keys = values_of("key", territories)
    found = await queries.members_of(await context.session(), context.viewer, keys, page)
    return [
        connect(found.get(key, ()), queries.MEMBERS, page, TerritoryMembership.of, (_count_members, key, {}))
        for key in keys
    ]


@strawberry.type(description="A node of one model's tree.")
@needs(Act.READ, Kind.TERRITORY)
class Territory(RowBacked, Node):
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

    readers: ClassVar[Mapping[str, Reader]] = {
        "id": Reader("id", as_ids("Territory")),
        "key": Reader("id"),
        "model_key": Reader("model_id"),
        "type_key": Reader("type_id"),
        "parent_key": Reader("parent_id"),
        "forecast_manager_key": Reader("forecast_manager_id"),
        "developer_name": Reader("developer_name"),
        "name": Reader("name"),
        "description": Reader("description"),
        "parent_id": Reader("parent_id", as_ids("Territory")),
        "path": Reader("path"),
        "depth": Reader("depth"),
        "rule_combination": Reader("rule_combination", each(RuleCombination)),
        "inherit_only": Reader("inherit_only"),
        "account_access": Reader("account_access", each(AccessLevel)),
        "opportunity_access": Reader("opportunity_access", each(AccessLevel)),
        "contact_access": Reader("contact_access", each(AccessLevel)),
        "case_access": Reader("case_access", each(AccessLevel)),
        "version": Reader("version"),
    }


_LINKED = {"id", "model_id", "type_id", "parent_id", "forecast_manager_id", "path"}
"""Columns that lists beside a territory start from."""
_BESIDE = {"type", "model", "parent", "ancestors", "forecastManager", "childCount", "descendantCount", "children"}
_PLAIN = {to_camel_case(name): reader.column for name, reader in Territory.readers.items()}


def columns_for(selection: Selection | None) -> Sequence[ColumnElement[Any]]:
    """The columns that a page of territories needs for what is selected below it."""
    if selection is None:
        return queries.columns
    names = {*selection.at("nodes"), *selection.at("edges", "node")} - _BESIDE - {"__typename", "members"}
    if not names <= _PLAIN.keys():
        return queries.columns
    wanted = _LINKED | {_PLAIN[name] for name in names}
    return [column for column in queries.columns if column.name in wanted]


async def _member_users(memberships: "Sequence[TerritoryMembership]", context: Context) -> list[User | None]:
    return await load_users(values_of("user_key", memberships), context)


async def _member_territories(memberships: "Sequence[TerritoryMembership]", context: Context) -> list[Territory | None]:
    return await load_territories(values_of("territory_key", memberships), context)


@strawberry.type(description="A user's place in a territory.")
@needs(Act.READ, Kind.MEMBERSHIP)
class TerritoryMembership(RowBacked, Node):
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

    readers: ClassVar[Mapping[str, Reader]] = {
        "id": Reader("id", as_ids("TerritoryMembership")),
        "key": Reader("id"),
        "territory_key": Reader("territory_id"),
        "user_key": Reader("user_id"),
        "role_in_territory": Reader("role_in_territory"),
        "effective_from": Reader("effective_from"),
        "effective_until": Reader("effective_until"),
        "version": Reader("version"),
    }


async def load_territories(ids: Sequence[int | None], context: Context) -> list[Territory | None]:
    """Territories by id, None for those that the viewer may not read."""
    wanted = {number for number in ids if number is not None}
    if not wanted:
        return [None] * len(ids)
    found = await queries.territories_by_id(await context.session(), context.viewer, wanted)
    made = {number: Territory.of(row) for number, row in found.items()}
    return [None if number is None else made.get(number) for number in ids]


async def load_memberships(ids: Sequence[int | None], context: Context) -> list[TerritoryMembership | None]:
    """Memberships by id, None for those that the viewer may not read."""
    wanted = {number for number in ids if number is not None}
    found = await queries.memberships_by_id(await context.session(), context.viewer, wanted)
    return [TerritoryMembership.of(found[number]) if number in found else None for number in ids]
