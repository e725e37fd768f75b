"""Accounts and opportunities."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, delete, insert, select, update

from etm_graph.core.access import Act
from etm_graph.core.changes import CRM_STREAM, ChangeDraft, ChangeKind, EntityType
from etm_graph.core.criteria import DataType
from etm_graph.core.errors import InUse, Invalid, NotFound
from etm_graph.core.names import check_name
from etm_graph.core.rollup import ForecastCategory
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import list_custom_fields, users_by_id
from etm_graph.features.crm.service.editing import begin, edit, read_row
from etm_graph.features.crm.service.happenings import AccountsChanged, OpportunitiesChanged
from etm_graph.features.crm.tables import account, opportunity

MONEY_MAX = Decimal(10) ** 18
CURRENCY_LETTERS = 3


def _check_money(values: Mapping[str, object], name: str) -> None:
    amount = values.get(name)
    if isinstance(amount, Decimal) and (not amount.is_finite() or abs(amount) >= MONEY_MAX):
        raise Invalid("An amount is below 10^18.", field=[name])


def _check_currency(values: Mapping[str, object]) -> None:
    code = values.get("currency")
    if code is not None and not (isinstance(code, str) and len(code) == CURRENCY_LETTERS and code.isupper()):
        raise Invalid(f"{code!r} is no currency: three capital letters, ISO 4217.", field=["currency"])


async def _check_owner(work: UnitOfWork, values: Mapping[str, object]) -> None:
    owner = values.get("owner_id")
    if owner is not None and owner not in await users_by_id(work.session, [int(str(owner))]):
        raise NotFound("There is no such owner.", field=["ownerId"])


def custom_value(data_type: DataType, choices: list[str], values: list[str]) -> Any:  # noqa: ANN401 - JSON
    """A custom value as it is stored. Raises `ValueError` with what is wrong."""
    if data_type is DataType.MULTI_PICKLIST:
        wrong = [value for value in values if value not in choices]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not one of {', '.join(choices)}")
        return values
    if len(values) != 1:
        raise ValueError("exactly one value is needed")
    (value,) = values
    if data_type is DataType.PICKLIST and value not in choices:
        raise ValueError(f"{value!r} is not one of {', '.join(choices)}")
    if data_type is DataType.BOOLEAN:
        if value.lower() not in {"true", "false"}:
            raise ValueError(f"{value!r} is neither true nor false")
        return value.lower() == "true"
    if data_type in {DataType.NUMBER, DataType.CURRENCY}:
        return float(value)
    return date.fromisoformat(value).isoformat() if data_type is DataType.DATE else value


async def _custom(work: UnitOfWork, given: Mapping[str, list[str]]) -> dict[str, Any]:
    fields = {row.developer_name: row for row in await list_custom_fields(work.session) if row.object_type == "ACCOUNT"}
    checked: dict[str, Any] = {}
    for name, values in given.items():
        if name not in fields:
            raise Invalid(f"There is no custom field {name!r}.", field=["customValues"])
        if not values:
            continue  # an empty list clears the field
        try:
            checked[name] = custom_value(DataType(fields[name].data_type), fields[name].picklist_values, values)
        except ValueError as error:
            raise Invalid(f"{fields[name].label}: {error}.", field=["customValues", name]) from error
    return checked


async def _checked_account(work: UnitOfWork, wanted: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(wanted)
    if "name" in values:
        values["name"] = check_name(str(values["name"]))
    _check_money(values, "annual_revenue")
    _check_currency(values)
    await _check_owner(work, values)
    return values


async def _create(work: UnitOfWork, table: Table, entity: EntityType, values: Mapping[str, Any]) -> int:
    row_id = int(await work.session.scalar(insert(table).values(**values, version=0).returning(table.c.id)))
    draft = ChangeDraft(entity, ChangeKind.CREATED, row_id, str(values["name"]), after=values)
    seq = work.record(CRM_STREAM, draft)
    await work.session.execute(update(table).where(table.c.id == row_id).values(version=seq))
    return row_id


async def create_account(
    work: UnitOfWork, wanted: Mapping[str, Any], custom: Mapping[str, list[str]] | None = None
) -> int:
    """Create an account; territories follow in the same transaction. Returns its id. Raises `Invalid`, `Forbidden`."""
    await begin(work, Act.CREATE)
    values = {**await _checked_account(work, wanted), "custom": await _custom(work, custom or {})}
    account_id = await _create(work, account, EntityType.ACCOUNT, {"excluded_from_realignment": False, **values})
    await work.announce(AccountsChanged((account_id,)))
    return account_id


async def update_account(
    work: UnitOfWork,
    account_id: int,
    expected_version: int,
    wanted: Mapping[str, Any],
    custom: Mapping[str, list[str]] | None = None,
) -> int:
    """Change an account; territories follow in the same transaction. Returns its id. Raises `Conflict`, `Invalid` …

    custom: values of custom fields by developer name; an empty list clears one, fields left out stay.
    """
    await begin(work, Act.UPDATE)
    row = await read_row(work, account, "account", account_id)
    values = await _checked_account(work, wanted)
    if custom is not None:
        kept = {name: value for name, value in row.custom.items() if name not in custom}
        values["custom"] = {**kept, **await _custom(work, custom)}
    if await edit(work, account, EntityType.ACCOUNT, row, row.name, values, expected_version):
        await work.announce(AccountsChanged((account_id,)))
    return account_id


async def _checked_opportunity(work: UnitOfWork, wanted: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(wanted)
    if "name" in values:
        values["name"] = check_name(str(values["name"]))
    if "probability" in values and not 0 <= int(values["probability"]) <= 100:  # noqa: PLR2004 - percent
        raise Invalid("A probability is 0 to 100 percent.", field=["probability"])
    if "forecast_category" in values:
        values["forecast_category"] = ForecastCategory(values["forecast_category"]).value
    _check_money(values, "amount")
    _check_currency(values)
    await _check_owner(work, values)
    return values


async def create_opportunity(work: UnitOfWork, account_id: int, wanted: Mapping[str, Any]) -> int:
    """Create an opportunity of an account; its territory follows. Returns its id. Raises `Invalid`, `NotFound`."""
    await begin(work, Act.CREATE)
    if await work.session.scalar(select(account.c.id).where(account.c.id == account_id)) is None:
        raise NotFound("There is no such account.", field=["accountId"])
    values = {
        "excluded_from_territory_assignment": False,
        **await _checked_opportunity(work, wanted),
        "account_id": account_id,
    }
    opportunity_id = await _create(work, opportunity, EntityType.OPPORTUNITY, values)
    await work.announce(OpportunitiesChanged((opportunity_id,)))
    return opportunity_id


async def update_opportunity(
    work: UnitOfWork, opportunity_id: int, expected_version: int, wanted: Mapping[str, Any]
) -> int:
    """Change an opportunity; its territory follows. Returns its id. Raises `Conflict`, `Invalid`, `NotFound`."""
    await begin(work, Act.UPDATE)
    row = await read_row(work, opportunity, "opportunity", opportunity_id)
    values = await _checked_opportunity(work, wanted)
    if await edit(work, opportunity, EntityType.OPPORTUNITY, row, row.name, values, expected_version):
        await work.announce(OpportunitiesChanged((opportunity_id,)))
    return opportunity_id


async def delete_record(work: UnitOfWork, entity: EntityType, row_id: int) -> int:
    """Delete an account with its opportunities' alignment, or an opportunity; returns its id.

    An account with opportunities is refused: delete those first. Raises `Invalid`, `NotFound`, `Forbidden`.
    """
    await begin(work, Act.DELETE)
    table = {EntityType.ACCOUNT: account, EntityType.OPPORTUNITY: opportunity}[entity]
    row = await read_row(work, table, entity.value.lower(), row_id)
    if entity is EntityType.ACCOUNT:
        left = await work.session.scalar(select(opportunity.c.id).where(opportunity.c.account_id == row_id).limit(1))
        if left is not None:
            raise InUse(f"{row.name} has opportunities; delete those first.", field=["id"])
    work.record(CRM_STREAM, ChangeDraft(entity, ChangeKind.DELETED, row_id, row.name))
    await work.session.execute(delete(table).where(table.c.id == row_id))
    return row_id
