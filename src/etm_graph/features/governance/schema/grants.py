"""GraphQL of grants: who has which role where, giving one, taking one back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

import strawberry
from sqlalchemy import Row
from strawberry.types import Info

from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.governance import queries, service
from etm_graph.features.governance.schema.vocabulary import Act, Kind, Role
from etm_graph.features.models.schema.roots import KEY_MEANING
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import Node, decode_id, decode_optional_id, encode_id
from etm_graph.graphql.mutations import UserError, mutate
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page

ContextInfo = Info[Context, None]


async def _users(grants: "Sequence[RoleGrant]", context: Context) -> list[User | None]:
    return await load_users([grant.user_key for grant in grants], context)


async def _givers(grants: "Sequence[RoleGrant]", context: Context) -> list[User | None]:
    return await load_users([grant.giver_key for grant in grants], context)


async def _models(grants: "Sequence[RoleGrant]", context: Context) -> list[TerritoryModel | None]:
    return await load_models([grant.model_key for grant in grants], context)


@strawberry.type(
    description="A role of a user on the organisation, on a model, or on a territory and what is below it."
)
@needs(Act.READ, Kind.POLICY)
class RoleGrant(Node):
    """A row of role_grant."""

    user_key: strawberry.Private[int]
    giver_key: strawberry.Private[int | None]
    model_key: strawberry.Private[int | None]
    role: Role = strawberry.field(description="What it makes of the user.")
    path: str = strawberry.field(description="The territory's path below which it counts; / for all of them.")
    in_every_model: bool = strawberry.field(description="Whether it counts in every model.")
    granted_at: datetime = strawberry.field(description="When it was given.")
    expires_at: datetime | None = strawberry.field(description="When it ends; null for never.")
    user: User | None = batched(_users, description="Whose it is.")
    granted_by: User | None = batched(_givers, description="Who gave it; null for the command line.")
    territory_model: TerritoryModel | None = batched(
        _models, description="The one model in which it counts; null for every model, and for one you may not read."
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The grant of a row."""
        return cls(
            id=encode_id("RoleGrant", row.id),
            user_key=row.user_id,
            giver_key=row.granted_by,
            model_key=row.model_id,
            role=Role(row.role),
            path=row.path,
            in_every_model=row.model_id is None,
            granted_at=row.granted_at,
            expires_at=row.expires_at,
        )


async def load_grants(ids: Sequence[int], context: Context) -> list[RoleGrant | None]:
    """Grants by id, None for those that the viewer may not read."""
    found = await queries.grants_by_id(await context.session(), context.viewer, set(ids))
    return [RoleGrant.of(found[number]) if number in found else None for number in ids]


@strawberry.input(description="Which grants; all conditions must hold.")
class RoleGrantFilter:
    """Conditions on grants."""

    user_id: strawberry.ID | None = strawberry.field(default=None, description="Of this user.")
    role: Role | None = strawberry.field(default=None, description="Of this role.")
    model_id: strawberry.ID | None = strawberry.field(default=None, description="On this model or a part of it.")
    live: bool | None = strawberry.field(default=None, description="Only those in force, or only expired ones.")


@strawberry.input(one_of=True, description="Where a role is to count: exactly one of these.")
class GrantScopeInput:
    """A scope."""

    organisation: bool | None = strawberry.field(default=strawberry.UNSET, description="true: everywhere.")
    model_id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="In one whole model.")
    territory_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="On a territory of one model and what is below it."
    )
    path: str | None = strawberry.field(
        default=strawberry.UNSET, description="Below a path such as /EMEA/North/, in every model."
    )


@strawberry.input(description="A role to give.")
class RoleGrantCreateInput:
    """Input of roleGrantCreate."""

    user_id: strawberry.ID = strawberry.field(description="To whom.")
    role: Role = strawberry.field(description="Which role.")
    scope: GrantScopeInput = strawberry.field(description="Where it is to count.")
    expires_at: datetime | None = strawberry.field(default=None, description="When it ends; null for never.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="A grant to take back.")
class RoleGrantRevokeInput:
    """Input of roleGrantRevoke."""

    id: strawberry.ID = strawberry.field(description="The grant.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.type(description="What giving a role did.")
class RoleGrantPayload:
    """Grant, or errors."""

    role_grant: RoleGrant | None = strawberry.field(description="The grant.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="What taking a role back did.")
class RoleGrantRevokePayload:
    """The id that is gone, or errors."""

    revoked_id: strawberry.ID | None = strawberry.field(description="The grant that is gone; null when it was refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


def scope_of(given: GrantScopeInput) -> service.GrantScope:
    """The scope of an input; raises `NotFound` for an id of another type."""
    if isinstance(given.territory_id, str):
        return service.GrantScope(decode_id(given.territory_id, "Territory", field="scope"))
    if isinstance(given.model_id, str):
        return service.GrantScope(None, decode_id(given.model_id, "TerritoryModel", field="scope"))
    return service.GrantScope(path=given.path) if isinstance(given.path, str) else service.GrantScope()


async def _count(filters: Sequence[queries.GrantFilter], context: Context) -> list[int]:
    session = await context.session()
    return [await queries.count_grants(session, context.viewer, wanted) for wanted in filters]


@strawberry.type
class GrantQuery:
    """Root fields that read grants."""

    @strawberry.field(
        description="Grants, oldest first: your own, those that you could give, and all for who may read the policy."
    )
    @needs(Act.READ, Kind.POLICY)
    async def role_grants(
        self,
        info: ContextInfo,
        filter: Annotated[RoleGrantFilter | None, strawberry.argument(description="Which grants.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[RoleGrant]:
        """A page of grants."""
        given = filter or RoleGrantFilter()
        wanted = queries.GrantFilter(
            decode_optional_id(given.user_id, "User", field="userId"),
            None if given.role is None else Role(given.role),
            decode_optional_id(given.model_id, "TerritoryModel", field="modelId"),
            given.live,
        )
        page = make_page(info.context, first, after, last, before)
        rows = await queries.list_grants(await info.context.session(), info.context.viewer, wanted, page)
        return connect(rows, queries.GRANTS, page, RoleGrant.of, (_count, wanted, {}))


@strawberry.type
class GrantMutation:
    """Root fields that give and take roles."""

    @strawberry.mutation(
        description="Give a user a role: anywhere as an administrator, else within your own grants and no more than them."
    )
    @needs(Act.GRANT, Kind.POLICY)
    async def role_grant_create(self, info: ContextInfo, input: RoleGrantCreateInput) -> RoleGrantPayload:
        """Give a role."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.grant_role(
                work,
                decode_id(input.user_id, "User", field="userId"),
                Role(input.role),
                scope_of(input.scope),
                input.expires_at,
            ),
        )
        found = None if outcome.result is None else (await load_grants([outcome.result], info.context))[0]
        return RoleGrantPayload(role_grant=found, user_errors=outcome.errors)

    @strawberry.mutation(description="Take a role back; it ends within a second everywhere, live subscriptions too.")
    @needs(Act.GRANT, Kind.POLICY)
    async def role_grant_revoke(self, info: ContextInfo, input: RoleGrantRevokeInput) -> RoleGrantRevokePayload:
        """Take a role back."""
        outcome = await mutate(
            info.context, input, lambda work: service.revoke_role(work, decode_id(input.id, "RoleGrant"))
        )
        gone = None if outcome.result is None else encode_id("RoleGrant", outcome.result)
        return RoleGrantRevokePayload(revoked_id=gone, user_errors=outcome.errors)
