"""Drafts out of the management hierarchy, or out of a table with a row for each territory."""

from collections.abc import Sequence

from etm_graph.core.changes import EntityType
from etm_graph.core.errors import Invalid, NotFound
from etm_graph.core.facts import FORECAST_MANAGER, PARENT, Structure
from etm_graph.core.planting import BadRow, Person, Planted, plant_hierarchy, plant_table
from etm_graph.db.sessions import ReadSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm import queries as crm
from etm_graph.features.editing.queries import TYPE
from etm_graph.features.editing.service.writing import write_structure
from etm_graph.features.models import queries as model_queries
from etm_graph.features.models import service as models


async def read_hierarchy(session: ReadSession, type_id: int, top_user_id: int | None) -> list[Planted]:
    """The territories that the management hierarchy makes. Raises `NotFound`, `Invalid`."""
    types = await model_queries.type_names(session)
    if type_id not in types:
        raise NotFound("There is no such territory type.", field=["typeId"])
    rows = await crm.management(session)
    names = {row.id: row.user_name for row in rows}
    people = [Person(row.user_name, row.name, names.get(row.manager_id), row.active) for row in rows]
    if top_user_id is not None and top_user_id not in names:
        raise NotFound("There is no such user.", field=["topUserId"])
    planted = plant_hierarchy(people, types[type_id], None if top_user_id is None else names[top_user_id])
    if not planted:
        raise Invalid("Nobody has reports, so there is no hierarchy to make territories of.")
    return planted


async def read_table(session: ReadSession, text: str) -> tuple[list[Planted], list[BadRow]]:
    """The territories of a CSV text, and every row that cannot be used. Raises `Invalid`, `LimitExceeded`."""
    types = set((await model_queries.type_names(session)).values())
    users = {row.user_name for row in await crm.user_keys(session)}
    return plant_table(text, types, users)


async def plant_model(
    work: UnitOfWork, developer_name: str, name: str, description: str | None, planted: Sequence[Planted]
) -> int:
    """Create a draft with these territories, all or none; returns its id. Raises `Taken`, `Invalid`, `Forbidden`."""
    model_id = await models.create_model(work, developer_name, name, description)
    model = await models.lock_model(work, model_id)
    await write_structure(work, model, {}, _structure(planted))
    return model_id


def _structure(planted: Sequence[Planted]) -> Structure:
    facts: dict[tuple[EntityType, str], dict[str, object]] = {}
    for node in planted:
        facts[EntityType.TERRITORY, node.developer_name] = {
            "name": node.name,
            "description": node.description,
            TYPE: node.type,
            PARENT: node.parent,
            FORECAST_MANAGER: node.forecast_manager,
            "custom": {},
        }
        for user_name, role in node.members.items():
            facts[EntityType.MEMBERSHIP, f"{node.developer_name}/{user_name}"] = {
                "role_in_territory": role,
                "effective_from": None,
                "effective_until": None,
            }
    return facts
