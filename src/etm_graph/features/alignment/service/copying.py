"""Copying what people decided about assignments with a model."""

from sqlalchemy import and_, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT

from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment.tables import account_assignment, assignment_exclusion
from etm_graph.features.territories import queries as territories


async def copy_decisions(
    work: UnitOfWork, source_id: int, target_id: int, *, manual: bool = True, exclusions: bool = True
) -> None:
    """Copy assignments by hand and exclusions into a model that has its territories already, set-wise."""
    if manual:
        await _copy_manual(work, source_id, target_id)
    if exclusions:
        await _copy_exclusions(work, source_id, target_id)


async def _copy_manual(work: UnitOfWork, source_id: int, target_id: int) -> None:
    old, new = territories.nodes.alias("old"), territories.nodes.alias("new")
    namesake = and_(new.c.model_id == target_id, new.c.developer_name == old.c.developer_name)
    manual = account_assignment.c
    await work.session.execute(
        insert(account_assignment).from_select(
            ["model_id", "account_id", "territory_id", "manual", "by_rule", "rule_ids", "since", "version"],
            select(
                literal(target_id),
                manual.account_id,
                new.c.id,
                literal(True),
                literal(False),
                literal([], ARRAY(BIGINT)),
                literal(work.now),
                literal(0),
            )
            .join(old, old.c.id == manual.territory_id)
            .join(new, namesake)
            .where(manual.model_id == source_id, manual.until.is_(None), manual.manual),
        )
    )


async def _copy_exclusions(work: UnitOfWork, source_id: int, target_id: int) -> None:
    old, new = territories.nodes.alias("old"), territories.nodes.alias("new")
    namesake = and_(new.c.model_id == target_id, new.c.developer_name == old.c.developer_name)
    kept = assignment_exclusion.c
    await work.session.execute(
        insert(assignment_exclusion).from_select(
            ["model_id", "account_id", "territory_id", "note", "version"],
            select(literal(target_id), kept.account_id, new.c.id, kept.note, literal(0))
            .join(old, old.c.id == kept.territory_id)
            .join(new, namesake)
            .where(kept.model_id == source_id),
        )
    )
