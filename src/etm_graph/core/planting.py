"""Trees for new drafts out of something else: the management hierarchy, or a table with a row for each territory."""

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO

from etm_graph.core.errors import Invalid, LimitExceeded
from etm_graph.core.hierarchy import DEPTH_MAX
from etm_graph.core.names import DEVELOPER_NAME, check_name

ROWS_MAX = 10_000
MANAGER_ROLE = "Manager"
"""Role in the territory of the person whose reports it has."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A territory to be. members: roles by user name; the forecast manager is among them."""

    developer_name: str
    name: str
    type: str
    parent: str | None = None
    description: str | None = None
    forecast_manager: str | None = None
    members: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    """A user with the user name of the manager."""

    user_name: str
    name: str
    manager: str | None
    active: bool = True


def plant_hierarchy(people: Sequence[Person], type_name: str, top: str | None = None) -> list[Planted]:
    """One territory for each manager, below that of the manager's own; reports are members, the manager leads it.

    top: only what reports to this person, directly or not, and the person; None for all. Who is not active is no member
    and leads nothing, but keeps the place of a manager whose reports are active. Parents come first.
    """
    by_name = {person.user_name: person for person in people}
    if top is not None and top not in by_name:
        raise Invalid(f"There is no user {top}.", field=["topUserId"])
    reports: dict[str, list[Person]] = {}
    for person in people:
        if person.manager in by_name:
            reports.setdefault(str(person.manager), []).append(person)
    starts = [top] if top is not None else [p.user_name for p in people if p.manager not in by_name]
    names: dict[str, str] = {}
    taken: set[str] = set()
    planted = []
    waiting: list[tuple[str, str | None]] = [(start, None) for start in reversed(starts)]
    while waiting:
        user_name, parent = waiting.pop()
        below = reports.get(user_name, [])
        if not any(person.active or person.user_name in reports for person in below):
            continue
        person = by_name[user_name]
        names[user_name] = own = _developer_name(user_name, taken)
        members: dict[str, str | None] = {user_name: MANAGER_ROLE} if person.active else {}
        members |= {report.user_name: None for report in below if report.active}
        planted.append(
            Planted(own, person.name, type_name, parent, None, user_name if person.active else None, members)
        )
        waiting += [(report.user_name, own) for report in reversed(below)]
    return planted


def _developer_name(text: str, taken: set[str]) -> str:
    """A developer name like the text that is not taken yet."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_") or "User"
    base = plain if plain[0].isalpha() else f"T_{plain}"
    found, number = base[:80], 1
    while found in taken:
        number += 1
        suffix = f"_{number}"
        found = base[: 80 - len(suffix)] + suffix
    taken.add(found)
    return found


@dataclass(frozen=True, slots=True)
class BadRow:
    """Why a row cannot be used. line: of the file, from 1, the header being the first. column: None for the whole row."""

    line: int
    column: str | None
    reason: str


COLUMNS = ("developerName", "name", "parent", "type", "description", "forecastManager", "members")
REQUIRED = ("developerName", "type")


def plant_table(text: str, types: Collection[str], users: Collection[str]) -> tuple[list[Planted], list[BadRow]]:
    """The territories of a CSV text with a header, parents first, and every row that cannot be used.

    Columns: developerName, name (the developer name when empty), parent (a developer name of the file), type, description,
    forecastManager (a user name), members (user names parted by ";", each with ":" and a role if it has one).
    Raises `Invalid` for a header that cannot be used, `LimitExceeded`.
    """
    reader = csv.DictReader(StringIO(text.removeprefix("\ufeff")), restkey="", restval="")
    header = [name.strip() for name in reader.fieldnames or ()]
    if missing := [name for name in REQUIRED if name not in header]:
        raise Invalid(f"The header lacks {', '.join(missing)}; it may have {', '.join(COLUMNS)}.", field=["csv"])
    if unknown := [name for name in header if name not in COLUMNS]:
        raise Invalid(f"The header has {', '.join(unknown)}; it may have {', '.join(COLUMNS)}.", field=["csv"])
    reader.fieldnames = header
    found: dict[str, tuple[int, Planted]] = {}
    bad: list[BadRow] = []
    for row in reader:
        line = reader.line_num
        if line > ROWS_MAX + 1:
            raise LimitExceeded(f"A file has at most {ROWS_MAX} rows (rows of a tree).")
        problems = list(_problems(row, found, types, users))
        bad += [BadRow(line, column, reason) for column, reason in problems]
        name = (row["developerName"] or "").strip()
        if name and name not in found:
            found[name] = (line, _planted(row))
    ordered = _parents_first(found, bad)
    return ([] if bad else ordered), sorted(bad, key=lambda item: (item.line, item.column or ""))


def _cell(row: Mapping[str, str], name: str) -> str:
    return (row.get(name) or "").strip()


def _members(row: Mapping[str, str]) -> dict[str, str | None]:
    members: dict[str, str | None] = {}
    for part in filter(None, (piece.strip() for piece in _cell(row, "members").split(";"))):
        user, _, role = part.partition(":")
        members[user.strip()] = role.strip() or None
    return members


def _planted(row: Mapping[str, str]) -> Planted:
    own, manager, members = _cell(row, "developerName"), _cell(row, "forecastManager") or None, _members(row)
    if manager is not None:
        members.setdefault(manager, None)
    parent, description = _cell(row, "parent") or None, _cell(row, "description") or None
    return Planted(own, _cell(row, "name") or own, _cell(row, "type"), parent, description, manager, members)


def _problems(
    row: Mapping[str, str], found: Mapping[str, object], types: Collection[str], users: Collection[str]
) -> Iterator[tuple[str | None, str]]:
    own = _cell(row, "developerName")
    if not DEVELOPER_NAME.fullmatch(own):
        yield "developerName", f"{own!r} is no developer name: a letter, then up to 79 letters, digits or underscores."
    elif own in found:
        yield "developerName", f"{own} is there already, further up."
    try:
        check_name(_cell(row, "name") or own or "x")
    except Invalid as error:
        yield "name", error.message
    if _cell(row, "type") not in types:
        yield "type", f"There is no territory type {_cell(row, 'type')!r}."
    yield from _strangers(row, users)


def _strangers(row: Mapping[str, str], users: Collection[str]) -> Iterator[tuple[str | None, str]]:
    if row.get(""):
        yield None, "It has more cells than the header."
    for column, names in (("forecastManager", [_cell(row, "forecastManager")]), ("members", list(_members(row)))):
        for name in names:
            if name and name not in users:
                yield column, f"There is no user {name!r}."


def _parents_first(found: Mapping[str, tuple[int, Planted]], bad: list[BadRow]) -> list[Planted]:
    """In an order in which every parent comes before its children; what cannot be placed is noted as bad."""
    depths: dict[str, int] = {}
    for name, (line, planted) in found.items():
        trail: list[str] = []
        above: str | None = name
        while above is not None and above not in depths and above not in trail and above in found:
            trail.append(above)
            above = found[above][1].parent
        if above is not None and above not in depths:
            reason = f"There is no territory {above} in the file." if above not in found else "It is its own ancestor."
            if above in found or planted.parent == above:
                bad.append(BadRow(line, "parent", reason))
            continue
        start = -1 if above is None else depths[above]
        for step, passed in enumerate(reversed(trail), 1):
            depths[passed] = start + step
        if depths[name] > DEPTH_MAX:
            bad.append(
                BadRow(line, "parent", f"It would be {depths[name]} levels below its root; at most {DEPTH_MAX} are.")
            )
    return [planted for name, (_, planted) in sorted(found.items(), key=lambda item: depths.get(item[0], 0))]
