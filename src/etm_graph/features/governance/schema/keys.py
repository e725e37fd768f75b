"""GraphQL of API keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

import strawberry
from sqlalchemy import Row
from strawberry.types import Info

from etm_graph.core.access import ORGANISATION_PATH, Grant
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.governance import queries, service
from etm_graph.features.governance.schema.vocabulary import Act, Kind, Role
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_id, decode_optional_id
from etm_graph.graphql.mutations import Outcome, UserError, mutate
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page
from etm_graph.identity.api_keys import scopes_of
from etm_graph.settings import Mode

ContextInfo = Info[Context, None]
PUBLIC_ID = "The key's public part, the eight characters before its secret."


@strawberry.type(description="What an API key is held to: a role in a place, of the rights that its user has there.")
class ApiKeyScope:
    """One scope of a key."""

    model_key: strawberry.Private[int | None]
    role: Role = strawberry.field(description="The role.")
    path: str = strawberry.field(description="The territory's path below which it counts; / for all.")
    territory_model: TerritoryModel | None = batched(
        lambda scopes, context: load_models([scope.model_key for scope in scopes], context),
        description="The one model in which it counts; null for every model.",
    )


async def _users(keys: "Sequence[ApiKey]", context: Context) -> list[User | None]:
    return await load_users([key.user_key for key in keys], context)


@strawberry.type(description="A tool's key; its secret is shown once, when it is made.")
@needs(Act.READ, Kind.POLICY)
class ApiKey:
    """A row of api_key."""

    user_key: strawberry.Private[int]
    public_id: str = strawberry.field(description=PUBLIC_ID)
    name: str = strawberry.field(description="What the key is for.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime = strawberry.field(description="When it ends.")
    revoked_at: datetime | None = strawberry.field(description="When it was ended; null while it was not.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used, to the minute.")
    scopes: list[ApiKeyScope] | None = strawberry.field(
        description="What it is held to; null for all rights of its user."
    )
    user: User | None = batched(_users, description="Whose rights it has.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The key of a row."""
        scopes = scopes_of(row.scopes)
        return cls(
            user_key=row.user_id,
            public_id=row.id,
            name=row.name,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            last_used_at=row.last_used_at,
            scopes=None
            if scopes is None
            else [ApiKeyScope(model_key=scope.model_id, role=scope.role, path=scope.path) for scope in scopes],
        )


@strawberry.input(description="A role in a place that a key is held to.")
class ApiKeyScopeInput:
    """One scope."""

    role: Role = strawberry.field(description="The role; it counts as far as the key's user has it.")
    model_id: strawberry.ID | None = strawberry.field(default=None, description="In one model; null for every model.")
    path: str = strawberry.field(default=ORGANISATION_PATH, description="Below this path, such as /EMEA/.")


@strawberry.input(description="A key for a tool. It has no idempotency key: its secret is not kept to be told again.")
class ApiKeyCreateInput:
    """Input of apiKeyCreate."""

    name: str = strawberry.field(description="What the key is for.")
    user_id: strawberry.ID | None = strawberry.field(default=None, description="Whose rights it has; null for yours.")
    days: int = strawberry.field(default=90, description="For how many days it is good, at most 365.")
    scopes: list[ApiKeyScopeInput] | None = strawberry.field(
        default=None, description="What it is held to; null for all rights of its user."
    )


@strawberry.input(
    description="A key to replace. It has no idempotency key: the new secret is not kept to be told again."
)
class ApiKeyRotateInput:
    """Input of apiKeyRotate."""

    public_id: str = strawberry.field(description=PUBLIC_ID)
    overlap_hours: int = strawberry.field(default=24, description="For how long the old key still works, at most 720.")


@strawberry.input(description="A key to end.")
class ApiKeyRevokeInput:
    """Input of apiKeyRevoke."""

    public_id: str = strawberry.field(description=PUBLIC_ID)


