"""Queries and mutations of territories, and what territories add to models."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import NotFound
from etm_graph.features.models.schema.feed import ChangeEvent, load_change
from etm_graph.features.models.schema.roots import (
    KEY_MEANING,
    VERSION_MEANING,
    DeleteInput,
    DeletePayload,
    delete_payload,
)
from etm_graph.features.models.schema.types import TerritoryModel
from etm_graph.features.territories import queries, service
from etm_graph.features.territories.schema.types import (
    AccessLevel,
    RuleCombination,
    Territory,
    TerritoryMembership,
    columns_for,
    load_memberships,
    load_territories,
)
from etm_graph.graphql.batching import batched
from etm_graph.graphql.breadth import Selection
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import decode_id, decode_optional_id
from etm_graph.graphql.inputs import given
from etm_graph.graphql.mutations import Outcome, UserError, mutate
from etm_graph.graphql.pages import After, Connection, First, connect, make_page
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]


class TerritoryOrder(StrEnum):
    """Orders of a flat list of territories."""

    TREE = "TREE"
    NAME = "NAME"


describe(
    TerritoryOrder,
    "Orders of a flat list of territories.",
    {"TREE": "Every territory right before its descendants.", "NAME": "By name."},
)

ORDERS = {TerritoryOrder.TREE: queries.TREE, TerritoryOrder.NAME: queries.BY_NAME}


@strawberry.input(description="Which territories; all conditions must hold.")
class TerritoryFilter:
    """Conditions on territories."""

    type_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="Of one of these types.")
    name_contains: str | None = strawberry.field(default=None, description="With this text in the name, in any case.")


async def _count_territories(model_keys: Sequence[int], context: Context, wanted: queries.TerritoryFilter) -> list[int]:
    found = await queries.count_of_models(await context.session(), context.viewer, set(model_keys), wanted)
    return [found.get(key, 0) for key in model_keys]


async def _territories(
    models: Sequence[TerritoryModel],
    context: Context,
    rooted_at: Annotated[
        strawberry.ID | None, strawberry.argument(description="Only this territory and what is below it.")
    ] = None,
    max_depth: Annotated[
        int | None, strawberry.argument(description="At most so many levels below the roots or `rootedAt`.")
    ] = None,
    filter: Annotated[TerritoryFilter | None, strawberry.argument(description="Which territories.")] = None,
    order_by: Annotated[TerritoryOrder, strawberry.argument(description="In which order.")] = TerritoryOrder.TREE,
    first: First = None,
    after: After = None,
    selection: Selection | None = None,
) -> list[Connection[Territory]]:
    order = ORDERS[TerritoryOrder(order_by)]
    page = make_page(context, first, after, limit=context.services.settings.tree_page_max)
    within = None
    if rooted_at is not None:
        root = (await load_territories([decode_id(rooted_at, "Territory", field="rootedAt")], context))[0]
        if root is None:
            raise NotFound("There is no such territory.", field=["rootedAt"])
        within = root.path
    wanted = queries.TerritoryFilter(
        within,
        max_depth,
        None
        if filter is None or filter.type_ids is None
        else tuple(decode_id(key, "TerritoryType", field="typeIds") for key in filter.type_ids),
        None if filter is None else filter.name_contains,
    )
    keys = [model.key for model in models]
    found = await queries.territories_of_models(
        await context.session(), context.viewer, keys, wanted, order, page, columns_for(selection)
    )
    return [
        connect(found.get(key, ()), order, page, Territory.of, (_count_territories, key, {"wanted": wanted}))
        for key in keys
    ]


@needs(Act.READ, Kind.TERRITORY)
async def _counts(models: Sequence[TerritoryModel], context: Context) -> list[int]:
    return await _count_territories([model.key for model in models], context, queries.TerritoryFilter())


extend(
    TerritoryModel,
    "territories",
    Connection[Territory],
    batched(_territories, description="The model's territories as a flat list; at most 10,000 a page."),
)
extend(TerritoryModel, "territory_count", int, batched(_counts, description="How many territories it has."))


@strawberry.type
class TerritoryQuery:
    """Root fields that read territories."""

    @strawberry.field(description="One territory; null when there is none that you may read.")
    @needs(Act.READ, Kind.TERRITORY)
    async def territory(
        self,
        info: ContextInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")],
    ) -> Territory | None:
        """One territory."""
        return (await load_territories([decode_id(id, "Territory")], info.context))[0]


@strawberry.type(description="What a mutation of a territory did.")
class TerritoryPayload:
    """Entity and change, or errors."""

    territory: Territory | None = strawberry.field(description="The territory as it is now, also after a CONFLICT.")
    change: ChangeEvent | None = strawberry.field(description="The change that was made; null when nothing changed.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="What a mutation of a membership did.")
class MembershipPayload:
    """Entity and change, or errors."""

    membership: TerritoryMembership | None = strawberry.field(description="The membership as it is now.")
    change: ChangeEvent | None = strawberry.field(description="The change that was made; null when nothing changed.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.input(description="A new territory of a draft.")
class TerritoryCreateInput:
    """Input of territoryCreate."""

    model_id: strawberry.ID = strawberry.field(description="The draft.")
    parent_id: strawberry.ID | None = strawberry.field(
        default=None, description="The territory above; null for a root."
    )
    developer_name: str = strawberry.field(description="Unique in the model and immutable.")
    name: str = strawberry.field(description="The name for people.")
    type_id: strawberry.ID = strawberry.field(description="Its territory type.")
    description: str | None = strawberry.field(default=None, description="What it is for.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Changes of a territory; what is left out stays.")
class TerritoryUpdateInput:
    """Input of territoryUpdate."""

    id: strawberry.ID = strawberry.field(description="The territory.")
    expected_version: BigInt = strawberry.field(description=VERSION_MEANING)
    name: str | None = strawberry.field(default=strawberry.UNSET, description="The name for people.")
    description: str | None = strawberry.field(default=strawberry.UNSET, description="What it is for.")
    type_id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Its territory type.")
    rule_combination: RuleCombination | None = strawberry.field(
        default=strawberry.UNSET, description="How its own rules are combined."
    )
    inherit_only: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether inherited rules suffice."
    )
    account_access: AccessLevel | None = strawberry.field(
        default=strawberry.UNSET, description="What members may do with its accounts."
    )
    opportunity_access: AccessLevel | None = strawberry.field(
        default=strawberry.UNSET, description="What members may do with their opportunities."
    )
    contact_access: AccessLevel | None = strawberry.field(
        default=strawberry.UNSET, description="What members may do with their contacts."
    )
    case_access: AccessLevel | None = strawberry.field(
        default=strawberry.UNSET, description="What members may do with their cases."
    )
    forecast_manager_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The member who owns its forecast; null for nobody."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Where to move a territory with its subtree.")
class TerritoryMoveInput:
    """Input of territoryMove."""

    id: strawberry.ID = strawberry.field(description="The territory.")
    parent_id: strawberry.ID | None = strawberry.field(description="The territory above; null makes it a root.")
    expected_version: BigInt = strawberry.field(description=VERSION_MEANING)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Which territory to delete.")
class TerritoryDeleteInput:
    """Input of territoryDelete."""

    id: strawberry.ID = strawberry.field(description="The territory.")
    expected_version: BigInt = strawberry.field(
        description="Its version, or with descendants the `head` of the model that you read; later changes are a CONFLICT."
    )
    with_descendants: bool = strawberry.field(default=False, description="Whether to delete everything below it, too.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="A new member of a territory.")
class MemberAddInput:
    """Input of territoryMemberAdd."""

    territory_id: strawberry.ID = strawberry.field(description="The territory.")
    user_id: strawberry.ID = strawberry.field(description="Who joins.")
    role_in_territory: str | None = strawberry.field(default=None, description="What the user does there.")
    effective_from: date | None = strawberry.field(default=None, description="First day; null since ever.")
    effective_until: date | None = strawberry.field(default=None, description="Last day; null without end.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Changes of a membership; what is left out stays.")
class MemberUpdateInput:
    """Input of territoryMemberUpdate."""

    id: strawberry.ID = strawberry.field(description="The membership.")
    expected_version: BigInt = strawberry.field(description=VERSION_MEANING)
    role_in_territory: str | None = strawberry.field(default=strawberry.UNSET, description="What the user does there.")
    effective_from: date | None = strawberry.field(default=strawberry.UNSET, description="First day.")
    effective_until: date | None = strawberry.field(default=strawberry.UNSET, description="Last day.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


async def territory_payload(context: Context, outcome: Outcome, territory_id: str | None = None) -> TerritoryPayload:
    """The payload of a mutation whose use case returned a territory's id; of a refused one, the current territory."""
    key = outcome.result if territory_id is None else decode_optional_id(territory_id, "Territory")
    found = None if key is None else (await load_territories([key], context))[0]
    change = await load_change(context, outcome.changes)
    return TerritoryPayload(territory=found, change=change, user_errors=outcome.errors)


