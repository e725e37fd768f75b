"""Bringing a locked draft to a wanted structure: what differs is written and recorded, in an order that always works."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etm_graph.core.changes import EntityType
from etm_graph.core.errors import Conflict
from etm_graph.core.facts import FORECAST_MANAGER, Fact, Fields, Structure, differences, violations
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment import service as alignment
from etm_graph.features.crm.queries import user_keys
from etm_graph.features.editing.queries import TYPE
from etm_graph.features.models import service as models
from etm_graph.features.models.queries import type_names
from etm_graph.features.rules import service as rules
from etm_graph.features.territories import service as territories

Wanted = dict[str, Fields | None]

SHOWN = 5
"""How many problems a message lists."""


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Numbers of types and users by name, as columns have them."""

    types: Mapping[str, int]
    users: Mapping[str, int]

    def columns(self, entity: EntityType, key: str, fields: Fields) -> dict[str, Any]:
        found = dict(fields)
        if TYPE in found:
            found["type_id"] = self._of("territory type", self.types, found.pop(TYPE))
        if FORECAST_MANAGER in found:
            name = found.pop(FORECAST_MANAGER)
            found["forecast_manager_id"] = None if name is None else self._of("user", self.users, name)
        if entity is EntityType.MEMBERSHIP:
            found["user_id"] = self._of("user", self.users, key.partition("/")[2])
        return found

    @staticmethod
    def _of(what: str, known: Mapping[str, int], name: object) -> int:
        if str(name) not in known:
            raise Conflict(f"There is no {what} {name} any more; nothing was changed.")
        return known[str(name)]


def require_possible(structure: Structure) -> None:
    """Pass for a structure that a model can have; raise `Conflict` that lists what is wrong."""
    found = violations(structure)
    if found:
        more = f" … and {len(found) - SHOWN} more." if len(found) > SHOWN else ""
        raise Conflict(f"Nothing was changed. {' '.join(found[:SHOWN])}{more}")


async def write_structure(
    work: UnitOfWork,
    model: models.ModelHead,
    before: Structure,
    after: Structure,
    former_ids: Mapping[Fact, int] | None = None,
) -> int:
    """Write and record what leads from one structure of a locked draft to another; how many facts differ.

    former_ids: numbers of entities that come back. Raises `Conflict` for an impossible outcome, `Forbidden`.
    """
    require_possible(after)
    found = differences(before, after)
    if not found:
        return 0
    numbers = _Numbers(
        {name: number for number, name in (await type_names(work.session)).items()},
        {row.user_name: row.id for row in await user_keys(work.session)},
    )
    gone: dict[EntityType, Wanted] = {entity: {} for entity in EntityType}
    puts: dict[EntityType, Wanted] = {entity: {} for entity in EntityType}
    for difference in found:
        entity, key = difference.fact
        if difference.after is None:
            gone[entity][key] = None
        else:
            puts[entity][key] = numbers.columns(entity, key, difference.after)
    former = {entity: {k: n for (e, k), n in (former_ids or {}).items() if e is entity} for entity in EntityType}
    await rules.write_links(work, model, gone[EntityType.RULE_LINK])
    await alignment.write_assignments(work, model, gone[EntityType.ASSIGNMENT])
    await alignment.write_exclusions(work, model, gone[EntityType.EXCLUSION])
    await territories.write_members(work, model, gone[EntityType.MEMBERSHIP], {})
    both = {**gone[EntityType.TERRITORY], **puts[EntityType.TERRITORY]}
    if both:
        await territories.write_territories(work, model, both, former[EntityType.TERRITORY])
    await rules.write_rules(work, model, {**gone[EntityType.RULE], **puts[EntityType.RULE]}, former[EntityType.RULE])
    await territories.write_members(work, model, puts[EntityType.MEMBERSHIP], former[EntityType.MEMBERSHIP])
    await rules.write_links(work, model, puts[EntityType.RULE_LINK])
    await alignment.write_assignments(work, model, puts[EntityType.ASSIGNMENT])
    await alignment.write_exclusions(work, model, puts[EntityType.EXCLUSION])
    await _write_model(work, model, puts, numbers)
    return len(found)


async def _write_model(
    work: UnitOfWork, model: models.ModelHead, puts: Mapping[EntityType, Wanted], numbers: _Numbers
) -> None:
    for name, fields in puts[EntityType.TYPE_PRIORITY].items():
        if name in numbers.types and fields is not None:
            await models.write_priority(work, model, numbers.types[name], name, int(str(fields["priority"])))
    for fields in puts[EntityType.MODEL].values():
        if fields is not None:
            await models.write_description(work, model, fields)
