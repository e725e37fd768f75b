"""Loading the demo company: in one transaction, by PostgreSQL's bulk load."""

from array import array
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import text

from etm_graph.core.access import Role
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import Database, WriteSession
from etm_graph.demo.conversations import CONVERSATIONS
from etm_graph.demo.people import REPS, Person, make_people
from etm_graph.demo.records import (
    ACCOUNT_COLUMNS,
    OPPORTUNITY_COLUMNS,
    Sizes,
    make_accounts,
    make_opportunities,
    make_rates,
)
from etm_graph.demo.reference import Place, load_industries, load_places
from etm_graph.demo.staffing import home_regions, staff
from etm_graph.demo.structure import TYPES, ModelSpec, make_models

SEED = 2026
CHUNK = 20_000
NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)

Progress = Callable[[str, int, int], None]
"""Told what is being loaded, how much of it is done, and how much there is."""

RunModel = Callable[[int], Awaitable[object]]
"""Computes and stores the assignments of a model."""

CUSTOM_FIELDS: tuple[tuple[str, str, str, list[str]], ...] = (
    ("Segment", "Segment", "PICKLIST", ["SMB", "MID_MARKET", "ENTERPRISE"]),
    ("Strategic", "Strategic account", "BOOLEAN", []),
    ("HealthScore", "Health score", "NUMBER", []),
    ("Channels", "Channels", "MULTI_PICKLIST", ["DIRECT", "PARTNER", "ONLINE"]),
)


@dataclass(frozen=True, slots=True)
class _Company:
    """Structures and people. staffing: the rep of a territory."""

    specs: Sequence[ModelSpec]
    active: ModelSpec
    staffing: Mapping[str, int]
    people: Sequence[Person]


def _make_company(places: Sequence[Place]) -> _Company:
    specs = make_models(places)
    active = next(spec for spec in specs if spec.state == "ACTIVE")
    staffing = staff(active, REPS)
    return _Company(specs, active, staffing, make_people(SEED, home_regions(active, staffing)))


@dataclass(frozen=True, slots=True)
class _Numbered:
    """Ids of what was loaded, by name."""

    users: dict[str, int]
    types: dict[str, int]
    models: dict[str, int]


async def is_new(database: Database) -> bool:
    """Whether there is nothing yet that the demo could disturb."""
    async with database.read() as session:
        return bool(await session.scalar(text("SELECT count(*) = 0 FROM app_user")))


async def _people(session: WriteSession, people: Sequence[Person]) -> dict[str, int]:
    ids = {person.user_name: person.index + 1 for person in people}
    rows = [
        (p.index + 1, p.user_name, p.name, p.email, None if p.manager is None else p.manager + 1, p.time_zone, "en-US",
         True, False, 0)
        for p in people
    ]  # fmt: skip
    columns = [
        "id",
        "user_name",
        "name",
        "email",
        "manager_id",
        "time_zone",
        "locale",
        "active",
        "suspended",
        "version",
    ]
    await session.copy("app_user", columns, rows)
    grants = [(p.index + 1, p.role.value, p.path, NOW) for p in people]
    await session.copy("role_grant", ["user_id", "role", "path", "granted_at"], grants)
    return ids


async def _organisation(session: WriteSession) -> dict[str, int]:
    await session.execute(
        text(
            "UPDATE organisation SET name = 'Northwind Industries', corporate_currency = 'USD', "
            "fiscal_year_start_month = 1, time_zone = 'America/New_York'"
        )
    )
    await session.copy("exchange_rate", ["currency", "effective_from", "rate"], list(make_rates(SEED)))
    fields = [("ACCOUNT", name, label, kind, values, 1) for name, label, kind, values in CUSTOM_FIELDS]
    columns = ["object_type", "developer_name", "label", "data_type", "picklist_values", "version"]
    await session.copy("custom_field", columns, fields)
    rows = [(number, *values, 1) for number, values in enumerate(TYPES, 1)]
    names = ["id", "developer_name", "name", "description", "priority", "version"]
    await session.copy("territory_type", names, rows)
    return {row[0]: number for number, row in enumerate(TYPES, 1)}


