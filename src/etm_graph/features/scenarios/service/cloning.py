"""Cloning a model into a draft."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import text

from etm_graph.core.access import Act, Kind
from etm_graph.core.anchors import AnchorKind
from etm_graph.core.errors import WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.events.log import read_heads
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment.service import copy_decisions
from etm_graph.features.models import service as models
from etm_graph.features.rules import queries as rules
from etm_graph.features.rules.service import copy_rules
from etm_graph.features.territories import queries as territories
from etm_graph.features.territories.service import copy_territories
from etm_graph.features.threads.service import copy_open_threads
from etm_graph.jobs.queue import Job, start

CLONE = "clone"
SETTLED = frozenset({ModelState.PLANNING, ModelState.ACTIVE, ModelState.ARCHIVED})
"""States in which a model can be copied."""


@dataclass(frozen=True, slots=True)
class CloneOptions:
    """What comes along beside territories, rules, links and type priorities."""

    members: bool = True
    manual_assignments: bool = True
    exclusions: bool = True
    open_threads: bool = False


async def _authorise(work: UnitOfWork, source_id: int) -> models.ModelHead:
    source = await models.lock_model(work, source_id)
    models.authorise(work, source, Act.CLONE, Kind.MODEL)
    if source.state not in SETTLED:
        raise WrongState(f"{source.name} is {source.state}; wait until that is over and clone it then.")
    return source


async def request_clone(
    work: UnitOfWork, source_id: int, developer_name: str, name: str, description: str | None, options: CloneOptions
) -> int:
    """Begin to copy a model, in any settled state, into a new draft; returns the job's id.

    The draft is CLONING until it is whole. Raises `NotFound`, `Taken`, `Invalid`, `WrongState`, `Forbidden`.
    """
    await _authorise(work, source_id)
    target_id = await models.create_model(
        work, developer_name, name, description, state=ModelState.CLONING, cloned_from_id=source_id
    )
    return await _start(work, target_id, {"source_id": source_id, "options": asdict(options)})


async def _start(work: UnitOfWork, target_id: int, arguments: Mapping[str, Any]) -> int:
    who = work.principal.user_id or None
    return await start(work.session, CLONE, arguments, now=work.now, model_id=target_id, created_by=who)


async def retry_clone(work: UnitOfWork, job: Job) -> int:
    """Ask for a failed copy again; returns the new job's id. Raises `WrongState`, `NotFound`, `Forbidden`."""
    await _authorise(work, job.arguments["source_id"])
    target = await models.lock_model(work, int(job.model_id or 0))
    await models.change_state(work, target, ModelState.CLONING)
    return await _start(work, target.id, job.arguments)


async def run_clone(work: UnitOfWork, target_id: int, source_id: int, options: CloneOptions) -> None:
    """Copy everything as of one moment and make the draft ready, in one transaction that locks nobody out.

    The transaction's isolation must be that of `freeze`. Its draft is seen by nobody until then.
    """
    heads = await read_heads(work.session, [source_id])
    target = await models.lock_for_system(work, target_id)
    if target.state is ModelState.PLANNING:
        return  # an earlier worker of this job got this far before it died
    await _copy(work, source_id, target_id, options)
    await models.change_state(work, target, ModelState.PLANNING, base_structure_head=heads[source_id].structure_head)


async def freeze(work: UnitOfWork) -> None:
    """First statement of a copy's transaction: all that it reads is of one moment."""
    await work.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    await work.session.execute(text("SET LOCAL statement_timeout = 0"))  # as long as a large model takes


async def end_clone(work: UnitOfWork, target_id: int, reason: str) -> None:
    """Say in the draft why there is no copy; it can be tried again or deleted."""
    target = await models.lock_for_system(work, target_id)
    if target.state is ModelState.CLONING:
        await models.change_state(work, target, ModelState.CLONING_FAILED, reason=reason)


async def clone_model(
    work: UnitOfWork,
    source_id: int,
    developer_name: str,
    name: str,
    description: str | None = None,
    options: CloneOptions | None = None,
) -> int:
    """Copy a model in any settled state into a new draft, in one transaction; returns the draft's id.

    Copied are territories, members, rules, links, type priorities, assignments by hand and exclusions; all by name, so
    that the draft can be compared with its base. Raises `NotFound`, `Taken`, `Invalid`, `WrongState`, `Forbidden`.
    """
    await _authorise(work, source_id)
    base = work.heads[source_id].structure_head
    target_id = await models.create_model(
        work, developer_name, name, description, cloned_from_id=source_id, base_structure_head=base
    )
    await _copy(work, source_id, target_id, options or CloneOptions())
    return target_id


async def _copy(work: UnitOfWork, source_id: int, target_id: int, options: CloneOptions) -> None:
    await models.copy_priorities(work, source_id, target_id)
    await copy_territories(work, source_id, target_id, members=options.members)
    await copy_rules(work, source_id, target_id)
    await copy_decisions(work, source_id, target_id, manual=options.manual_assignments, exclusions=options.exclusions)
    if options.open_threads:
        await copy_open_threads(work, source_id, target_id, await _namesakes(work, source_id, target_id))


async def _namesakes(work: UnitOfWork, source_id: int, target_id: int) -> dict[AnchorKind, dict[int, int]]:
    """What the copies of anchors are, by kind."""
    nodes = await territories.namesakes(work.session, source_id, target_id)
    found = await rules.namesakes(work.session, source_id, target_id)
    places = {row.old_id: row.new_id for row in nodes}
    return {
        AnchorKind.MODEL: {source_id: target_id},
        AnchorKind.TERRITORY: places,
        AnchorKind.ASSIGNMENT: places,
        AnchorKind.RULE: {row.old_id: row.new_id for row in found},
    }
