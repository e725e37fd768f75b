"""Cloning a model into a draft."""

from etm_graph.core.access import Act, Kind
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment.service import copy_decisions
from etm_graph.features.models import service as models
from etm_graph.features.rules.service import copy_rules
from etm_graph.features.territories.service import copy_territories


async def clone_model(
    work: UnitOfWork, source_id: int, developer_name: str, name: str, description: str | None = None
) -> int:
    """Copy a model in any settled state into a new draft, in one transaction; returns the draft's id.

    Copied are territories, members, rules, links, type priorities, assignments by hand and exclusions; all by name, so
    that the draft can be compared with its base. Raises `NotFound`, `Taken`, `Invalid`, `Forbidden`.
    """
    source = await models.lock_model(work, source_id)
    models.authorise(work, source, Act.CLONE, Kind.MODEL)
    base = work.heads[source_id].structure_head
    target_id = await models.create_model(
        work, developer_name, name, description, cloned_from_id=source_id, base_structure_head=base
    )
    await models.copy_priorities(work, source_id, target_id)
    await copy_territories(work, source_id, target_id)
    await copy_rules(work, source_id, target_id)
    await copy_decisions(work, source_id, target_id)
    return target_id