async def _models(
    session: WriteSession, specs: Sequence[ModelSpec], users: dict[str, int], types: dict[str, int]
) -> dict[str, int]:
    ids = {spec.developer_name: number for number, spec in enumerate(specs, 1)}
    await session.copy("stream", ["id"], [(number,) for number in ids.values()])
    rows = []
    for spec in specs:
        active = spec.state in {"ACTIVE", "ARCHIVED"}
        began = NOW - timedelta(days=300 if spec.state == "ACTIVE" else 665)
        rows.append(
            (
                ids[spec.developer_name],
                spec.developer_name,
                spec.name,
                spec.description,
                spec.state,
                ids["FY2026"] if spec.state == "PLANNING" else None,
                0 if spec.state == "PLANNING" else None,
                users["planner"],
                NOW - timedelta(days=30 if not active else 700),
                users["admin"] if active else None,
                began if active else None,
                NOW - timedelta(days=300) if spec.state == "ARCHIVED" else None,
                0,
            )
        )
    columns = [
        "id",
        "developer_name",
        "name",
        "description",
        "state",
        "cloned_from_id",
        "base_structure_head",
        "created_by",
        "created_at",
        "activated_by",
        "activated_at",
        "archived_at",
        "version",
    ]
    rows.sort(key=lambda row: row[5] is not None)
    await session.copy("territory_model", columns, rows)
    priorities = [
        (ids[spec.developer_name], types[name], spec.priorities.get(name, priority), 0)
        for spec in specs
        for name, _, _, priority in TYPES
    ]
    await session.copy("model_type_priority", ["model_id", "type_id", "priority", "version"], priorities)
    return ids


def _members(
    spec: ModelSpec, ids: Mapping[str, int], people: Sequence[Person], staffing: Mapping[str, int]
) -> Iterable[tuple[int, int, str]]:
    """(territory, user, role in territory): reps in their territories, managers in their regions."""
    reps = [person.index + 1 for person in people if person.role is Role.REP]
    for territory, rep in staffing.items():
        if territory in ids:
            yield ids[territory], reps[rep], "Account executive"
    by_path = {spec.path(name): number for name, number in ids.items()}
    for person in people:
        if person.role is Role.MANAGER and person.path in by_path:
            yield by_path[person.path], person.index + 1, "Regional manager"


async def _rules(session: WriteSession, spec: ModelSpec, model_id: int, first: int, ids: dict[str, int]) -> None:
    """Rules and links of one model, numbered from `first`. ids: territories by developer name."""
    rules = list(enumerate(spec.rules.values(), first))
    rule_rows = []
    for number, rule in rules:
        criteria = [
            {"number": place, "field": name, "operator": operator, "values": values}
            for place, (name, operator, values) in enumerate(rule.criteria, 1)
        ]
        row = (number, model_id, rule.developer_name, rule.name, "ACCOUNT", True, rule.logic)
        rule_rows.append((*row, orjson.dumps(criteria).decode(), 0))
    rule_columns = [
        "id",
        "model_id",
        "developer_name",
        "name",
        "object_type",
        "is_active",
        "filter_logic",
        "criteria",
        "version",
    ]
    await session.copy("assignment_rule", rule_columns, rule_rows)
    links = [(number, ids[territory], model_id, down, 0) for number, rule in rules for territory, down in rule.links]
    link_columns = ["rule_id", "territory_id", "model_id", "applies_to_descendants", "version"]
    await session.copy("rule_link", link_columns, links)


async def _structure(
    session: WriteSession, spec: ModelSpec, model_id: int, first: int, types: dict[str, int], company: _Company
) -> dict[str, int]:
    """Territories, members, rules and links of one model; territory ids by developer name, numbered from `first`."""
    nodes = list(enumerate(spec.depth_first(), first))
    ids = {node.developer_name: number for number, node in nodes}
    members = list(_members(spec, ids, company.people, company.staffing))
    managers = {territory: user for territory, user, role in reversed(members) if role == "Regional manager"}
    reps = {territory: user for territory, user, role in members if role == "Account executive"}
    rows = [
        (number, model_id, node.developer_name, node.name, ids.get(node.parent or ""), types[node.type_name], "ALL",
         False, "READ", "READ", "READ", "NONE", managers.get(number, reps.get(number)), "{}",
         spec.path(node.developer_name), spec.path(node.developer_name).count("/") - 2, 0)
        for number, node in nodes
    ]  # fmt: skip
    columns = [
        "id",
        "model_id",
        "developer_name",
        "name",
        "parent_id",
        "type_id",
        "rule_combination",
        "inherit_only",
        "account_access",
        "opportunity_access",
        "contact_access",
        "case_access",
        "forecast_manager_id",
        "custom",
        "path",
        "depth",
        "version",
    ]
    await session.copy("territory", columns, rows)
    memberships = [(model_id, territory, user, role, 0) for territory, user, role in members]
    await session.copy(
        "territory_membership", ["model_id", "territory_id", "user_id", "role_in_territory", "version"], memberships
    )
    await _rules(session, spec, model_id, first, ids)
    return ids


