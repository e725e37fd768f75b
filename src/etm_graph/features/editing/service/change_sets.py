"""A change set: several edits of one draft, applied all or none, contiguous in its stream.

Operations name entities by developer name, so that one can refer to what an earlier one created.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from etm_graph.core.changes import EntityType
from etm_graph.core.errors import BusinessError, Conflict, Invalid, NotFound
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models import service as models
from etm_graph.features.rules import queries as rules
from etm_graph.features.territories import queries as territories

OPERATIONS_MAX = 500
"""Operations of one change set; imports of more are several."""


@dataclass(slots=True)
class Editing:
    """A change set under way on a locked draft. began_at: the head before its first change."""

    work: UnitOfWork
    model: models.ModelHead
    began_at: int
    _first_seen: dict[tuple[EntityType, int], int] = field(default_factory=dict)

    async def territory(self, developer_name: str, at: str = "developerName") -> Row[Any]:
        """A territory of the draft as it is now: id, version. Raises `NotFound`."""
        found = await territories.find_in_model(self.work.session, self.model.id, developer_name)
        return self._seen(EntityType.TERRITORY, found, f"territory {developer_name}", at)

    async def rule(self, developer_name: str, at: str = "developerName") -> Row[Any]:
        """A rule of the draft as it is now: id, version. Raises `NotFound`."""
        found = await rules.find_in_model(self.work.session, self.model.id, developer_name)
        return self._seen(EntityType.RULE, found, f"rule {developer_name}", at)

    async def member(self, territory: str, user_id: int) -> Row[Any]:
        """A membership of the draft as it is now: id, version. Raises `NotFound`."""
        node = await self.territory(territory, "territory")
        found = await territories.find_member(self.work.session, node.id, user_id)
        return self._seen(EntityType.MEMBERSHIP, found, f"member of {territory}", "userId")

    def _seen(self, entity: EntityType, row: Row[Any] | None, what: str, at: str) -> Row[Any]:
        if row is None:
            raise NotFound(f"There is no {what} in this model.", field=[at])
        self._first_seen.setdefault((entity, row.id), row.version)
        return row

    def expected(self, row: Row[Any], given: int | None) -> int:
        """The version to merge an edit with. Raises `Invalid` when none was given for what was there before."""
        if given is not None:
            return given
        if row.version <= self.began_at:
            raise Invalid(
                "Name the expectedVersion of what this change set has not created or changed itself.",
                field=["expectedVersion"],
            )
        return int(row.version)

    def unchanged(self, entity: EntityType, row: Row[Any], given: int | None) -> int:
        """The version to delete at. Raises `Conflict` when somebody else changed it since `given`."""
        first = self._first_seen[entity, row.id]
        if self.expected(row, given) not in {first, row.version}:
            raise Conflict(f"It was changed by change {first} since; read it again.", field=["expectedVersion"])
        return int(row.version)


Operation = tuple[str, Callable[[Editing], Awaitable[object]]]
"""An operation's name, for errors, and what it does."""


async def apply_change_set(work: UnitOfWork, model_id: int, operations: Sequence[Operation]) -> int:
    """Apply operations to a draft in order, all or none; returns the model's id.

    Errors name the operation. Raises what the operations raise, `Invalid`, `NotFound`, `WrongState`.
    """
    if not 0 < len(operations) <= OPERATIONS_MAX:
        raise Invalid(
            f"A change set has 1 to {OPERATIONS_MAX} operations; this one has {len(operations)}.", field=["operations"]
        )
    model = await models.lock_model(work, model_id)
    models.require_planning(model)
    editing = Editing(work, model, work.heads[model_id].head)
    for place, (name, operate) in enumerate(operations):
        try:
            await operate(editing)
        except BusinessError as error:
            field_path = ["operations", str(place), name, *error.field]
            raise type(error)(error.message, field=field_path, details=error.details) from error
    return model_id