@strawberry.type(description="What making a key did.")
class ApiKeySecretPayload:
    """Key with its secret, or errors."""

    api_key: ApiKey | None = strawberry.field(description="The new key.")
    secret: str | None = strawberry.field(description="What the tool sends as its bearer token; shown here only.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="What ending a key did.")
class ApiKeyPayload:
    """Key, or errors."""

    api_key: ApiKey | None = strawberry.field(description="The key as it is now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


def _environment(context: Context) -> str:
    return "dev" if context.services.settings.mode is Mode.DEVELOPMENT else "live"


async def _load(context: Context, key_id: str | None) -> ApiKey | None:
    if key_id is None:
        return None
    row = await queries.key_by_id(await context.session(), context.viewer, key_id)
    return None if row is None else ApiKey.of(row)


async def _secret_payload(context: Context, outcome: Outcome) -> ApiKeySecretPayload:
    made = outcome.result if isinstance(outcome.result, service.NewKey) else None
    found = await _load(context, None if made is None else made.key_id)
    return ApiKeySecretPayload(api_key=found, secret=None if made is None else made.secret, user_errors=outcome.errors)


async def _count(owners: Sequence[int | None], context: Context) -> list[int]:
    session = await context.session()
    return [await queries.count_keys(session, context.viewer, owner) for owner in owners]


@strawberry.type
class KeyQuery:
    """Root fields that read API keys."""

    @strawberry.field(description="API keys by their public id: your own, and all for who may read the policy.")
    @needs(Act.READ, Kind.POLICY)
    async def api_keys(
        self,
        info: ContextInfo,
        user_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only those of this user.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[ApiKey]:
        """A page of keys."""
        owner = decode_optional_id(user_id, "User", field="userId")
        page = make_page(info.context, first, after, last, before)
        rows = await queries.list_keys(await info.context.session(), info.context.viewer, owner, page)
        return connect(rows, queries.KEYS, page, ApiKey.of, (_count, owner, {}))


def _scope(given: ApiKeyScopeInput) -> Grant:
    model_id = decode_optional_id(given.model_id, "TerritoryModel", field="scopes")
    return Grant(Role(given.role), model_id, given.path)


@strawberry.type
class KeyMutation:
    """Root fields that make and end API keys."""

    @strawberry.mutation(description="Make a key for a tool; the answer holds its secret, once.")
    @needs(Act.CREATE, Kind.POLICY)
    async def api_key_create(self, info: ContextInfo, input: ApiKeyCreateInput) -> ApiKeySecretPayload:
        """Make a key."""
        context = info.context

        async def make(work: UnitOfWork) -> service.NewKey:
            own = context.principal.user_id
            owner = own if input.user_id is None else decode_id(input.user_id, "User", field="userId")
            scopes = None if input.scopes is None else [_scope(scope) for scope in input.scopes]
            environment = _environment(context)
            return await service.make_key(
                work, owner, input.name, days=input.days, environment=environment, scopes=scopes
            )

        return await _secret_payload(context, await mutate(context, input, make))

    @strawberry.mutation(description="Replace a key: the answer holds the new secret, both work for a while.")
    @needs(Act.UPDATE, Kind.POLICY)
    async def api_key_rotate(self, info: ContextInfo, input: ApiKeyRotateInput) -> ApiKeySecretPayload:
        """Rotate a key."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.rotate_key(
                work, input.public_id, overlap_hours=input.overlap_hours, environment=_environment(info.context)
            ),
        )
        return await _secret_payload(info.context, outcome)

    @strawberry.mutation(description="End a key at once, in every process.")
    @needs(Act.DELETE, Kind.POLICY)
    async def api_key_revoke(self, info: ContextInfo, input: ApiKeyRevokeInput) -> ApiKeyPayload:
        """End a key."""
        outcome = await mutate(info.context, input, lambda work: service.end_key(work, input.public_id))
        return ApiKeyPayload(api_key=await _load(info.context, outcome.result), user_errors=outcome.errors)
