"""The parts of one execution: selections for all their objects, and columns on their way to the client."""

from collections.abc import Sequence
from typing import Any

from etm_graph.graphql.breadth.plans import FieldPlan, SelectionPlan
from etm_graph.graphql.breadth.spreading import Layer

_SHARED_FROM = 8
"""Fewer objects than this are not searched for repetitions."""


class Step:
    """One selection for all its objects."""

    __slots__ = ("columns", "filling", "objects", "plan", "positions", "sources")

    def __init__(
        self, plan: SelectionPlan, sources: Sequence[Any], filling: "Filling | None", positions: Sequence[int] | None
    ) -> None:
        self.plan = plan
        self.sources = sources
        self.filling = filling
        self.positions = positions
        """Which of the filling's flat row these sources are; None when they are all of it."""
        self.columns: list[Sequence[Any]] = [()] * len(plan.fields)
        self.objects: list[dict[str, Any]] = []


class Filling:
    """A field's column on its way from what the resolver gave to what the client gets."""

    __slots__ = ("field", "groups", "index", "layers", "row", "shared", "step")

    def __init__(self, step: Step, index: int) -> None:
        self.step = step
        self.index = index
        self.field: FieldPlan = step.plan.fields[index]
        self.layers: list[Layer] = []
        self.row: list[Any] = []
        self.groups: list[Step] = []
        self.shared: list[int] | None = None

    def fill(self) -> None:
        """Put the finished objects where they belong in the parents' column."""
        row: Sequence[Any] = self.row
        if self.groups:
            row = self._gathered()
        for layer in reversed(self.layers):
            row = layer.fold(row)
        self.step.columns[self.index] = row

    def _gathered(self) -> Sequence[Any]:
        if self.shared is not None:
            objects = self.groups[0].objects
            return [objects[place] for place in self.shared]
        if self.groups[0].positions is None:
            return self.groups[0].objects
        for group in self.groups:
            for position, made in zip(group.positions or (), group.objects, strict=True):
                self.row[position] = made
        return self.row

    def share(self) -> Sequence[Any]:
        """The row's objects, each once, when most of them are repetitions."""
        row = self.row
        different = dict(zip(map(id, row), row, strict=True)) if len(row) >= _SHARED_FROM else {}
        if not different or len(different) * 2 > len(row):
            return row
        place = {identity: index for index, identity in enumerate(different)}
        self.shared = [place[id(value)] for value in row]
        return list(different.values())
