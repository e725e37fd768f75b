"""Every operation of the schema as every role in a model of every state, compared with the policy.

Operations are made from the schema, so that a new field is asked as well. A mutation runs as far as the end of its unit
of work and is rolled back there: reaching that end is what the policy must have allowed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from graphql import GraphQLField, GraphQLObjectType, get_named_type
from sqlalchemy import insert, text, update
from tests.factories.asking import EXECUTOR, SETTINGS, Asking, make_asking
from tests.factories.operations import Operations
from tests.factories.world import (
    ACCESS,
    make_account,
    make_model,
    make_opportunity,
    make_territory,
    make_type,
    make_user,
)

from etm_graph.api import make_schema
from etm_graph.core.access import Act, Grant, Kind, Role, StateGroup
from etm_graph.core.anchors import Anchor, AnchorKind
from etm_graph.core.criteria import Criterion, DataType, Operator
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import Database
from etm_graph.events.unit_of_work import UnitOfWork, Writer
from etm_graph.features.crm import service as crm
from etm_graph.features.models.tables import territory_model
from etm_graph.features.rules import service as rules
from etm_graph.features.territories import service as territories
from etm_graph.features.threads import service as threads
from etm_graph.graphql.declaring import Need, declarations
from etm_graph.graphql.execution import Operation
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import AuthMethod, Principal
from etm_graph.jobs.tables import job
from etm_graph.wiring import ANCHORS

SCHEMA = make_schema(SETTINGS)
NEEDS = declarations(SCHEMA).fields
STATES = {
    StateGroup.PLANNING: ModelState.PLANNING,
    StateGroup.ACTIVE: ModelState.ACTIVE,
    StateGroup.ARCHIVED: ModelState.ARCHIVED,
    StateGroup.TRANSITION: ModelState.ACTIVATING_FAILED,
}
OWN_RECORDS = {"roleGrants", "apiKeys", "presenceLeave"}
"""Fields that give or take one's own records for everybody, whatever else one may read."""

CONSTANT = {"__typename", "userErrors", "pageInfo", "nextWithinMs", "expiresInMs"}
"""Fields of payloads that are the same for everybody."""

OTHERWISE = {"territoryUpdate": (StateGroup.ACTIVE, Need(Act.UPDATE, Kind.MEMBERSHIP))}
"""In force a territory's forecast manager is set by those who may change its members."""

FINER = {"roleGrantCreate", "roleGrantRevoke"}
"""Allowed by the policy and then held to what the giver has (tests/features/governance/test_grants.py)."""

ALWAYS_IN = {"territoryModelCreate": StateGroup.PLANNING}
"""Operations whose state does not come from an id."""

OUTSIDE = {Kind.CRM, Kind.ORGANISATION, Kind.POLICY, Kind.AUDIT, Kind.JOB}
REFUSED = {"FORBIDDEN", "NOT_FOUND", "UNAUTHENTICATED"}


class Reached(Exception):
    """A use case came to its end."""


class Rolling(Writer):
    """Rolls every unit of work back at its end."""

    @asynccontextmanager
    async def unit_of_work(self, principal: Principal, *, message: str | None = None) -> AsyncIterator[UnitOfWork]:
        async with super().unit_of_work(principal, message=message) as work:
            yield work
            raise Reached

    async def note_refusal(self, principal: Principal, required: Any) -> None:
        """Refusals are audited elsewhere."""


@dataclass(frozen=True)
class Everything:
    """One model in each state, each with one of everything."""

    asking: Asking
    ids: dict[StateGroup, dict[str, str]]


async def one_of_everything(asking: Asking, owner: Principal, kind: int, state: StateGroup) -> dict[str, str]:
    world, name = asking.world, state.value.title()
    model = await make_model(world, owner, name)
    root = await make_territory(world, owner, model, kind, "Root")
    async with world.writer.unit_of_work(owner) as work:
        criteria = [Criterion(1, "industry", Operator("EQUALS"), ("X",))]
        rule = await rules.create_rule(work, model, "Rule", "Rule", criteria, None, is_active=True)
        member = await territories.add_member(work, root, owner.user_id, {})
        anchor = Anchor(AnchorKind.TERRITORY, root)
        thread = await threads.create_thread(work, ANCHORS, anchor, "Subject", "Body")
        comment = await threads.add_comment(work, thread, "Body")
    async with asking.database.write() as session:
        await session.execute(
            update(territory_model).where(territory_model.c.id == model).values(state=STATES[state].value)
        )
        job_id = await session.scalar(
            insert(job)
            .values(kind="run", model_id=model, arguments={}, state="SUCCEEDED", created_at=text("now()"))
            .returning(job.c.id)
        )
    found = {
        "TerritoryModel": model,
        "Territory": root,
        "AssignmentRule": rule,
        "TerritoryMembership": member,
        "Thread": thread,
        "Comment": comment,
        "Job": job_id,
        "TerritoryType": kind,
        "User": owner.user_id,
        "RoleGrant": 1,
    }
    return {name: encode_id(name, number) for name, number in found.items()}


