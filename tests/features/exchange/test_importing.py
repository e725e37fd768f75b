"""Importing exports of a CRM into the database."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.factories.world import World, make_account, make_user, make_world

from etm_graph.core.access import Role
from etm_graph.core.changes import CRM_STREAM, ChangeKind
from etm_graph.core.errors import Forbidden, Invalid
from etm_graph.db.sessions import Database
from etm_graph.events.log import read_changes, read_heads
from etm_graph.features.crm.service import AccountsChanged
from etm_graph.features.crm.tables import account, app_user, opportunity
from etm_graph.features.exchange import service
from etm_graph.features.exchange.service import FileMapping, RowError, importing

NOTHING = FileMapping()


def write(folder: Path, *lines: str, name: str = "export.csv") -> Path:
    path = folder / name
    path.write_bytes("\n".join(lines).encode())
    return path


async def stored(database: Database, table: Any, *columns: str) -> list[tuple[Any, ...]]:
    async with database.read() as session:
        rows = await session.rows(select(*(table.c[name] for name in columns)).order_by(table.c.id))
        return [tuple(row) for row in rows]


async def head(database: Database) -> int:
    async with database.read() as session:
        return (await read_heads(session, [CRM_STREAM]))[CRM_STREAM].head


async def test_accounts_are_created_then_updated_then_left_alone(database: Database, tmp_path: Path) -> None:
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    columns = "Account ID,Account Name,Billing Zip/Postal Code,Annual Revenue,Account Owner,Notes"
    path = write(tmp_path, columns, 'A-1,Acme,02139,"$1,234.50",admin,x', "A-2,Beta,,,,y")

    first = await service.import_accounts(world.writer, admin, path, NOTHING)
    path = write(tmp_path, columns, 'A-1,Acme,02140,"$1,234.50",admin,x', "A-2,Beta,,,,y")
    second = await service.import_accounts(world.writer, admin, path, NOTHING)
    third = await service.import_accounts(world.writer, admin, path, NOTHING)

    assert first == service.ImportReport(2, 2, 0, 0, (), ("Notes",), loaded=True)
    assert second == service.ImportReport(2, 0, 1, 1, (), ("Notes",), loaded=True)
    assert third == service.ImportReport(2, 0, 0, 2, (), ("Notes",), loaded=True)
    columns_ = ["external_id", "name", "billing_postal_code", "annual_revenue", "currency", "owner_id", "version"]
    assert await stored(database, account, *columns_) == [
        ("A-1", "Acme", "02140", Decimal("1234.50"), "USD", admin.user_id, 2),
        ("A-2", "Beta", None, None, "USD", None, 1),
    ]
    assert await head(database) == 2


async def test_a_batch_is_one_change_that_names_what_it_touched(database: Database, tmp_path: Path) -> None:
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    path = write(tmp_path, "Id,Name", "A-1,Acme", "A-2,Beta")
    await service.import_accounts(world.writer, admin, path, NOTHING)
    ids = [row[0] for row in await stored(database, account, "id")]
    async with database.read() as session:
        (change,) = await read_changes(session, CRM_STREAM, 0, 10)
    assert change.draft.kind is ChangeKind.IMPORTED
    assert change.draft.after == {"created": ids, "updated": [], "columns": ["name"]}
    assert change.actor_id == admin.user_id


async def test_good_rows_are_loaded_and_bad_ones_reported_with_their_lines(database: Database, tmp_path: Path) -> None:
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    path = write(
        tmp_path,
        "Id,Name,Owner,Employees,Currency",
        'A-1,"Two',
        'lines",,,',
        "A-2,Beta,nobody,,",
        "A-3,Gamma,,many,",
        "A-1,Again,,,",
        "A-4,Delta,,,XXX",
        "A-5,Short",
        "A-6,Good,admin,12,USD",
    )
    report = await service.import_accounts(world.writer, admin, path, NOTHING)
    assert report.errors == (
        RowError(4, "Owner", "there is no user 'nobody'"),
        RowError(5, "Employees", "'many' is no number"),
        RowError(6, "Id", "'A-1' is on line 2 already"),
        RowError(7, "Currency", "there is no exchange rate for XXX"),
        RowError(8, None, "the row has 2 columns, the header 5; is the file cut off or a quote missing?"),
    )
    assert (report.rows, report.bad_rows, report.created, report.loaded) == (7, 5, 2, True)
    assert await stored(database, account, "external_id", "name", "employees") == [
        ("A-1", "Two\nlines", None),
        ("A-6", "Good", 12),
    ]


async def test_an_atomic_import_with_a_bad_row_loads_nothing(database: Database, tmp_path: Path) -> None:
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    path = write(tmp_path, "Id,Name", "A-1,Acme", "A-2,")
    report = await service.import_accounts(world.writer, admin, path, NOTHING, atomic=True)
    assert report == service.ImportReport(2, 0, 0, 0, (RowError(3, "Name", "a value is needed"),), (), loaded=False)
    assert await stored(database, account, "id") == []
    assert await head(database) == 0


async def test_an_atomic_import_is_one_commit_and_others_one_a_batch(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    path = write(tmp_path, "Id,Name", *(f"A-{number},Acme" for number in range(5)))
    await service.import_accounts(world.writer, admin, path, NOTHING, atomic=True)
    assert world.moved == [{CRM_STREAM: 3}]
    path = write(tmp_path, "Id,Name", *(f"A-{number},Other" for number in range(5)))
    await service.import_accounts(world.writer, admin, path, NOTHING)
    assert world.moved[1:] == [{CRM_STREAM: 4}, {CRM_STREAM: 5}, {CRM_STREAM: 6}]


async def test_parents_are_found_in_whatever_order_the_rows_stand(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    kept = await make_account(database, "Kept", external_id="K")
    path = write(tmp_path, "Id,Name,ParentId", "A,a,C", "B,b,K", "C,c,B", "D,d,A")
    first = await service.import_accounts(world.writer, admin, path, NOTHING)
    again = await service.import_accounts(world.writer, admin, path, NOTHING)
    assert (first.created, first.updated, first.unchanged, first.errors) == (4, 0, 0, ())
    assert (again.created, again.updated, again.unchanged) == (0, 0, 4)
    rows = {row[0]: row[1:] for row in await stored(database, account, "external_id", "id", "parent_id")}
    assert rows["A"][1] == rows["C"][0]
    assert rows["B"][1] == kept
    assert rows["C"][1] == rows["B"][0]
    assert rows["D"][1] == rows["A"][0]


async def test_unknown_parents_and_cycles_are_refused_with_all_below_them(database: Database, tmp_path: Path) -> None:
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    kept = await make_account(database, "Kept", external_id="K")
    await make_account(database, "Below", external_id="L", parent_id=kept)
    path = write(tmp_path, "Id,Name,ParentId", "A,a,Z", "B,b,A", "K,k,L", "E,e,")
    report = await service.import_accounts(world.writer, admin, path, NOTHING)
    missing = "there is no {!r}, neither stored nor among the file's good rows"
    assert report.errors == (
        RowError(2, "ParentId", missing.format("Z")),
        RowError(3, "ParentId", missing.format("A")),
        RowError(4, "ParentId", "it would be above itself"),
    )
    assert [row[0] for row in await stored(database, account, "external_id")] == ["K", "L", "E"]


async def test_a_file_without_a_column_leaves_that_field_alone(database: Database, tmp_path: Path) -> None:
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    await make_account(
        database, "Old", external_id="A", currency="EUR", industry="11", custom={"Segment": "SMB"}, employees=3
    )
    await service.import_accounts(world.writer, admin, write(tmp_path, "Id,Name", "A,New"), NOTHING)
    columns = ("name", "currency", "industry", "custom", "employees")
    assert await stored(database, account, *columns) == [("New", "EUR", "11", {"Segment": "SMB"}, 3)]


async def test_custom_fields_are_recognised_checked_and_merged(database: Database, tmp_path: Path) -> None:
    from etm_graph.core.criteria import DataType
    from etm_graph.features.crm import service as crm

    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    async with world.writer.unit_of_work(admin) as work:
        await crm.create_custom_field(work, "ACCOUNT", "Segment", "Market segment", DataType.PICKLIST, ["SMB", "MID"])
        await crm.create_custom_field(work, "ACCOUNT", "Channels", "Channels", DataType.MULTI_PICKLIST, ["X", "Y"])
        await crm.create_custom_field(work, "ACCOUNT", "Score", "Score", DataType.NUMBER)
        await crm.create_custom_field(work, "ACCOUNT", "Since", "Since", DataType.DATE)
    await make_account(database, "A", external_id="A", custom={"Score": 5.0, "Segment": "SMB"})
    path = write(
        tmp_path,
        "Id;Name;Segment__c;Channels;Customer since",
        "A;A;;X;30.9.2026",
        "B;B;MID;X;",
        "C;C;BIG;X;",
        "D;D;MID;X;soon",
    )
    mapping = FileMapping({"Customer since": "custom.Since"})
    report = await service.import_accounts(world.writer, admin, path, mapping)
    assert report.errors == (
        RowError(4, "Segment__c", "'BIG' is not one of SMB, MID"),
        RowError(5, "Customer since", "'soon' is no date"),
    )
    assert await stored(database, account, "external_id", "custom") == [
        ("A", {"Score": 5.0, "Channels": ["X"], "Since": "2026-09-30"}),
        ("B", {"Segment": "MID", "Channels": ["X"]}),
    ]


async def test_opportunities_find_their_accounts_by_id_or_by_name(database: Database, tmp_path: Path) -> None:
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    acme = await make_account(database, "Acme", external_id="001A0000006Vm9rIAC")
    for _ in range(2):
        await make_account(database, "Twin")
    header = "Opportunity ID,Account ID,Account Name,Opportunity Name,Stage,Amount,Close Date,Probability (%)"
    path = write(
        tmp_path,
        header,
        "O-1,001A0000006Vm9r,,Deal,Closed Won,1.0E3,2026-09-30,100",
        "O-2,,Acme,Deal,Proposal,,2026-09-30,50%",
        "O-3,,Twin,Deal,Proposal,,2026-09-30,",
        "O-4,001A0000006Vm9x,,Deal,Proposal,,2026-09-30,",
        "O-5,,,Deal,Proposal,,2026-02-30,101",
        "O-6,,,Deal,Proposal,,2026-09-30,",
    )
    report = await service.import_opportunities(world.writer, admin, path, NOTHING)
    assert report.errors == (
        RowError(4, "Account Name", "there are several accounts 'Twin'"),
        RowError(5, "Account ID", "there is no account '001A0000006Vm9xIAC'"),
        RowError(6, "Close Date", "'2026-02-30' is no date"),
        RowError(6, "Probability (%)", "'101' is above 100 percent"),
        RowError(7, "Account ID", "an account is needed"),
    )
    columns = [
        "external_id",
        "account_id",
        "stage",
        "amount",
        "currency",
        "close_date",
        "probability",
        "forecast_category",
    ]
    day = date(2026, 9, 30)
    assert await stored(database, opportunity, *columns) == [
        ("O-1", acme, "Closed Won", Decimal(1000), "USD", day, 100, "CLOSED"),
        ("O-2", acme, "Proposal", Decimal(0), "USD", day, 50, "PIPELINE"),
    ]


async def test_a_category_set_before_outlives_a_file_without_one(database: Database, tmp_path: Path) -> None:
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    await make_account(database, "Acme", external_id="A")
    header = "Id,AccountId,Name,StageName,CloseDate"
    full = write(tmp_path, f"{header},ForecastCategory", "O,A,Deal,Proposal,2026-09-30,Forecast")
    await service.import_opportunities(world.writer, admin, full, NOTHING)
    bare = write(tmp_path, header, "O,A,Deal,Negotiation,2026-09-30")
    await service.import_opportunities(world.writer, admin, bare, NOTHING)
    assert await stored(database, opportunity, "stage", "forecast_category") == [("Negotiation", "COMMIT")]
    lost = write(tmp_path, header, "O,A,Deal,Closed Lost,2026-09-30")
    await service.import_opportunities(world.writer, admin, lost, NOTHING)
    assert await stored(database, opportunity, "stage", "forecast_category") == [("Closed Lost", "OMITTED")]


async def test_users_come_with_their_managers_and_keep_their_rights(database: Database, tmp_path: Path) -> None:
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    path = write(
        tmp_path,
        "Username,FirstName,LastName,Email,Manager Username,IsActive",
        "ann,Ann,Ash,ann@example.com,bob,true",
        "bob,Bob,Birch,bob@example.com,admin,false",
        "cid,,,cid@example.com,,true",
        "dan,Dan,Dale,nowhere,,true",
    )
    report = await service.import_users(world.writer, admin, path, NOTHING)
    assert report.errors == (
        RowError(4, "LastName", "a name is needed"),
        RowError(5, "Email", "'nowhere' is no e-mail address"),
    )
    rows = {
        row[0]: row[1:] for row in await stored(database, app_user, "user_name", "name", "active", "id", "manager_id")
    }
    assert rows["ann"] == ("Ann Ash", True, rows["ann"][2], rows["bob"][2])
    assert rows["bob"] == ("Bob Birch", False, rows["bob"][2], admin.user_id)
    assert set(rows) == {"admin", "ann", "bob"}


async def test_owners_are_found_by_the_ids_of_an_export_of_users(database: Database, tmp_path: Path) -> None:
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    people = write(tmp_path, "Id,Username", "005A0000000abcdIAA,admin", name="User.csv")
    path = write(tmp_path, "Id,Name,OwnerId", "A,a,005A0000000abcdIAA")
    report = await service.import_accounts(world.writer, admin, path, NOTHING, people=people)
    assert report.errors == ()
    assert await stored(database, account, "owner_id") == [(admin.user_id,)]


async def test_territories_are_told_of_exactly_the_accounts_that_changed(database: Database, tmp_path: Path) -> None:
    told: list[tuple[int, ...]] = []

    async def note(work: object, happening: AccountsChanged) -> None:
        told.append(happening.account_ids)

    made = make_world(database)
    writer = type(made.writer)(database, made.writer.access, {AccountsChanged: [note]}, made.writer.on_commit)
    admin = await make_user(database, "admin", Role.ADMIN)
    await service.import_accounts(writer, admin, write(tmp_path, "Id,Name", "A,a", "B,b"), NOTHING)
    await service.import_accounts(writer, admin, write(tmp_path, "Id,Name", "A,a", "B,x"), NOTHING)
    await service.import_accounts(writer, admin, write(tmp_path, "Id,Name", "A,a", "B,x"), NOTHING)
    ids = tuple(row[0] for row in await stored(database, account, "id"))
    assert told == [ids, ids[1:]]


@pytest.mark.parametrize("role", [Role.PLANNER, Role.VIEWER, Role.MANAGER])
async def test_who_may_not_write_the_crm_may_not_import(database: Database, tmp_path: Path, role: Role) -> None:
    world: World = make_world(database)
    caller = await make_user(database, "caller", role)
    with pytest.raises(Forbidden):
        await service.import_accounts(world.writer, caller, write(tmp_path, "Id,Name", "A,a"), NOTHING)
    assert await stored(database, account, "id") == []


async def test_a_file_without_a_required_column_is_refused_as_a_whole(database: Database, tmp_path: Path) -> None:
    world, admin = make_world(database), await make_user(database, "admin", Role.ADMIN)
    with pytest.raises(Invalid, match="No column of the file fills name"):
        await service.import_accounts(world.writer, admin, write(tmp_path, "Id,Industry", "A,11"), NOTHING)
