"""What differs between imports of accounts, of opportunities and of users."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from etm_graph.core.access import Kind
from etm_graph.core.errors import Invalid
from etm_graph.db.sessions import ReadSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm import queries as crm
from etm_graph.features.crm.service import (
    ABOVE,
    Loaded,
    link_accounts,
    link_users,
    load_accounts,
    load_opportunities,
    load_users,
)
from etm_graph.features.exchange.service.mapping import ACCOUNT, OPPORTUNITY, USER, Bound, FieldSpec
from etm_graph.features.exchange.service.reading import RowError
from etm_graph.features.exchange.service.references import People, find_accounts, find_owners
from etm_graph.features.exchange.service.rows import Record, category_of, settle_money

CUSTOM = "custom."


@dataclass(frozen=True, slots=True)
class Known:
    """What rows are checked against: users, the corporate currency, the currencies that can be converted into it."""

    people: People
    corporate: str
    currencies: frozenset[str]


class Complete(Protocol):
    """Turns fields of parsed records into columns of their table, in place; returns what is wrong."""

    async def __call__(self, session: ReadSession, records: Sequence[Record], known: Known) -> list[RowError]:
        """Complete the records."""


Upper = Callable[[ReadSession], Awaitable[dict[str, str]]]


async def _nothing(session: ReadSession) -> dict[str, str]:  # noqa: ARG001 - opportunities are in no hierarchy
    return {}


async def _no_keys(session: ReadSession, keys: Sequence[str]) -> frozenset[str]:  # noqa: ARG001 - as above
    return frozenset()


async def _known_accounts(session: ReadSession, keys: Sequence[str]) -> frozenset[str]:
    return frozenset(await crm.account_ids(session, keys))


async def _known_users(session: ReadSession, keys: Sequence[str]) -> frozenset[str]:
    return frozenset({row.user_name for row in await crm.user_keys(session)} & set(keys))


async def _load_nothing(work: UnitOfWork, waiting: Sequence[tuple[str, str]]) -> tuple[int, ...]:  # noqa: ARG001 - as above
    return ()


@dataclass(frozen=True, slots=True)
class Plan:
    """One kind of import.

    key: the field that a record is known by. above: the field that names the record above it, if there is a hierarchy.
    one_of: fields of which at least one needs a column.
    """

    what: str
    kind: Kind
    key: str
    specs: Sequence[FieldSpec]
    complete: Complete
    load: Callable[[UnitOfWork, Sequence[Mapping[str, object]]], Awaitable[Loaded]]
    above: str | None = None
    stored_above: Upper = _nothing
    known_keys: Callable[[ReadSession, Sequence[str]], Awaitable[frozenset[str]]] = _no_keys
    link: Callable[[UnitOfWork, Sequence[tuple[str, str]]], Awaitable[tuple[int, ...]]] = _load_nothing
    one_of: Sequence[tuple[str, ...]] = field(default=())

    def check_columns(self, bound: Sequence[Bound]) -> None:
        """Raise `Invalid` when none of some alternative columns is there."""
        names = {item.spec.name for item in bound}
        for alternatives in self.one_of:
            if not names & set(alternatives):
                raise Invalid(f"No column of the file fills {' or '.join(alternatives)}.", field=["mapping"])


def _settle(records: Sequence[Record], known: Known) -> list[RowError]:
    settled = (settle_money(record, known.corporate, known.currencies) for record in records)
    return [error for error in settled if error is not None]


async def _complete_accounts(session: ReadSession, records: Sequence[Record], known: Known) -> list[RowError]:  # noqa: ARG001 - accounts refer to users only
    for record in records:
        custom = {name.removeprefix(CUSTOM): value for name, value in record.values.items() if name.startswith(CUSTOM)}
        for name in custom:
            del record.values[CUSTOM + name]
        if custom:
            record.values["custom"] = custom
    return [*_settle(records, known), *find_owners(records, known.people)]


async def _complete_opportunities(session: ReadSession, records: Sequence[Record], known: Known) -> list[RowError]:
    errors = [*_settle(records, known), *find_owners(records, known.people)]
    errors += await find_accounts(session, records)
    for record in records:
        values = record.values
        if values.get("forecast_category") is None:
            values["forecast_category"] = category_of(values["stage"])
        if "amount" in values and values["amount"] is None:
            values["amount"] = 0
        if "probability" in values and values["probability"] is None:
            values["probability"] = 0
    return errors


async def _complete_users(session: ReadSession, records: Sequence[Record], known: Known) -> list[RowError]:  # noqa: ARG001 - managers are found with the hierarchy
    errors = []
    for record in records:
        values = record.values
        first, family = values.pop("first_name", None), values.pop("last_name", None)
        values["name"] = values.get("name") or " ".join(part for part in (first, family) if part)
        if not values["name"]:
            errors.append(record.error("last_name" if "name" not in record.columns else "name", "a name is needed"))
        if "@" not in values["email"]:
            errors.append(record.error("email", f"{values['email']!r} is no e-mail address"))
    return errors


ACCOUNTS = Plan(
    what="accounts",
    kind=Kind.CRM,
    key="external_id",
    specs=ACCOUNT,
    complete=_complete_accounts,
    load=load_accounts,
    above="parent",
    stored_above=crm.account_parents,
    known_keys=_known_accounts,
    link=link_accounts,
)
OPPORTUNITIES = Plan(
    what="opportunities",
    kind=Kind.CRM,
    key="external_id",
    specs=OPPORTUNITY,
    complete=_complete_opportunities,
    load=load_opportunities,
    one_of=(("account", "account_name"),),
)
USERS = Plan(
    what="users",
    kind=Kind.ORGANISATION,
    key="user_name",
    specs=USER,
    complete=_complete_users,
    load=load_users,
    above="manager",
    stored_above=crm.user_managers,
    known_keys=_known_users,
    link=link_users,
    one_of=(("name", "last_name"),),
)


def to_row(plan: Plan, record: Record) -> dict[str, Any]:
    """A completed record as the CRM takes it."""
    row = dict(record.values)
    if plan.above is not None and plan.above in row:
        row[ABOVE] = row.pop(plan.above)
    return row
