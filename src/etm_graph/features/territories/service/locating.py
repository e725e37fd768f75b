"""Finding a territory that is to be edited, under its model's lock."""

from typing import Any

from sqlalchemy import Row, select

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeKind, EntityType
from etm_graph.core.errors import Conflict, NotFound
from etm_graph.events.tables import change
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models import service as models
from etm_graph.features.territories.tables import territory


def _missing() -> NotFound:
    """The one answer for what is unknown and for what the caller may not see."""
    return NotFound("There is no such territory.", field=["id"])


async def locate(work: UnitOfWork, territory_id: int) -> tuple[models.ModelHead, Row[Any]]:
    """Lock the model of a territory and read the territory as it is then.

    Raises `NotFound`; `Conflict` when it was deleted since somebody saw it.
    """
    model_id = await work.session.scalar(select(territory.c.model_id).where(territory.c.id == territory_id))
    if model_id is None:
        raise await _gone(work, territory_id)
    model = await models.lock_model(work, model_id, _missing())
    row = await work.session.row(select(territory).where(territory.c.id == territory_id))
    if row is None:
        raise await _gone(work, territory_id)
    if not work.viewer.may(Act.READ, Kind.TERRITORY, state=model.group, model_id=model.id, path=row.path):
        raise _missing()
    return model, row


async def _gone(work: UnitOfWork, territory_id: int) -> Exception:
    """What to say of a territory that is not there: a reader of its model learns that somebody deleted it."""
    deleted = await work.session.row(
        select(change.c.stream_id, change.c.key, change.c.seq).where(
            change.c.entity_type == EntityType.TERRITORY.value,
            change.c.entity_id == territory_id,
            change.c.kind == ChangeKind.DELETED.value,
        )
    )
    if deleted is None:
        return _missing()
    try:
        await models.lock_model(work, deleted.stream_id)
    except NotFound:
        return _missing()
    return Conflict(f"{deleted.key} was deleted by change {deleted.seq}; nothing was changed.", field=["id"])
