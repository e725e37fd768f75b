"""Saved reports: their author's own; others may run those that are shared, each with what they may see themselves."""

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from etm_graph.core.access import Act, Kind, StateGroup
from etm_graph.core.errors import Forbidden, NotFound, Taken
from etm_graph.core.names import check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models.service import require_same_version
from etm_graph.features.reports.service.definitions import Definition, check
from etm_graph.features.reports.tables import saved_report


def _require_reader(work: UnitOfWork) -> None:
    """Pass for somebody who may read reports anywhere. Raises `Forbidden`."""
    for grant in work.principal.grants:
        for state in StateGroup:
            if work.viewer.may(Act.READ, Kind.REPORT, state=state, model_id=grant.model_id, path=grant.path):
                return
    raise Forbidden("You may not read reports, so you may not keep any.")


async def save_report(
    work: UnitOfWork,
    name: str,
    definition: Definition,
    *,
    description: str | None = None,
    shared: bool = False,
    report_id: int | None = None,
    expected_version: int | None = None,
) -> int:
    """Keep a report, or change one's own; returns its id. Raises `Taken`, `Conflict`, `NotFound`, `Invalid`."""
    _require_reader(work)
    check(definition)
    values = {
        "name": check_name(name),
        "description": description,
        "shared": shared,
        "definition": definition.to_json(),
        "written_at": work.now,
    }
    me = work.principal.user_id
    columns = saved_report.c
    same = select(columns.id).where(
        columns.user_id == me, columns.name == values["name"], columns.id != (report_id or 0)
    )
    if await work.session.scalar(same) is not None:
        raise Taken(f"You have a report named {values['name']} already.", field=["name"])
    if report_id is None:
        made = insert(saved_report).values(user_id=me, **values, version=1).returning(columns.id)
        return int(await work.session.scalar(made))
    row = await _own(work, report_id, expected_version)
    await work.session.execute(
        update(saved_report).where(columns.id == report_id).values(**values, version=row.version + 1)
    )
    return report_id


async def _own(work: UnitOfWork, report_id: int, expected_version: int | None) -> Row[Any]:
    columns = saved_report.c
    where = (columns.id == report_id) & (columns.user_id == work.principal.user_id)
    row = await work.session.row(select(saved_report).where(where).with_for_update())
    if row is None:
        raise NotFound("You have no such report.", field=["id"])
    if expected_version is not None:
        require_same_version(f"The report {row.name}", row.version, expected_version)
    return row


async def delete_report(work: UnitOfWork, report_id: int, expected_version: int | None = None) -> int:
    """Delete one's own report; returns its id. Raises `NotFound`, `Conflict`."""
    await _own(work, report_id, expected_version)
    await work.session.execute(delete(saved_report).where(saved_report.c.id == report_id))
    return report_id