async def _talk(
    session: WriteSession, numbered: _Numbered, territories: dict[str, dict[str, int]], specs: Sequence[ModelSpec]
) -> None:
    by_name = {spec.developer_name: spec for spec in specs}
    threads, comments = [], []
    for number, talk in enumerate(CONVERSATIONS, 1):
        model_id = numbered.models[talk.model]
        anchor = model_id if talk.territory is None else territories[talk.model][talk.territory]
        spec = by_name[talk.model]
        label = spec.name if talk.territory is None else spec.territories[talk.territory].name
        path = None if talk.territory is None else spec.path(talk.territory)
        kind = "MODEL" if talk.territory is None else "TERRITORY"
        began = NOW - timedelta(days=20 - number)
        author = numbered.users[talk.says[0][0]]
        ended = (numbered.users[talk.says[-1][0]], began + timedelta(days=2)) if talk.resolved else (None, None)
        threads.append((number, model_id, kind, anchor, label, path, talk.subject, author, began, *ended, 0))
        for place, (user, body) in enumerate(talk.says):
            comments.append((number, model_id, numbered.users[user], body, began + timedelta(hours=3 * place), 0))
    columns = [
        "id",
        "model_id",
        "anchor_kind",
        "anchor_id",
        "anchor_label",
        "path",
        "subject",
        "created_by",
        "created_at",
        "resolved_by",
        "resolved_at",
        "version",
    ]
    await session.copy("thread", columns, threads)
    await session.copy("comment", ["thread_id", "model_id", "author_id", "body", "created_at", "version"], comments)


async def _stream(
    session: WriteSession,
    table: str,
    columns: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
    total: int,
    progress: Progress,
) -> None:
    source, done = iter(rows), 0
    while chunk := list(islice(source, CHUNK)):
        await session.copy(table, columns, chunk)
        done += len(chunk)
        progress(f"{table} rows", done, total)


def _with_json(rows: Iterable[tuple[Any, ...]], column: int) -> Iterable[tuple[Any, ...]]:
    for row in rows:
        yield (*row[:column], orjson.dumps(row[column]).decode(), *row[column + 1 :])


async def _records(
    session: WriteSession,
    company: _Company,
    sizes: Sizes,
    places: Sequence[Place],
    industries: Mapping[str, str],
    progress: Progress,
) -> None:
    reps = [person.index + 1 for person in company.people if person.role is Role.REP]
    house = next(person.index + 1 for person in company.people if person.role is Role.MANAGER)
    staffed = {prefix: reps[company.staffing[name]] for prefix, name in company.active.prefixes().items()}
    sellers = dict.fromkeys((place.prefix for place in places), house) | staffed
    owners = array("i")
    made = _noting_owners(make_accounts(SEED, sizes, places, industries, sellers), owners)
    accounts = _with_json(made, ACCOUNT_COLUMNS.index("custom"))
    await _stream(session, "account", ACCOUNT_COLUMNS, accounts, sizes.accounts, progress)
    opportunities = make_opportunities(SEED, sizes, owners)
    await _stream(session, "opportunity", OPPORTUNITY_COLUMNS, opportunities, sizes.opportunities, progress)


def _noting_owners(rows: Iterable[tuple[Any, ...]], owners: "array[int]") -> Iterable[tuple[Any, ...]]:
    place = ACCOUNT_COLUMNS.index("owner_id")
    for row in rows:
        owners.append(row[place])
        yield row


NUMBERED = ["app_user", "territory_type", "territory", "assignment_rule", "thread", "account", "opportunity"]


async def load_demo(database: Database, sizes: Sizes, run_model: RunModel, progress: Progress) -> None:
    """Load everything into a new database, then let the product compute the stored assignments."""
    places, industries = load_places(), load_industries()
    company = _make_company(places)
    people, specs = company.people, company.specs
    async with database.write() as session:
        users = await _people(session, people)
        types = await _organisation(session)
        numbered = _Numbered(users, types, await _models(session, specs, users, types))
        territories: dict[str, dict[str, int]] = {}
        first = 1
        for spec in specs:
            model_id = numbered.models[spec.developer_name]
            territories[spec.developer_name] = await _structure(session, spec, model_id, first, types, company)
            first += max(len(spec.territories), len(spec.rules))
        await _talk(session, numbered, territories, specs)
        await _records(session, company, sizes, places, industries, progress)
        for table in NUMBERED:
            await session.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
            )
        await session.execute(text("SELECT setval('stream_id_seq', (SELECT max(id) FROM stream))"))
    stored = [spec for spec in specs if ModelState(spec.state) is not ModelState.PLANNING]
    for done, spec in enumerate(stored):
        progress("models computed", done, len(stored))
        await run_model(numbered.models[spec.developer_name])
    progress("models computed", len(stored), len(stored))
    async with database.engine.connect() as connection:
        outside = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await outside.execute(text("ANALYZE"))