@pytest.fixture
async def everything(database: Database) -> Everything:
    asking = make_asking(database)
    owner = await make_user(database, "owner", Role.ADMIN, Role.PLANNER)
    kind = await make_type(asking.world, owner)
    account = await make_account(database, "Acme", annual_revenue=100)
    async with asking.world.writer.unit_of_work(owner) as work:
        field = await crm.create_custom_field(work, "ACCOUNT", "Tier", "Tier", DataType.TEXT)
    shared = {
        "Account": encode_id("Account", account),
        "Opportunity": encode_id("Opportunity", await make_opportunity(database, account)),
        "CustomField": encode_id("CustomField", field),
    }
    ids = {state: {**await one_of_everything(asking, owner, kind, state), **shared} for state in STATES}
    writer = asking.world.writer
    rolling = Rolling(writer.database, writer.access, writer.reactions, writer.on_commit)
    return Everything(replace(asking, services=replace(asking.services, writer=rolling)), ids)


def root_fields(kind: str) -> dict[str, tuple[GraphQLField, Need]]:
    root = SCHEMA._schema.type_map[kind]
    assert isinstance(root, GraphQLObjectType)
    found = {name: (field, *NEEDS[f"{kind}.{name}"]) for name, field in root.fields.items()}
    return {name: (field, need) for name, (field, need) in found.items() if need.kind is not None}


def person(*grants: Grant, suspended: bool = False) -> Principal:
    return Principal(999_999, "who", grants, suspended, AuthMethod.JWT)


WHO = {**{role.value: person(Grant(role)) for role in Role}, "nobody": person()}
WHO["suspended"] = person(Grant(Role.ADMIN), Grant(Role.AUDITOR), suspended=True)


def allowed(who: Principal, need: Need, state: StateGroup) -> bool:
    assert need.act is not None
    assert need.kind is not None
    return ACCESS.allows(who, need.act, need.kind, state=state, model_id=1, own=False, now=datetime.now(UTC))


def cases(who: Principal, field: str, need: Need, definition: GraphQLField) -> dict[StateGroup, bool]:
    """The states to ask in, and whether the policy allows it: without an id the answer is over models of all states."""
    if field in ALWAYS_IN:
        return {ALWAYS_IN[field]: allowed(who, need, ALWAYS_IN[field])}
    if need.kind in OUTSIDE:
        return {StateGroup.ACTIVE: allowed(who, need, StateGroup.ACTIVE)}
    named = any(
        get_named_type(a.type).name in {"ID", "DateTime"} or str(a.type).endswith("Input!")
        for a in definition.args.values()
    )
    if not named:
        return {StateGroup.ACTIVE: any(allowed(who, need, state) for state in STATES)}
    found = {state: allowed(who, need, state) for state in STATES}
    if field in OTHERWISE:
        state, other = OTHERWISE[field]
        found[state] = found[state] or allowed(who, other, state)
    return found


def codes(body: dict[str, Any]) -> set[str]:
    """The codes of an answer, at the top and in `userErrors`."""
    found = {str(error["extensions"]["code"]) for error in body.get("errors", ())}
    for value in (body.get("data") or {}).values():
        if isinstance(value, dict):
            found |= {error["code"] for error in value.get("userErrors") or ()}
    return found


def tells_nothing(body: dict[str, Any]) -> bool:
    """Whether an answer holds no data but empty lists, constants and errors."""
    for value in (body.get("data") or {}).values():
        told = value if isinstance(value, dict) else {"value": value}
        if any(item for key, item in told.items() if key not in CONSTANT):
            return False
    return True


@pytest.mark.parametrize("name", WHO)
async def test_queries_tell_what_the_policy_allows_and_nothing_else(everything: Everything, name: str) -> None:
    who, wrong = WHO[name], []
    for field, (definition, need) in root_fields("Query").items():
        for state, may in cases(who, field, need, definition).items():
            document, variables = Operations(everything.ids[state]).document("query", field, definition)
            body = await everything.asking.ask(who, document, **variables)
            if may:
                if "FORBIDDEN" in codes(body) or "INTERNAL" in codes(body):
                    wrong.append(f"{field} {state}: refused {body}")
            elif not tells_nothing(body) and field not in OWN_RECORDS:
                wrong.append(f"{field} {state}: told {body}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", WHO)
