"""Kinds of quota: organisation-wide."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import InUse, Invalid, NotFound, Taken
from etm_graph.core.names import check_developer_name, check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.service import CalendarChanging
from etm_graph.features.forecasts.queries import people
from etm_graph.features.forecasts.tables import quota, quota_kind
from etm_graph.features.models.service import require_same_version

UNITS = ("AMOUNT", "QUANTITY")


async def create_quota_kind(
    work: UnitOfWork, developer_name: str, name: str, unit: str, description: str | None = None
) -> int:
    """Add a kind of quota; returns its id. Raises `Taken`, `Invalid`, `Forbidden`."""
    work.viewer.require(Act.CREATE, Kind.ORGANISATION)
    check_developer_name(developer_name)
    if unit not in UNITS:
        raise Invalid(f"A quota's unit is one of {', '.join(UNITS)}.", field=["unit"])
    taken = select(quota_kind.c.id).where(quota_kind.c.developer_name == developer_name)
    if await work.session.scalar(taken) is not None:
        raise Taken(f"There is a kind of quota {developer_name} already.", field=["developerName"])
    values = {
        "developer_name": developer_name,
        "name": check_name(name),
        "unit": unit,
        "description": description,
        "version": 1,
    }
    return int(await work.session.scalar(insert(quota_kind).values(**values).returning(quota_kind.c.id)))


async def _locked(work: UnitOfWork, kind_id: int) -> Row[Any]:
    row = await work.session.row(select(quota_kind).where(quota_kind.c.id == kind_id).with_for_update())
    if row is None:
        raise NotFound("There is no such kind of quota.", field=["id"])
    return row


async def update_quota_kind(work: UnitOfWork, kind_id: int, expected_version: int, wanted: Mapping[str, object]) -> int:
    """Change a kind's name or description; returns its id. Raises `Conflict`, `NotFound`, `Forbidden`."""
    work.viewer.require(Act.UPDATE, Kind.ORGANISATION)
    row = await _locked(work, kind_id)
    require_same_version(f"The kind of quota {row.developer_name}", row.version, expected_version)
    values = dict(wanted)
    if "name" in values:
        values["name"] = check_name(str(values["name"]))
    await work.session.execute(
        update(quota_kind).where(quota_kind.c.id == kind_id).values(**values, version=row.version + 1)
    )
    return kind_id


async def delete_quota_kind(work: UnitOfWork, kind_id: int, expected_version: int | None = None) -> int:
    """Delete a kind that no quota has; returns its id. Raises `InUse`, `Conflict`, `NotFound`, `Forbidden`."""
    work.viewer.require(Act.DELETE, Kind.ORGANISATION)
    row = await _locked(work, kind_id)
    if expected_version is not None:
        require_same_version(f"The kind of quota {row.developer_name}", row.version, expected_version)
    count = int(await work.session.scalar(select(func.count()).select_from(quota).where(quota.c.kind_id == kind_id)))
    if count:
        raise InUse(f"{count} quotas are of the kind {row.developer_name}; delete those first.", field=["id"])
    if row.developer_name == people.DEFAULT_KIND:
        raise InUse(f"{people.DEFAULT_KIND} is what forecasts are compared with; it stays.", field=["id"])
    await work.session.execute(delete(quota_kind).where(quota_kind.c.id == kind_id))
    return kind_id


async def refuse_calendar_in_use(work: UnitOfWork, happening: CalendarChanging) -> None:
    """Raise `InUse` while quotas, adjustments or submissions are kept by the present periods."""
    kept = await people.kept_by_period(work.session)
    counted = kept if happening.year else {"adjustments": kept["adjustments"]}
    used = [f"{count} {name}" for name, count in counted.items() if count]
    if used:
        raise InUse(f"The fiscal calendar is used by {', '.join(used)}; it cannot change while they are there.")
