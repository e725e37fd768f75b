"""GraphQL that explains access: what the viewer can do, why somebody may or may not, who may see a record and how."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import strawberry
from strawberry.types import Info

from etm_graph.access.decisions import covers, is_live
from etm_graph.access.grants import load_grants
from etm_graph.access.snapshot import effective_state
from etm_graph.core.access import Grant
from etm_graph.core.errors import NotFound
from etm_graph.core.record_access import RecordAccess, RecordKind, Way, effective_access
from etm_graph.features.crm import queries as crm
from etm_graph.features.crm.schema.types import (
    Account,
    CustomField,
    Opportunity,
    User,
    load_accounts,
    load_opportunities,
    load_users,
)
from etm_graph.features.governance import queries
from etm_graph.features.governance.schema.vocabulary import Act, Kind, Role, StateGroup
from etm_graph.features.models import queries as models
from etm_graph.features.models.schema.types import TerritoryModel, TerritoryType
from etm_graph.features.rules.schema.types import AssignmentRule
from etm_graph.features.territories.schema.types import AccessLevel, Territory, TerritoryMembership, load_territories
from etm_graph.features.threads.schema.types import Comment, Thread
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs, open_to_callers
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import decode_id, decode_optional_id, split_id
from etm_graph.identity.principal import AuthMethod, Principal

ContextInfo = Info[Context, None]
TYPES = (Account, Opportunity, User, CustomField, TerritoryType, TerritoryModel, Territory, TerritoryMembership)
DISCUSSED = (AssignmentRule, Thread, Comment)


@strawberry.type(description="Whether an act is allowed, and what decided.")
class AccessDecision:
    """A decision of the policy."""

    allowed: bool = strawberry.field(description="Whether it is allowed now.")
    rule: str | None = strawberry.field(
        description="The row of policy.csv that decided: role, kind, state, act, whose, effect; null when none fits."
    )
    roles: list[Role] = strawberry.field(description="The roles that count for this object.")
    would_allow: list[Role] = strawberry.field(description="Roles that would allow it by themselves, granted there.")
    policy_version: str = strawberry.field(description="The policy under which it was decided.")


def _decide(
    context: Context, principal: Principal, act: Act, place: queries.Place, kind: Kind | None
) -> AccessDecision:
    access, of = context.viewer.access, kind or place.kind
    state = place.state or StateGroup.ACTIVE
    where: dict[str, Any] = {"model_id": place.model_id, "path": place.path}
    own = place.owner_id is not None and place.owner_id == principal.user_id
    decision = access.explain(principal, act, of, state=state, own=own, now=context.now, **where)
    roles = access.roles_covering(principal, act, of, now=context.now, **where)
    group = effective_state(of, state)
    return AccessDecision(
        allowed=decision.allowed and bool(roles),
        rule=", ".join(decision.row) or None,
        roles=sorted(roles),
        would_allow=list(access.snapshot.roles_allowing(of, group, act, own=own)),
        policy_version=access.snapshot.version,
    )


ActArgument = Annotated[Act, strawberry.argument(description="What is to be done.")]
KindArgument = Annotated[
    Kind | None,
    strawberry.argument(description="To what; null means the object itself, a kind something that belongs to it."),
]


@open_to_callers("whoever sees an object may know what they can do with it")
async def _viewer_can(
    parents: Sequence[Any], context: Context, act: ActArgument, kind: KindArgument = None
) -> list[AccessDecision]:
    session, of = await context.session(), None if kind is None else Kind(kind)
    keys: dict[str, set[int]] = defaultdict(set)
    for parent in parents:
        keys[_name(parent)].add(parent.key)
    found = {name: await queries.places(session, name, wanted) for name, wanted in keys.items()}
    return [_decide(context, context.principal, Act(act), found[_name(p)][p.key], of) for p in parents]


def _name(parent: object) -> str:
    return type(parent).__name__


for _owner in (*TYPES, *DISCUSSED):
    extend(
        _owner,
        "viewer_can",
        AccessDecision,
        batched(_viewer_can, description="Whether you may do something with it now, and what decides."),
    )


@strawberry.type(description="A grant of a user, and whether it counts for the object that was asked about.")
class ConsideredGrant:
    """One grant."""

    role: Role = strawberry.field(description="Its role.")
    path: str = strawberry.field(description="The path below which it counts.")
    in_every_model: bool = strawberry.field(description="Whether it counts in every model.")
    counts: bool = strawberry.field(description="Whether it counts here.")
    reason: str = strawberry.field(description="Why it counts, or does not.")


def _considered(context: Context, grant: Grant, act: Act, kind: Kind, place: queries.Place) -> ConsideredGrant:
    live = is_live(grant, context.now)
    reaches = covers(grant, act, kind, place.model_id, place.path)
    reason = f"It ended at {grant.expires_at}."
    if live and reaches:
        reason = "It reaches the object."
    elif live:
        elsewhere = grant.model_id is not None and grant.model_id != place.model_id
        reason = "It is on another model." if elsewhere else f"{place.path} is not below {grant.path}."
    return ConsideredGrant(
        role=grant.role, path=grant.path, in_every_model=grant.model_id is None, counts=live and reaches, reason=reason
    )


@strawberry.type(description="Why a user may or may not do something.")
@needs(Act.READ, Kind.POLICY)
class AccessExplanation:
    """A decision with everything that was looked at."""

    decision: AccessDecision = strawberry.field(description="The decision, and which roles would allow it.")
    suspended: bool = strawberry.field(description="Whether the user is suspended, which denies everything.")
    grants: list[ConsideredGrant] = strawberry.field(description="The user's grants, each with whether it counts.")
    kind: Kind = strawberry.field(description="What the policy was asked about.")
    state: StateGroup = strawberry.field(description="The state that the policy was asked about.")


def _levels(levels: Mapping[RecordKind, str]) -> tuple[AccessLevel, AccessLevel, AccessLevel, AccessLevel]:
    account, opportunity, contact, case = (AccessLevel(levels[kind]) for kind in RecordKind)
    return account, opportunity, contact, case


@strawberry.type(description="How a user comes to a record.")
class RecordWay:
    """One way."""

    member_key: strawberry.Private[int]
    through_key: strawberry.Private[int]
    account_level: AccessLevel = strawberry.field(description="What it gives for the account.")
    opportunity_level: AccessLevel = strawberry.field(description="What it gives for its opportunities.")
    contact_level: AccessLevel = strawberry.field(description="What it gives for its contacts.")
    case_level: AccessLevel = strawberry.field(description="What it gives for its cases.")
    member_of: Territory | None = batched(
        lambda ways, context: load_territories([way.member_key for way in ways], context),
        description="The territory that the user is a member of.",
    )
    through: Territory | None = batched(
        lambda ways, context: load_territories([way.through_key for way in ways], context),
        description="The territory that the record is in, the same or one below; its levels count.",
    )

    @classmethod
    def of(cls, way: Way) -> "RecordWay":
        """The GraphQL form of a way."""
        account, opportunity, contact, case = _levels(way.levels)
        return cls(
            member_key=way.member_of,
            through_key=way.through,
            account_level=account,
            opportunity_level=opportunity,
            contact_level=contact,
            case_level=case,
        )


@strawberry.type(description="What a user may do with a record through territories: the highest of all ways.")
@needs(Act.READ, Kind.POLICY)
class EffectiveAccess:
    """A user's levels."""

    user_key: strawberry.Private[int]
    account_level: AccessLevel = strawberry.field(description="With the account.")
    opportunity_level: AccessLevel = strawberry.field(description="With its opportunities.")
    contact_level: AccessLevel = strawberry.field(description="With its contacts.")
    case_level: AccessLevel = strawberry.field(description="With its cases.")
    ways: list[RecordWay] = strawberry.field(description="How the user comes to it.")
    user: User | None = batched(
        lambda found, context: load_users([one.user_key for one in found], context), description="Who."
    )

    @classmethod
    def of(cls, access: RecordAccess) -> "EffectiveAccess":
        """The GraphQL form of a user's access."""
        account, opportunity, contact, case = _levels(access.levels)
        return cls(
            user_key=access.user_id,
            account_level=account,
            opportunity_level=opportunity,
            contact_level=contact,
            case_level=case,
            ways=[RecordWay.of(way) for way in access.ways],
        )


