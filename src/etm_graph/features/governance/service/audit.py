"""Taking the audit out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from etm_graph.access.sealing import Head, read_head
from etm_graph.core.access import Act, Kind
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.governance.queries import AuditFilter, audit_after


@dataclass(frozen=True, slots=True)
class Exported:
    """Entries, oldest first, and where the chain ended when they were read."""

    rows: Sequence[Row[Any]]
    head: Head


async def export_audit(work: UnitOfWork, wanted: AuditFilter, *, after: int, most: int) -> Exported:
    """Read a part of the audit; that it was taken is audited with it. Raises `Forbidden`."""
    work.viewer.require(Act.EXPORT, Kind.AUDIT)
    rows = await audit_after(work.session, wanted, after, most)
    return Exported(rows, await read_head(work.session))
