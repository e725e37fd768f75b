"""Structures of models: read by name, gone back to by the log, compared as each viewer may."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from tests.factories.world import (
    World,
    make_account,
    make_model,
    make_territory,
    make_type,
    make_user,
    make_world,
    viewer,
)

from etm_graph.core.access import Grant, Role
from etm_graph.core.changes import EntityType
from etm_graph.core.criteria import Criterion, Operator
from etm_graph.core.diff import DifferenceKind, diff
from etm_graph.core.errors import Invalid, NotFound
from etm_graph.core.structure import Structure
from etm_graph.db.sessions import Database
from etm_graph.events.log import read_changes
from etm_graph.events.tables import change
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment import service as alignment
from etm_graph.features.comparisons.queries import load_structures
from etm_graph.features.comparisons.service import (
    Comparand,
    Comparison,
    DifferenceFilter,
    compare,
    select_differences,
)
from etm_graph.features.models import service as models
from etm_graph.features.rules import service as rules
from etm_graph.features.rules.service.rules import locate_rule
from etm_graph.features.scenarios.service import clone_model
from etm_graph.features.territories import service as territories
from etm_graph.features.territories.queries import ids_by_name
from etm_graph.identity.principal import Principal

WEST = (Criterion(1, "billing_state", Operator.EQUALS, ("CA",)),)
EAST = (Criterion(1, "billing_state", Operator.EQUALS, ("NY", "MA")),)


@dataclass
class Draft:
    """A draft World > (Europe > DE, Asia) with a rule, a member, decisions; `step` edits it and notes what it was."""

    world: World
    planner: Principal
    model_id: int
    type_id: int
    account_id: int
    keys: dict[str, int]
    past: dict[int, Structure] = field(default_factory=dict)

    async def now(self) -> Structure:
        async with self.world.database.read() as session:
            return (await load_structures(session, [self.model_id]))[self.model_id]

    async def look(self, sequence: int | None = None, who: Principal | None = None) -> Comparison:
        async with self.world.database.read() as session:
            base, other = Comparand(self.model_id, sequence), Comparand(self.model_id)
            return await compare(session, viewer(who or self.planner), base, other)

    async def step(self, use_case: Callable[[UnitOfWork], Awaitable[Any]]) -> Any:
        self.past[(await self.look()).other.sequence] = await self.now()
        async with self.world.writer.unit_of_work(self.planner) as work:
            return await use_case(work)


@pytest.fixture
async def draft(database: Database) -> Draft:
    world = make_world(database)
    admin = await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    type_id = await make_type(world, admin)
    model_id = await make_model(world, planner)
    keys: dict[str, int] = {}
    for name, parent in (("World", ""), ("Europe", "World"), ("DE", "Europe"), ("Asia", "World")):
        keys[name] = await make_territory(world, planner, model_id, type_id, name, keys.get(parent))
    return Draft(world, planner, model_id, type_id, await make_account(database, "Acme"), keys)


async def edit_everything(draft: Draft) -> None:
    """One edit of every kind that a structure knows, each noted."""
    keys, account, planner = draft.keys, draft.account_id, draft.planner.user_id
    engine, step = draft.world.engine, draft.step
    de, asia = keys["DE"], keys["Asia"]

    member = await step(
        lambda work: territories.add_member(
            work, de, planner, {"role_in_territory": "Rep", "effective_from": date(2026, 1, 1)}
        )
    )
    await step(lambda work: territories.update_territory(work, de, 0, {"forecast_manager_id": planner}))
    await step(lambda work: territories.update_territory(work, de, 0, {"name": "Germany", "inherit_only": True}))
    rule = await step(lambda work: rules.create_rule(work, draft.model_id, "West", "West", WEST))
    await step(lambda work: rules.link_rule(work, rule, de, applies_to_descendants=False))
    await step(lambda work: rules.link_rule(work, rule, de, applies_to_descendants=True))
    await step(lambda work: rules.update_rule(work, rule, 0, {"is_active": False}, EAST))
    await step(lambda work: alignment.assign_account(work, engine, de, account))
    await step(lambda work: alignment.exclude_account(work, engine, asia, account, "Not theirs"))
    await step(lambda work: alignment.include_account(work, engine, asia, account))
    await step(lambda work: alignment.exclude_account(work, engine, de, account, "Stays out"))
    await step(lambda work: models.set_type_priority(work, draft.model_id, draft.type_id, 77, 0))
    await step(lambda work: territories.move_territory(work, de, asia, 0))
    await step(lambda work: territories.update_member(work, member, 0, {"role_in_territory": "Lead"}))
    await step(lambda work: territories.move_territory(work, asia, None, 0))
    await step(lambda work: delete_all(work, asia))
    again = await step(lambda work: rules.create_rule(work, draft.model_id, "East", "East", EAST))
    await step(lambda work: rules.link_rule(work, again, keys["World"], applies_to_descendants=True))
    await step(lambda work: delete_rule(work, again))
    await step(
        lambda work: territories.create_territory(work, draft.model_id, keys["World"], "DE", "Again", draft.type_id)
    )


async def delete_all(work: UnitOfWork, territory_id: int) -> None:
    _, row = await territories.locate(work, territory_id)
    await territories.delete_territory(work, territory_id, row.version, with_descendants=True)


async def delete_rule(work: UnitOfWork, rule_id: int) -> None:
    _, row = await locate_rule(work, rule_id)
    await rules.delete_rule(work, rule_id, row.version)


async def test_every_earlier_structure_is_rebuilt_from_the_log(draft: Draft) -> None:
    await edit_everything(draft)
    assert len(draft.past) == 20
    rebuilt = {sequence: (await draft.look(sequence)).base.whole for sequence in draft.past}
    for sequence, structure in draft.past.items():
        assert diff(structure, rebuilt[sequence]) == (), sequence


async def test_a_draft_is_compared_with_an_earlier_time_of_its_own(draft: Draft) -> None:
    before = (await draft.look()).other.sequence
    await edit_everything(draft)
    found = await draft.look(before)
    assert [(item.entity_type.value, item.key, [kind.value for kind in item.kinds]) for item in found.differences] == [
        ("TYPE_PRIORITY", "Geography", ["CHANGED"]),
        ("TERRITORY", "Asia", ["REMOVED"]),
        ("TERRITORY", "DE", ["MOVED", "RENAMED"]),
        ("RULE", "West", ["ADDED"]),
    ]
    assert (found.base.sequence, found.base.is_past, found.other.is_past) == (before, True, False)


async def test_a_clone_differs_from_its_origin_by_what_was_edited_since(draft: Draft) -> None:
    await draft.step(lambda work: territories.add_member(work, draft.keys["DE"], draft.planner.user_id, {}))
    origin = draft.model_id
    copied = await draft.step(lambda work: clone_model(work, origin, "Copy", "Copy"))
    assert (await between(draft, origin, copied)).differences == ()
    async with draft.world.database.read() as session:
        keys = await ids_by_name(session, {(copied, "DE"), (copied, "Asia")})
    async with draft.world.writer.unit_of_work(draft.planner) as work:
        await territories.move_territory(work, keys[copied, "DE"], keys[copied, "Asia"], 0)
        await alignment.exclude_account(work, draft.world.engine, keys[copied, "Asia"], draft.account_id)
    found = await between(draft, origin, copied)
    assert [(item.key, item.kinds) for item in found.differences] == [
        ("DE", (DifferenceKind.MOVED,)),
        (f"Asia/{draft.account_id}", (DifferenceKind.ADDED,)),
    ]


async def between(draft: Draft, base: int, other: int) -> Comparison:
    async with draft.world.database.read() as session:
        return await compare(session, viewer(draft.planner), Comparand(base), Comparand(other))


async def test_differences_are_filtered_by_type_kind_subtree_user_and_account(draft: Draft) -> None:
    start = (await draft.look()).other.sequence
    await edit_everything(draft)
    last = sorted(draft.past)[-5]  # before the subtree was deleted
    async with draft.world.database.read() as session:
        found = await compare(
            session, viewer(draft.planner), Comparand(draft.model_id, start), Comparand(draft.model_id, last)
        )

    def keys(**given: Any) -> list[str]:
        return [item.key for item in select_differences(found, DifferenceFilter(**given))]

    account = draft.account_id
    of_de = ["DE", "West/DE", "DE/planner", f"DE/{account}", f"DE/{account}"]
    assert keys() == ["Geography", "Asia", "DE", "West", *of_de[1:]]
    assert keys(entity_types=frozenset({EntityType.RULE, EntityType.RULE_LINK})) == ["West", "West/DE"]
    assert keys(kinds=frozenset({DifferenceKind.MOVED})) == ["Asia", "DE"]
    assert keys(within="Europe") == of_de
    assert keys(within="Asia") == ["Asia", *of_de]
    assert keys(user_name="planner") == of_de
    assert keys(user_name="somebody") == []
    assert keys(account_id=account) == of_de[3:]
    assert keys(within="Europe", kinds=frozenset({DifferenceKind.ADDED})) == of_de[1:]


async def test_a_viewer_of_a_subtree_sees_what_comes_into_it_as_added(draft: Draft) -> None:
    before = (await draft.look()).other.sequence
    europe = await make_user(draft.world.database, "europe", grants=(Grant(Role.PLANNER, None, "/World/Europe/"),))
    asia = await make_user(draft.world.database, "asia", grants=(Grant(Role.PLANNER, None, "/World/Asia/"),))
    await draft.step(lambda work: territories.move_territory(work, draft.keys["DE"], draft.keys["Asia"], 0))
    await draft.step(lambda work: models.set_type_priority(work, draft.model_id, draft.type_id, 77, 0))
    seen = {
        name: [(item.key, item.kinds, item.before is None) for item in (await draft.look(before, who)).differences]
        for name, who in (("europe", europe), ("asia", asia))
    }
    assert seen == {
        "europe": [("Geography", (DifferenceKind.CHANGED,), False), ("DE", (DifferenceKind.REMOVED,), False)],
        "asia": [("Geography", (DifferenceKind.CHANGED,), False), ("DE", (DifferenceKind.ADDED,), True)],
    }


async def test_models_that_may_not_be_read_and_sequences_that_are_not_kept_are_refused(draft: Draft) -> None:
    rep = await make_user(draft.world.database, "rep", Role.REP)
    with pytest.raises(NotFound) as missing:
        await draft.look(who=rep)
    assert missing.value.field == ("base", "modelId")
    for sequence in (0, 6):
        with pytest.raises(Invalid) as caught:
            await draft.look(sequence)
        assert caught.value.field == ("base", "sequence")
    assert (await draft.look(5)).differences == ()
    assert [item.key for item in (await draft.look(4)).differences] == ["Asia"]


async def test_a_deletion_that_does_not_tell_what_was_deleted_cannot_be_gone_behind(draft: Draft) -> None:
    before = (await draft.look()).other.sequence
    await draft.step(lambda work: delete_all(work, draft.keys["Asia"]))
    async with draft.world.database.write() as session:
        await session.execute(change.update().where(change.c.seq == before + 1).values(before={}))
    with pytest.raises(Invalid, match=f"Change {before + 1} deleted Asia without noting what it was"):
        await draft.look(before)


async def test_a_deleted_subtree_tells_everything_that_goes_with_it(draft: Draft) -> None:
    await draft.step(lambda work: territories.add_member(work, draft.keys["DE"], draft.planner.user_id, {}))
    rule = await draft.step(lambda work: rules.create_rule(work, draft.model_id, "West", "West", WEST))
    await draft.step(lambda work: rules.link_rule(work, rule, draft.keys["DE"], applies_to_descendants=True))
    await draft.step(
        lambda work: alignment.assign_account(work, draft.world.engine, draft.keys["DE"], draft.account_id)
    )
    head = (await draft.look()).other.sequence
    async with draft.world.writer.unit_of_work(draft.planner) as work:
        await territories.move_territory(work, draft.keys["Europe"], None, 0)
        await delete_all(work, draft.keys["Europe"])
    async with draft.world.database.read() as session:
        told = await read_changes(session, draft.model_id, head, 100)
    assert [(item.draft.entity_type.value, item.draft.kind.value, item.draft.key) for item in told] == [
        ("TERRITORY", "MOVED", "Europe"),
        ("ASSIGNMENT", "DELETED", f"DE/{draft.account_id}"),
        ("RULE_LINK", "DELETED", "West/DE"),
        ("MEMBERSHIP", "DELETED", "DE/planner"),
        ("TERRITORY", "DELETED", "DE"),
        ("TERRITORY", "DELETED", "Europe"),
    ]
    assert told[4].draft.before["name"] == "De"
    assert told[3].draft.before["user_id"] == draft.planner.user_id