async def _record(context: Context, global_id: str) -> tuple[int, int | None]:
    """The account of a record, and the opportunity when it is one; raises `NotFound`."""
    name, number = split_id(global_id)
    if name == "Account" and (await load_accounts([number], context))[0] is not None:
        return number, None
    if name == "Opportunity":
        (found,) = await load_opportunities([number], context)
        if found is not None:
            return found.account_key, number
    raise NotFound("There is no such record.", field=["id"])


@strawberry.type
class ExplainQuery:
    """Root fields that explain access."""

    @strawberry.field(description="Why a user may or may not do something with an object, and what would change that.")
    @needs(Act.READ, Kind.POLICY)
    async def explain_access(
        self,
        info: ContextInfo,
        user_id: Annotated[strawberry.ID, strawberry.argument(description="Whose access.")],
        act: ActArgument,
        id: Annotated[strawberry.ID, strawberry.argument(description="The object's global id.")],
        kind: KindArgument = None,
    ) -> AccessExplanation:
        """Explain."""
        context = info.context
        context.viewer.require(Act.READ, Kind.POLICY)
        session, number = await context.session(), decode_id(user_id, "User", field="userId")
        user = (await crm.users_by_id(session, [number])).get(number)
        type_name, key = split_id(id)
        place = (await queries.places(session, type_name, {key})).get(key)
        if user is None or place is None:
            raise NotFound("There is no such user or object.", field=["userId" if user is None else "id"])
        grants = await load_grants(session, number)
        who = Principal(number, user.user_name, grants, user.suspended or not user.active, AuthMethod.SYSTEM)
        asked, of = Act(act), place.kind if kind is None else Kind(kind)
        return AccessExplanation(
            decision=_decide(context, who, asked, replace(place, kind=of), None),
            suspended=who.suspended,
            grants=[_considered(context, grant, asked, of, place) for grant in grants],
            kind=of,
            state=effective_state(of, place.state or StateGroup.ACTIVE),
        )

    @strawberry.field(
        description="Who may see or edit an account, its opportunities, contacts and cases through territories, and how. "
        "Your own access, or everybody's for who may read the policy."
    )
    @needs(Act.READ, Kind.POLICY)
    async def effective_access(
        self,
        info: ContextInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="The account or opportunity.")],
        user_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only this user.")] = None,
        model_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="In this model; null for the active one.")
        ] = None,
    ) -> list[EffectiveAccess]:
        """Explain who may see a record."""
        context = info.context
        wanted = decode_optional_id(user_id, "User", field="userId")
        if wanted != context.principal.user_id:
            context.viewer.require(Act.READ, Kind.POLICY)
        session = await context.session()
        model = decode_optional_id(model_id, "TerritoryModel", field="modelId") or await models.active_model_id(session)
        account_id, opportunity_id = await _record(context, id)
        if model is None or model not in await models.models_by_id(session, context.viewer, {model}):
            return []
        places = await queries.record_territories(session, model, account_id, opportunity_id)
        members = await queries.members_leading_to(session, model, places, context.now.date())
        found = effective_access(places, members).values()
        return [EffectiveAccess.of(one) for one in found if wanted in {None, one.user_id}]