async def test_mutations_come_to_their_end_only_where_the_policy_allows(everything: Everything, name: str) -> None:
    who, wrong, reached = WHO[name], [], set()
    for field, (definition, need) in root_fields("Mutation").items():
        for state, may in cases(who, field, need, definition).items():
            document, variables = Operations(everything.ids[state]).document("mutation", field, definition)
            body = await everything.asking.ask(who, document, **variables)
            found = codes(body)
            if "INTERNAL" in found:
                reached.add(field)
            if may:
                if "FORBIDDEN" in found and field not in FINER:
                    wrong.append(f"{field} {state}: refused {body}")
            elif "INTERNAL" in found or not ((found or field in OWN_RECORDS) and tells_nothing(body)):
                wrong.append(f"{field} {state}: done {body}")
    assert not wrong, "\n".join(wrong)
    if name == "admin":
        assert reached >= {"userCreate", "accountCreate", "territoryModelCreate", "territoryCreate"}
    if name in {"nobody", "suspended"}:
        assert reached == set()


@pytest.mark.parametrize("name", WHO)
async def test_node_finds_what_the_policy_allows_and_nothing_else(everything: Everything, name: str) -> None:
    who, wrong = WHO[name], []
    for state, ids in everything.ids.items():
        for kind, global_id in ids.items():
            (need,) = NEEDS[f"{kind}.id"]
            if need.kind in OUTSIDE and state is not StateGroup.ACTIVE:
                continue
            body = await everything.asking.ask(who, "query($i: ID!) { node(id: $i) { __typename } }", i=global_id)
            found = (body["data"] or {}).get("node") is not None
            may = allowed(who, need, state) or (
                kind == "RoleGrant" and allowed(who, Need(Act.GRANT, Kind.POLICY), state)
            )
            if found != may and not may_through_model(who, kind, state):
                wrong.append(f"{kind} {state}: {found}")
    assert not wrong, "\n".join(wrong)


def may_through_model(who: Principal, kind: str, state: StateGroup) -> bool:
    """Jobs are read by those who may read jobs and their model."""
    return kind == "Job" and not allowed(who, Need(Act.READ, Kind.MODEL), state)


@pytest.mark.parametrize("name", WHO)
async def test_subscriptions_begin_only_where_the_policy_allows(everything: Everything, name: str) -> None:
    who, wrong = WHO[name], []
    for field, (definition, need) in root_fields("Subscription").items():
        for state, may in cases(who, field, need, definition).items():
            document, variables = Operations(everything.ids[state]).document("subscription", field, definition)
            body = await first(everything.asking, who, document, variables)
            if may:
                if codes(body) & {"FORBIDDEN"}:
                    wrong.append(f"{field} {state}: refused {body}")
            elif not tells_nothing(body):
                wrong.append(f"{field} {state}: told {body}")
    assert not wrong, "\n".join(wrong)


async def first(asking: Asking, who: Principal, document: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The first answer of a subscription; an empty one when none comes."""
    async with aclosing(EXECUTOR.stream(Operation(document, variables), asking.context(who))) as answers:
        try:
            return (await asyncio.wait_for(anext(answers), 0.5)).body()
        except (TimeoutError, StopAsyncIteration):
            return {}


@pytest.mark.parametrize(
    ("who", "state"),
    [
        (person(Grant(Role.VIEWER)), StateGroup.PLANNING),
        (person(Grant(Role.MANAGER, None, "/Elsewhere/")), StateGroup.ACTIVE),
        (person(Grant(Role.PLANNER, None, "/Elsewhere/")), StateGroup.PLANNING),
    ],
)
async def test_an_unreadable_id_and_an_unknown_one_give_the_same_answer(
    everything: Everything, who: Principal, state: StateGroup
) -> None:
    """Of every operation with ids: a viewer asks about a draft, and people of another branch about this one."""
    wrong = []
    here = dict(everything.ids[state])
    if state is StateGroup.ACTIVE or who.grants[0].path != "/":
        del here["TerritoryModel"], here["Job"]  # who has a branch reads its model
    nowhere = {kind: encode_id(kind, 888_888) for kind in here}
    kept = {kind: here[kind] for kind in ("User", "TerritoryType", "Account", "Opportunity", "CustomField")}
    for root in ("Query", "Mutation"):
        for field, (definition, _need) in root_fields(root).items():
            answers = []
            for ids in ({**everything.ids[state], **here}, {**everything.ids[state], **nowhere, **kept}):
                document, variables = Operations(ids).document(root.lower(), field, definition)
                text_ = str(await everything.asking.ask(who, document, **variables))
                for value in ids.values():
                    text_ = text_.replace(value, "ID")
                answers.append(text_)
            if answers[0] != answers[1]:
                wrong.append("\n  ".join((field, *answers)))
    assert not wrong, "\n".join(wrong)