async def _membership_payload(context: Context, outcome: Outcome) -> MembershipPayload:
    found = None if outcome.result is None else (await load_memberships([outcome.result], context))[0]
    change = await load_change(context, outcome.changes)
    return MembershipPayload(membership=found, change=change, user_errors=outcome.errors)


def update_values(input: TerritoryUpdateInput) -> dict[str, object]:
    """The fields that an update sets, as the use case wants them."""
    wanted = given(
        input,
        "name",
        "description",
        "rule_combination",
        "inherit_only",
        "account_access",
        "opportunity_access",
        "contact_access",
        "case_access",
    )
    values: dict[str, object] = {name: str(v) if isinstance(v, StrEnum) else v for name, v in wanted.items()}
    references = {"type_id": "TerritoryType", "forecast_manager_id": "User"}
    for name, type_name in references.items():
        if name in (reference := given(input, name)):
            text = reference[name]
            values[name] = decode_optional_id(None if text is None else str(text), type_name, field=name)
    return values


@strawberry.type
class TerritoryMutation:
    """Root fields that change territories and memberships."""

    @strawberry.mutation(description="Create a territory in a draft.")
    @needs(Act.CREATE, Kind.TERRITORY)
    async def territory_create(self, info: ContextInfo, input: TerritoryCreateInput) -> TerritoryPayload:
        """Create a territory."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_territory(
                work,
                decode_id(input.model_id, "TerritoryModel", field="modelId"),
                decode_optional_id(input.parent_id, "Territory", field="parentId"),
                input.developer_name,
                input.name,
                decode_id(input.type_id, "TerritoryType", field="typeId"),
                {"description": input.description},
            ),
        )
        return await territory_payload(info.context, outcome)

    @strawberry.mutation(description="Change a territory; others' edits of other fields are merged.")
    @needs(Act.UPDATE, Kind.TERRITORY)
    async def territory_update(self, info: ContextInfo, input: TerritoryUpdateInput) -> TerritoryPayload:
        """Change a territory."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_territory(
                work, decode_id(input.id, "Territory"), input.expected_version, update_values(input)
            ),
        )
        return await territory_payload(info.context, outcome, input.id)

    @strawberry.mutation(description="Move a territory with everything below it.")
    @needs(Act.MOVE, Kind.TERRITORY)
    async def territory_move(self, info: ContextInfo, input: TerritoryMoveInput) -> TerritoryPayload:
        """Move a territory."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.move_territory(
                work,
                decode_id(input.id, "Territory"),
                decode_optional_id(input.parent_id, "Territory", field="parentId"),
                input.expected_version,
            ),
        )
        return await territory_payload(info.context, outcome, input.id)

    @strawberry.mutation(description="Delete a territory of a draft.")
    @needs(Act.DELETE, Kind.TERRITORY)
    async def territory_delete(self, info: ContextInfo, input: TerritoryDeleteInput) -> DeletePayload:
        """Delete a territory."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.delete_territory(
                work,
                decode_id(input.id, "Territory"),
                input.expected_version,
                with_descendants=input.with_descendants,
            ),
        )
        return await delete_payload(info.context, outcome, "Territory")

    @strawberry.mutation(description="Make a user a member of a territory.")
    @needs(Act.CREATE, Kind.MEMBERSHIP)
    async def territory_member_add(self, info: ContextInfo, input: MemberAddInput) -> MembershipPayload:
        """Add a member."""
        values = given(input, "role_in_territory", "effective_from", "effective_until")
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.add_member(
                work,
                decode_id(input.territory_id, "Territory", field="territoryId"),
                decode_id(input.user_id, "User", field="userId"),
                values,
            ),
        )
        return await _membership_payload(info.context, outcome)

    @strawberry.mutation(description="Change a member's role or period.")
    @needs(Act.UPDATE, Kind.MEMBERSHIP)
    async def territory_member_update(self, info: ContextInfo, input: MemberUpdateInput) -> MembershipPayload:
        """Change a membership."""
        values = given(input, "role_in_territory", "effective_from", "effective_until")
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_member(
                work, decode_id(input.id, "TerritoryMembership"), input.expected_version, values
            ),
        )
        return await _membership_payload(info.context, outcome)

    @strawberry.mutation(description="End a membership.")
    @needs(Act.DELETE, Kind.MEMBERSHIP)
    async def territory_member_remove(self, info: ContextInfo, input: DeleteInput) -> DeletePayload:
        """Remove a member."""
        outcome = await mutate(
            info.context, input, lambda work: service.remove_member(work, decode_id(input.id, "TerritoryMembership"))
        )
        return await delete_payload(info.context, outcome, "TerritoryMembership")
