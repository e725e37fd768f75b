"""Finding what rows refer to: owners, accounts, parents, managers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from etm_graph.core.errors import Invalid
from etm_graph.db.sessions import ReadSession
from etm_graph.features.crm import queries as crm
from etm_graph.features.exchange.service.reading import RawRow, RowError, Table
from etm_graph.features.exchange.service.rows import Record
from etm_graph.features.exchange.service.values import Habits, parse_id


@dataclass(frozen=True, slots=True)
class People:
    """Users by everything that a file may call them; None where it means more than one."""

    ids: Mapping[str, int | None]

    def find(self, text: str) -> int:
        """The user's id. Raises `ValueError`."""
        key = text.casefold()
        if key not in self.ids:
            raise ValueError(f"there is no user {text!r}")
        found = self.ids[key]
        if found is None:
            raise ValueError(f"{text!r} is the name of several users; use their user name")
        return found


async def load_people(session: ReadSession, directory: Path | None) -> People:
    """Users by user name, else by e-mail address, else by name.

    directory: an export of the CRM's users (Id, Username), so that owners can be found by the ids that the CRM gave them.
    """
    rows = await crm.user_keys(session)
    ids: dict[str, int | None] = {row.user_name.casefold(): row.id for row in rows}
    for texts in ([(row.email, row.id) for row in rows], [(row.name, row.id) for row in rows]):
        owners: dict[str, set[int]] = defaultdict(set)
        for text, user_id in texts:
            owners[text.casefold()].add(user_id)
        for text, found in owners.items():
            ids.setdefault(text, next(iter(found)) if len(found) == 1 else None)
    for outer_id, user_name in _directory(directory):
        if (found_id := ids.get(user_name.casefold())) is not None:
            ids.setdefault(outer_id.casefold(), found_id)
    return People(ids)


def _directory(path: Path | None) -> Iterable[tuple[str, str]]:
    if path is None:
        return
    table = Table(path)
    if not {"Id", "Username"} <= set(table.columns):
        raise Invalid(f"{path.name} needs the columns Id and Username.", field=["people"])
    for row in table:
        if isinstance(row, RawRow) and row.cells["Id"]:
            yield parse_id(row.cells["Id"], Habits()), row.cells["Username"]


def find_owners(records: Sequence[Record], people: People) -> list[RowError]:
    """Put `owner_id` into records that name an owner; errors for unknown ones."""
    errors = []
    for record in records:
        if "owner" not in record.values:
            continue
        owner = record.values.pop("owner")
        try:
            record.values["owner_id"] = None if owner is None else people.find(parse_id(owner, Habits()))
        except ValueError as error:
            errors.append(record.error("owner", str(error)))
    return errors


async def find_accounts(session: ReadSession, records: Sequence[Record]) -> list[RowError]:
    """Put `account_id` into opportunities, found by the account's external id, without one by its name."""
    outer = {record.values.get("account") for record in records} - {None}
    names = {record.values.get("account_name") for record in records if record.values.get("account") is None} - {None}
    by_id = await crm.account_ids(session, [str(key) for key in outer]) if outer else {}
    by_name = await crm.accounts_named(session, [str(name) for name in names]) if names else {}
    errors = []
    for record in records:
        key, name = record.values.pop("account", None), record.values.pop("account_name", None)
        if key is None and name is None:
            errors.append(record.error("account", "an account is needed"))
            continue
        found = [by_id[key]] if key in by_id else by_name.get(name, ()) if key is None else ()
        if len(found) == 1:
            record.values["account_id"] = found[0]
            continue
        said = "there is no account" if not found else "there are several accounts"
        errors.append(record.error("account" if key else "account_name", f"{said} {key or name!r}"))
    return errors


def unlinked(links: Mapping[str, str | None], there: Mapping[str, str | None], known: frozenset[str]) -> dict[str, str]:
    """Why rows cannot be put below what they name, by key; of rows whose upper end is itself refused, too.

    links: what each good row of the file names, None for nothing. there: the same of what is stored already.
    known: keys of stored records.
    """
    left = dict(links)
    reasons: dict[str, str] = {}
    while True:
        refused = {
            key: f"there is no {above!r}, neither stored nor among the file's good rows"
            for key, above in left.items()
            if above is not None and above not in left and above not in known
        }
        refused |= dict.fromkeys(_on_cycles(left, {**there, **left}), "it would be above itself")
        if not refused:
            return reasons
        reasons |= refused
        left = {key: above for key, above in left.items() if key not in refused}


def _on_cycles(starts: Iterable[str], above: Mapping[str, str | None]) -> set[str]:
    """The keys among `starts` that are on a cycle of `above`."""
    settled: set[str] = set()
    cycles: set[str] = set()
    for start in starts:
        trail: dict[str, int] = {}
        here: str | None = start
        while here is not None and here not in settled and here not in trail:
            trail[here] = len(trail)
            here = above.get(here)
        if here is not None and here in trail:
            cycles |= {key for key, place in trail.items() if place >= trail[here]}
        settled.update(trail)
    return cycles & set(starts)
