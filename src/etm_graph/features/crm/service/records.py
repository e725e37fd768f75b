"""Accounts and opportunities."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, func, insert, select, update

from etm_graph.core.access import Act
from etm_graph.core.changes import CRM_STREAM, ChangeDraft, ChangeKind, EntityType
from etm_graph.core.criteria import DataType
from etm_graph.core.errors import Cycle, InUse, Invalid, NotFound
from etm_graph.core.rollup import ForecastCategory
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import currencies, list_custom_fields
from etm_graph.features.crm.service.checking import (
    check_currency,
    check_external_id,
    check_owner,
    check_plain,
    custom_value,
)
from etm_graph.features.crm.service.editing import begin, delete_unused, edit, read_row, require_unchanged
from etm_graph.features.crm.service.happenings import AccountsChanged, OpportunitiesChanged
from etm_graph.features.crm.tables import account, opportunity

CUSTOM = "custom."
"""What the fields of a change begin with that are custom fields."""

_ACCOUNT_REQUIRED = frozenset({"name", "currency", "excluded_from_realignment"})
_OPPORTUNITY_REQUIRED = frozenset(
    {
        "name",
        "stage",
        "amount",
        "currency",
        "close_date",
        "probability",
        "forecast_category",
        "excluded_from_territory_assignment",
    }
)


async def _custom(work: UnitOfWork, given: Mapping[str, list[str]]) -> dict[str, Any]:
    """The given custom values as they are stored, None for those that are cleared."""
    fields = {row.developer_name: row for row in await list_custom_fields(work.session) if row.object_type == "ACCOUNT"}
    checked: dict[str, Any] = {}
    for name, values in given.items():
        if name not in fields:
            raise Invalid(f"There is no custom field {name!r}.", field=["customValues"])
        try:
            field = fields[name]
            checked[name] = custom_value(DataType(field.data_type), field.picklist_values, values) if values else None
        except ValueError as error:
            raise Invalid(f"{fields[name].label}: {error}.", field=["customValues", name]) from error
    return checked


async def _check_parent(work: UnitOfWork, account_id: int | None, parent_id: object) -> None:
    """Pass when the parent exists and is not below the account."""
    above = parent_id
    seen: set[object] = set()
    while above is not None and above not in seen:
        if above == account_id:
            raise Cycle("The parent is below this account already.", field=["parentId"])
        seen.add(above)
        row = await work.session.row(select(account.c.parent_id).where(account.c.id == above))
        if row is None:
            raise NotFound("There is no such parent account.", field=["parentId"])
        above = row.parent_id


async def _checked_account(work: UnitOfWork, account_id: int | None, wanted: Mapping[str, Any]) -> dict[str, Any]:
    values = check_plain(wanted, _ACCOUNT_REQUIRED)
    await check_currency(work, values)
    await check_owner(work, values)
    await _check_parent(work, account_id, values.get("parent_id"))
    return values


async def _create(work: UnitOfWork, table: Table, entity: EntityType, values: Mapping[str, Any]) -> int:
    await check_external_id(work, table, values)
    if "currency" not in values:
        values = {**values, "currency": (await currencies(work.session))[0]}
    row_id = int(await work.session.scalar(insert(table).values(**values, version=0).returning(table.c.id)))
    draft = ChangeDraft(entity, ChangeKind.CREATED, row_id, str(values["name"]), after=values)
    seq = work.record(CRM_STREAM, draft)
    await work.session.execute(update(table).where(table.c.id == row_id).values(version=seq))
    return row_id


async def create_account(
    work: UnitOfWork, wanted: Mapping[str, Any], custom: Mapping[str, list[str]] | None = None
) -> int:
    """Create an account; territories follow in the same transaction. Returns its id.

    Its currency is the organisation's unless it is given. Raises `Invalid`, `NotFound`, `Taken`, `Forbidden`.
    """
    await begin(work, Act.CREATE)
    held = {name: value for name, value in (await _custom(work, custom or {})).items() if value is not None}
    values = {"excluded_from_realignment": False, **await _checked_account(work, None, wanted), "custom": held}
    account_id = await _create(work, account, EntityType.ACCOUNT, values)
    await work.announce(AccountsChanged((account_id,)))
    return account_id


async def update_account(
    work: UnitOfWork,
    account_id: int,
    expected_version: int,
    wanted: Mapping[str, Any],
    custom: Mapping[str, list[str]] | None = None,
) -> int:
    """Change an account; territories follow in the same transaction. Returns its id.

    custom: values of custom fields by developer name; an empty list clears one, fields left out stay. Each is merged
    on its own. Raises `Conflict`, `Invalid`, `Cycle`, `NotFound`, `Forbidden`.
    """
    await begin(work, Act.UPDATE)
    row = await read_row(work, account, "account", account_id)
    given = await _custom(work, custom or {})
    values = await _checked_account(work, account_id, wanted)
    values |= {CUSTOM + name: value for name, value in given.items()}
    current = {**row._mapping, **{CUSTOM + name: row.custom.get(name) for name in given}}

    def to_columns(after: Mapping[str, object]) -> Mapping[str, object]:
        columns = {name: value for name, value in after.items() if not name.startswith(CUSTOM)}
        changed = {name.removeprefix(CUSTOM): value for name, value in after.items() if name.startswith(CUSTOM)}
        if not changed:
            return columns
        merged = {**row.custom, **changed}
        return {**columns, "custom": {name: value for name, value in merged.items() if value is not None}}

    changed = await edit(
        work,
        account,
        EntityType.ACCOUNT,
        row,
        row.name,
        values,
        expected_version,
        current=current,
        to_columns=to_columns,
    )
    if changed:
        await work.announce(AccountsChanged((account_id,)))
    return account_id


async def _checked_opportunity(work: UnitOfWork, wanted: Mapping[str, Any]) -> dict[str, Any]:
    values = check_plain(wanted, _OPPORTUNITY_REQUIRED)
    if "forecast_category" in values:
        values["forecast_category"] = ForecastCategory(values["forecast_category"]).value
    await check_currency(work, values)
    await check_owner(work, values)
    return values


async def create_opportunity(work: UnitOfWork, account_id: int, wanted: Mapping[str, Any]) -> int:
    """Create an opportunity of an account; its territory follows. Returns its id.

    Its currency is the organisation's unless it is given. Raises `Invalid`, `NotFound`, `Taken`, `Forbidden`.
    """
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
    """Change an opportunity; its territory follows. Returns its id.

    Raises `Conflict`, `Invalid`, `NotFound`, `Forbidden`.
    """
    await begin(work, Act.UPDATE)
    row = await read_row(work, opportunity, "opportunity", opportunity_id)
    values = await _checked_opportunity(work, wanted)
    if await edit(work, opportunity, EntityType.OPPORTUNITY, row, row.name, values, expected_version):
        await work.announce(OpportunitiesChanged((opportunity_id,)))
    return opportunity_id


async def delete_record(work: UnitOfWork, entity: EntityType, row_id: int, expected_version: int | None = None) -> int:
    """Delete an account with its assignments, or an opportunity with its alignment; returns its id.

    An account with opportunities or accounts below it is refused: delete those first. Raises `InUse`, `Conflict` when it
    changed since `expected_version`, `NotFound`, `Forbidden`.
    """
    await begin(work, Act.DELETE)
    table = {EntityType.ACCOUNT: account, EntityType.OPPORTUNITY: opportunity}[entity]
    row = await read_row(work, table, entity.value.lower(), row_id)
    require_unchanged(row, expected_version)
    if entity is EntityType.ACCOUNT:
        await _require_unused(work, row_id, row.name)
    await delete_unused(work, table, row_id, f"{row.name} cannot be deleted.")
    work.record(CRM_STREAM, ChangeDraft(entity, ChangeKind.DELETED, row_id, row.name, before={"name": row.name}))
    return row_id


async def _require_unused(work: UnitOfWork, account_id: int, name: str) -> None:
    sales = select(func.count()).select_from(opportunity).where(opportunity.c.account_id == account_id)
    below = select(func.count()).select_from(account).where(account.c.parent_id == account_id)
    for what, statement in (("opportunities", sales), ("accounts below it", below)):
        count = int(await work.session.scalar(statement))
        if count:
            raise InUse(f"{name} has {count} {what}; delete those first.", field=["id"])
