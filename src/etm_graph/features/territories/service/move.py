"""Moving a territory with its subtree."""

from sqlalchemy import and_, func, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.edits import merge_edit
from etm_graph.core.errors import NotFound
from etm_graph.core.hierarchy import depth_of, moved_path, subtree_end
from etm_graph.events.log import read_changes_since
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models import service as models
from etm_graph.features.territories.service.locating import locate
from etm_graph.features.territories.tables import territory
from etm_graph.features.threads.service import relocate_threads


async def move_territory(work: UnitOfWork, territory_id: int, parent_id: int | None, expected_version: int) -> int:
    """Put a territory with its subtree under another parent, or make it a root; returns its id.

    The parent is one field, merged like any other; the model's lock makes the check for cycles safe.
    Raises `Cycle`, `Conflict`, `NotFound`, `WrongState`, `Forbidden`, `LimitExceeded`.
    """
    model, row = await locate(work, territory_id)
    models.require_planning(model)
    parent_path = None
    if parent_id is not None:
        parent_path = await work.session.scalar(
            select(territory.c.path).where(territory.c.id == parent_id, territory.c.model_id == model.id)
        )
        if parent_path is None:
            raise NotFound("There is no such parent territory in this model.", field=["parentId"])
    models.authorise(work, model, Act.MOVE, Kind.TERRITORY, row.path)
    if parent_path is not None:
        models.authorise(work, model, Act.MOVE, Kind.TERRITORY, parent_path)
    current = {"parent_id": row.parent_id}
    later = await read_changes_since(
        work.session, model.id, EntityType.TERRITORY, territory_id, min(expected_version, row.version)
    )
    edit = merge_edit(
        current, {"parent_id": parent_id}, version=row.version, expected_version=expected_version, later=later
    )
    if edit.is_empty:
        return territory_id
    subtree = and_(
        territory.c.model_id == model.id, territory.c.path >= row.path, territory.c.path < subtree_end(row.path)
    )
    deepest = int(await work.session.scalar(select(func.max(territory.c.depth)).where(subtree)))
    path = moved_path(row.path, parent_path, deepest=deepest)
    before, after = {**edit.before, "path": row.path}, {**edit.after, "path": path}
    seq = work.record(
        model.id,
        ChangeDraft(
            EntityType.TERRITORY, ChangeKind.MOVED, territory_id, row.developer_name, path, before=before, after=after
        ),
    )
    await work.session.execute(
        update(territory)
        .where(subtree)
        .values(
            path=func.concat(path, func.substr(territory.c.path, len(row.path) + 1)),
            depth=territory.c.depth + (depth_of(path) - depth_of(row.path)),
        )
    )
    await work.session.execute(
        update(territory).where(territory.c.id == territory_id).values(parent_id=parent_id, version=seq)
    )
    await relocate_threads(work, model.id, row.path, path)
    return territory_id
