"""Use cases of the CRM: what they write, what they announce, what they refuse."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, select
from tests.factories.world import ACCESS, make_account, make_opportunity, make_user

from etm_graph.core.access import Role
from etm_graph.core.changes import CRM_STREAM, Change, ChangeKind, EntityType
from etm_graph.core.criteria import DataType
from etm_graph.core.errors import Conflict, Cycle, ExpectedError, Forbidden, InUse, Invalid, NotFound, Taken
from etm_graph.db.sessions import Database
from etm_graph.events.log import read_changes
from etm_graph.events.unit_of_work import UnitOfWork, Writer
from etm_graph.features.crm import service
from etm_graph.features.crm.service import AccountsChanged, CustomFieldDeleting, OpportunitiesChanged, UsersChanged
from etm_graph.features.crm.tables import account, app_user, custom_field, exchange_rate, opportunity
from etm_graph.identity.principal import Principal


@dataclass
class Crm:
    """A CRM with an administrator; what is announced is noted."""

    database: Database
    admin: Principal
    told: list[object] = field(default_factory=list)

    async def do(self, use_case: Any, *arguments: Any, by: Principal | None = None) -> Any:
        async def note(work: UnitOfWork, happening: object) -> None:
            self.told.append(happening)

        kinds = (AccountsChanged, OpportunitiesChanged, UsersChanged, CustomFieldDeleting)
        writer = Writer(self.database, ACCESS, dict.fromkeys(kinds, [note]), lambda heads: None)
        async with writer.unit_of_work(by or self.admin) as work:
            return await use_case(work, *arguments)

    async def refuses(self, error: type[ExpectedError], use_case: Any, *arguments: Any) -> ExpectedError:
        """The error; nothing was written and nobody was told."""
        before, told = await self.everything(), list(self.told)
        with pytest.raises(error) as caught:
            await self.do(use_case, *arguments)
        assert await self.everything() == before
        assert self.told == told
        return caught.value

    async def everything(self) -> list[Sequence[Any]]:
        async with self.database.read() as session:
            tables = (account, app_user, custom_field, opportunity)
            return [await session.rows(select(table).order_by(table.c.id)) for table in tables]

    async def row(self, table: Any, row_id: int) -> Any:
        async with self.database.read() as session:
            return await session.row(select(table).where(table.c.id == row_id))

    async def changes(self) -> Sequence[Change]:
        async with self.database.read() as session:
            return await read_changes(session, CRM_STREAM, 0, 100)


@pytest.fixture
async def crm(database: Database) -> Crm:
    return Crm(database, await make_user(database, "admin", Role.ADMIN))


async def test_a_user_is_created_with_what_was_left_out_by_default(crm: Crm) -> None:
    user_id = await crm.do(service.create_user, " ann ", {"name": " Ann ", "email": "ann@x.example"})
    row = await crm.row(app_user, user_id)
    assert (row.user_name, row.name, row.time_zone, row.locale, row.active, row.version) == (
        "ann",
        "Ann",
        "UTC",
        "en-GB",
        True,
        1,
    )
    assert crm.told == [UsersChanged((user_id,))]


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"name": "", "email": "a@x"}, ("name",)),
        ({"name": None, "email": "a@x"}, ("name",)),
        ({"name": "A", "email": "nowhere"}, ("email",)),
        ({"name": "A", "email": "a@x", "time_zone": "Mars/Olympus"}, ("timeZone",)),
        ({"name": "A\x00", "email": "a@x"}, ("name",)),
    ],
)
async def test_a_user_with_a_wrong_value_is_refused(crm: Crm, values: dict[str, Any], where: tuple[str, ...]) -> None:
    assert (await crm.refuses(Invalid, service.create_user, "ann", values)).field == where


async def test_a_user_name_is_unique(crm: Crm) -> None:
    error = await crm.refuses(Taken, service.create_user, "admin ", {"name": "A", "email": "a@x"})
    assert error.field == ("userName",)


async def test_a_manager_may_not_report_to_the_own_report(crm: Crm) -> None:
    top = await crm.do(service.create_user, "top", {"name": "T", "email": "t@x"})
    middle = await crm.do(service.create_user, "middle", {"name": "M", "email": "m@x", "manager_id": top})
    low = await crm.do(service.create_user, "low", {"name": "L", "email": "l@x", "manager_id": middle})
    for manager in (top, middle, low):
        error = await crm.refuses(Cycle, service.update_user, top, 1, {"manager_id": manager})
        assert error.field == ("managerId",)
    await crm.refuses(NotFound, service.update_user, top, 1, {"manager_id": 999})


async def test_deleting_a_user_in_use_says_by_what(crm: Crm) -> None:
    user_id = await crm.do(service.create_user, "ann", {"name": "Ann", "email": "a@x"})
    account_id = await make_account(crm.database, "A", owner_id=user_id)
    await make_opportunity(crm.database, account_id, owner_id=user_id)
    await crm.do(service.create_user, "bob", {"name": "Bob", "email": "b@x", "manager_id": user_id})
    error = await crm.refuses(InUse, service.delete_user, user_id)
    assert error.message.endswith("It is owner of 1 accounts, owner of 1 opportunities, manager of 1 users.")


async def test_a_user_whom_nothing_refers_to_is_deleted(crm: Crm) -> None:
    user_id = await crm.do(service.create_user, "ann", {"name": "Ann", "email": "a@x"})
    await crm.do(service.delete_user, user_id, 1)
    assert await crm.row(app_user, user_id) is None
    assert (await crm.changes())[-1].draft.kind is ChangeKind.DELETED


async def test_an_account_has_the_currency_of_the_organisation_and_is_announced(crm: Crm) -> None:
    account_id = await crm.do(service.create_account, {"name": "Acme", "annual_revenue": Decimal("10.005")})
    row = await crm.row(account, account_id)
    assert (row.name, row.currency, row.annual_revenue, row.version) == ("Acme", "USD", Decimal("10.00"), 1)
    assert crm.told == [AccountsChanged((account_id,))]
    (change,) = await crm.changes()
    assert (change.draft.entity_type, change.draft.entity_id) == (EntityType.ACCOUNT, account_id)


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"name": None}, ("name",)),
        ({"currency": None}, ("currency",)),
        ({"currency": "EUR"}, ("currency",)),
        ({"employees": -1}, ("employees",)),
        ({"latitude": 90.5}, ("latitude",)),
        ({"annual_revenue": Decimal("1e18")}, ("annualRevenue",)),
        ({"annual_revenue": Decimal("NaN")}, ("annualRevenue",)),
        ({"excluded_from_realignment": None}, ("excludedFromRealignment",)),
        ({"billing_city": "x\x00"}, ("billingCity",)),
    ],
)
async def test_an_account_with_a_wrong_value_is_refused(
    crm: Crm, values: dict[str, Any], where: tuple[str, ...]
) -> None:
    account_id = await make_account(crm.database, "Acme")
    assert (await crm.refuses(Invalid, service.update_account, account_id, 0, values)).field == where


async def test_a_currency_with_an_exchange_rate_is_accepted(crm: Crm) -> None:
    async with crm.database.write() as session:
        await session.execute(insert(exchange_rate).values(currency="EUR", effective_from=date(2026, 1, 1), rate=1))
    account_id = await crm.do(service.create_account, {"name": "Acme", "currency": "EUR"})
    assert (await crm.row(account, account_id)).currency == "EUR"


async def test_an_external_id_is_unique(crm: Crm) -> None:
    account_id = await make_account(crm.database, "A", external_id="X")
    error = await crm.refuses(Taken, service.create_account, {"name": "B", "external_id": "X"})
    assert error.field == ("externalId",)
    values = {"name": "D", "stage": "S", "amount": Decimal(1), "close_date": date(2026, 1, 1), "external_id": "O"}
    values |= {"probability": 0, "forecast_category": "PIPELINE"}
    await crm.do(service.create_opportunity, account_id, values)
    await crm.refuses(Taken, service.create_opportunity, account_id, values)


async def test_an_account_may_not_be_below_itself(crm: Crm) -> None:
    top = await make_account(crm.database, "Top")
    low = await crm.do(service.create_account, {"name": "Low", "parent_id": top})
    assert (await crm.refuses(Cycle, service.update_account, top, 0, {"parent_id": low})).field == ("parentId",)
    await crm.refuses(Cycle, service.update_account, top, 0, {"parent_id": top})
    await crm.refuses(NotFound, service.update_account, top, 0, {"parent_id": 999})


async def test_edits_of_different_fields_are_merged_and_of_the_same_are_a_conflict(crm: Crm) -> None:
    account_id = await crm.do(service.create_account, {"name": "Acme", "industry": "11"})
    await crm.do(service.update_account, account_id, 1, {"industry": "22"})
    await crm.do(service.update_account, account_id, 1, {"type": "Customer"})
    error = await crm.refuses(Conflict, service.update_account, account_id, 1, {"industry": "33"})
    (conflict,) = error.details["conflicts"]  # type: ignore[misc]
    assert (conflict.field, conflict.base, conflict.theirs, conflict.yours) == ("industry", "11", "22", "33")
    row = await crm.row(account, account_id)
    assert (row.industry, row.type, row.version) == ("22", "Customer", 3)


async def test_an_edit_that_changes_nothing_is_no_change(crm: Crm) -> None:
    account_id = await crm.do(service.create_account, {"name": "Acme"})
    crm.told.clear()
    await crm.do(service.update_account, account_id, 1, {"name": " Acme "})
    assert crm.told == []
    assert len(await crm.changes()) == 1


async def test_an_import_since_is_a_conflict_in_the_fields_that_it_brought(crm: Crm) -> None:
    first = await crm.do(service.create_account, {"name": "Acme", "external_id": "A"})
    other = await crm.do(service.create_account, {"name": "Other", "external_id": "B"})
    await crm.do(service.load_accounts, [{"external_id": "A", "name": "New"}, {"external_id": "B", "name": "Other"}])
    await crm.do(service.update_account, first, 2, {"type": "Customer"})
    await crm.refuses(Conflict, service.update_account, first, 2, {"name": "Mine"})
    await crm.do(service.update_account, other, 2, {"name": "Mine"})
    assert [(await crm.row(account, key)).name for key in (first, other)] == ["New", "Mine"]


async def test_custom_values_are_checked_and_merged_one_by_one(crm: Crm) -> None:
    await crm.do(service.create_custom_field, "ACCOUNT", "Segment", "Segment", DataType.PICKLIST, ["SMB", "MID"])
    await crm.do(service.create_custom_field, "ACCOUNT", "Score", "Score", DataType.NUMBER)
    await crm.do(service.create_custom_field, "ACCOUNT", "Tags", "Tags", DataType.MULTI_PICKLIST, ["a", "b"])
    account_id = await crm.do(service.create_account, {"name": "A"}, {"Segment": ["SMB"], "Score": ["5"]})
    await crm.do(service.update_account, account_id, 1, {}, {"Segment": ["MID"]})
    await crm.do(service.update_account, account_id, 1, {}, {"Score": [], "Tags": ["b", "a"]})
    assert (await crm.row(account, account_id)).custom == {"Segment": "MID", "Tags": ["b", "a"]}
    await crm.refuses(Conflict, service.update_account, account_id, 1, {}, {"Segment": ["SMB"]})
    wrong = {"Segment": ["BIG"], "Score": ["NaN"], "Tags": ["c"], "Nothing": ["x"]}
    for name, values in wrong.items():
        await crm.refuses(Invalid, service.update_account, account_id, 3, {}, {name: values})


async def test_an_account_in_use_is_not_deleted(crm: Crm) -> None:
    account_id = await make_account(crm.database, "Acme")
    below = await make_account(crm.database, "Below", parent_id=account_id)
    error = await crm.refuses(InUse, service.delete_record, EntityType.ACCOUNT, account_id)
    assert error.message == "Acme has 1 accounts below it; delete those first."
    await crm.do(service.delete_record, EntityType.ACCOUNT, below)
    await make_opportunity(crm.database, account_id)
    error = await crm.refuses(InUse, service.delete_record, EntityType.ACCOUNT, account_id)
    assert error.message == "Acme has 1 opportunities; delete those first."


async def test_deleting_what_somebody_changed_since_is_a_conflict(crm: Crm) -> None:
    account_id = await crm.do(service.create_account, {"name": "Acme"})
    await crm.do(service.update_account, account_id, 1, {"type": "Customer"})
    await crm.refuses(Conflict, service.delete_record, EntityType.ACCOUNT, account_id, 1)
    await crm.do(service.delete_record, EntityType.ACCOUNT, account_id, 2)
    assert await crm.row(account, account_id) is None


async def test_an_opportunity_is_changed_and_announced(crm: Crm) -> None:
    account_id = await make_account(crm.database, "Acme")
    opportunity_id = await make_opportunity(crm.database, account_id)
    await crm.do(service.update_opportunity, opportunity_id, 0, {"stage": "Won", "forecast_category": "CLOSED"})
    row = await crm.row(opportunity, opportunity_id)
    assert (row.stage, row.forecast_category, row.version) == ("Won", "CLOSED", 1)
    assert crm.told == [OpportunitiesChanged((opportunity_id,))]
    for values in ({"probability": 101}, {"stage": None}, {"amount": None}, {"currency": "XXX"}):
        await crm.refuses(Invalid, service.update_opportunity, opportunity_id, 1, values)
    await crm.refuses(NotFound, service.update_opportunity, opportunity_id, 1, {"owner_id": 999})


async def test_a_custom_field_or_choice_that_records_hold_stays(crm: Crm) -> None:
    choices = ["SMB", "MID", "BIG"]
    one = await crm.do(service.create_custom_field, "ACCOUNT", "One", "One", DataType.PICKLIST, choices)
    many = await crm.do(service.create_custom_field, "ACCOUNT", "Many", "Many", DataType.MULTI_PICKLIST, choices)
    await make_account(crm.database, "A", custom={"One": "SMB", "Many": ["MID", "BIG"]})
    await crm.do(service.update_custom_field, one, 1, {"picklist_values": ["SMB"]})
    await crm.refuses(InUse, service.update_custom_field, one, 2, {"picklist_values": ["MID"]})
    await crm.refuses(InUse, service.update_custom_field, many, 1, {"picklist_values": ["MID"]})
    await crm.refuses(InUse, service.delete_custom_field, one)


async def test_those_who_use_a_custom_field_are_asked_before_it_is_deleted(crm: Crm) -> None:
    field_id = await crm.do(service.create_custom_field, "ACCOUNT", "Score", "Score", DataType.NUMBER)
    await crm.do(service.delete_custom_field, field_id)
    assert crm.told == [CustomFieldDeleting("ACCOUNT", "Score")]
    assert await crm.row(custom_field, field_id) is None


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REP, Role.PLANNER, Role.MANAGER, Role.AUDITOR])
async def test_only_administrators_write_the_crm(crm: Crm, role: Role) -> None:
    caller = await make_user(crm.database, "caller", role)
    account_id = await make_account(crm.database, "Acme")
    attempts: list[tuple[Any, ...]] = [
        (service.create_user, "ann", {"name": "A", "email": "a@x"}),
        (service.update_user, caller.user_id, 0, {"name": "B"}),
        (service.delete_user, caller.user_id),
        (service.create_account, {"name": "A"}),
        (service.update_account, account_id, 0, {"name": "B"}),
        (service.delete_record, EntityType.ACCOUNT, account_id),
        (service.create_opportunity, account_id, {}),
        (service.create_custom_field, "ACCOUNT", "X", "X", DataType.TEXT),
        (service.load_accounts, [{"external_id": "A", "name": "A"}]),
        (service.load_users, [{"user_name": "A", "name": "A", "email": "a@x"}]),
    ]
    before = await crm.everything()
    for attempt in attempts:
        with pytest.raises(Forbidden):
            await crm.do(*attempt, by=caller)
    assert await crm.everything() == before
