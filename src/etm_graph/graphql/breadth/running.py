"""One execution: level by level, a field once for all parents, with no recursion into the data.

Three lists drive it. `fresh`: selections whose parents are known and whose fields are not yet read. `batches` and
`awaits`: what has to be waited for. A wave awaits everything that is due at once; then the next level begins. What was
read is folded into objects afterwards, the deepest first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from graphql import GraphQLError, GraphQLObjectType, GraphQLResolveInfo
from graphql.execution import Executor
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path

from etm_graph.graphql.breadth.columns import Failure, Kind, attempt, kind_at, kinds_in, tidy
from etm_graph.graphql.breadth.plans import FieldPlan, SelectionPlan
from etm_graph.graphql.breadth.resolutions import Attribute, Batch, Call, Column, Property
from etm_graph.graphql.breadth.spreading import Layer, as_lists, collected, drop_marks, flatten
from etm_graph.graphql.breadth.steps import Filling, Step
from etm_graph.graphql.breadth.typing_objects import find_types

_UNTIDY = {Kind.EXCEPTION, Kind.UNDEFINED}
_NULLS = {Kind.NULL, Kind.UNDEFINED}
_FAILED = {Kind.FAILURE, Kind.EXCEPTION}


class Waiting:
    """A batch that a field asks for: its parents, and where the answers go."""

    __slots__ = ("arguments", "batch", "field", "filling", "parents")

    def __init__(self, filling: Filling, batch: Batch, arguments: Mapping[str, Any]) -> None:
        self.filling = filling
        self.field = filling.field
        self.parents = filling.step.sources
        self.batch = batch
        self.arguments = arguments


class Run:
    """One execution of a plan over root values."""

    def __init__(self, core: "Executor[Any]", context: object) -> None:
        self.core = core
        self.context = context
        self.tainted = False
        """Whether something failed or a null stands where none may be."""
        self._order: list[Step | Filling] = []
        self._fresh: list[Step] = []
        self._batches: list[Waiting] = []
        self._awaits: list[tuple[Sequence[Any], Callable[[Sequence[Any]], None]]] = []
        self._arguments: dict[FieldPlan, dict[str, Any] | Failure] = {}

    async def execute(self, plan: SelectionPlan, sources: Sequence[Any]) -> list[dict[str, Any]]:
        """The objects for these sources; `Failure` stands where something failed."""
        top = self._add(Step(plan, sources, None, None))
        while True:
            while self._fresh:
                level, self._fresh = self._fresh, []
                for step in level:
                    self._begin(step)
            if not self._batches and not self._awaits:
                break
            await self._wave()
        for part in reversed(self._order):
            if isinstance(part, Step):
                part.objects = part.plan.assemble(part.columns, len(part.sources))
            else:
                part.fill()
        return top.objects

    def steps(self) -> list[Step]:
        """All selections that were executed."""
        return [part for part in self._order if isinstance(part, Step)]

    def _add(self, step: Step) -> Step:
        self._order.append(step)
        self._fresh.append(step)
        return step

    def _begin(self, step: Step) -> None:
        for index, field in enumerate(step.plan.fields):
            if field.typename:
                step.columns[index] = [step.plan.type.name] * len(step.sources)
                continue
            filling = Filling(step, index)
            self._order.append(filling)
            resolution = field.resolution
            if isinstance(resolution, Batch):
                self._ask(filling, resolution)
            else:
                self.deliver(filling, self._read(filling, resolution))

    # reading without waiting

    def _read(self, filling: Filling, resolution: Attribute | Property | Column | Call) -> Sequence[Any]:
        sources = filling.step.sources
        if isinstance(resolution, Attribute):
            read = attrgetter(resolution.name)
            try:
                return list(map(read, sources))
            except Exception:  # noqa: BLE001 - found out parent by parent
                return [attempt(read, source) for source in sources]
        if isinstance(resolution, Column):
            try:
                return resolution.read(sources)
            except Exception as error:  # noqa: BLE001 - becomes an error of every parent's field
                return [Failure(error)] * len(sources)
        return self._call(filling, resolution)

    def _call(self, filling: Filling, resolution: Property | Call) -> Sequence[Any]:
        sources = filling.step.sources
        arguments = self._arguments_of(filling.field)
        if isinstance(arguments, Failure):
            return [arguments] * len(sources)
        if isinstance(resolution, Property):
            found = [attempt(_property, source, resolution.name) for source in sources]
            if not any(map(callable, found)):
                return found
            resolve: Callable[..., Any] = self.core.field_resolver
        else:
            resolve = resolution.resolve
        infos = self._infos(filling)
        return [attempt(resolve, *pair, **arguments) for pair in zip(sources, infos, strict=True)]

    def _arguments_of(self, field: FieldPlan) -> dict[str, Any] | Failure:
        if field not in self._arguments:
            definition, node = field.definition, field.nodes[0]
            given: dict[str, Any] | Failure = {}
            if definition.args or node.arguments:
                try:
                    given = get_argument_values(
                        definition, node, self.core.variable_values, None, self.core.hide_suggestions
                    )
                except GraphQLError as error:
                    given = Failure(error)
            self._arguments[field] = given
        return self._arguments[field]

    def info(self, field: FieldPlan, path: Path) -> GraphQLResolveInfo[Any]:
        """What an ordinary resolver is told about where it is."""
        return self.core.build_resolve_info(field.definition, field.nodes, field.parent, path)

    def _infos(self, filling: Filling) -> list[GraphQLResolveInfo[Any]]:
        return [self.info(filling.field, path) for path in self.paths(filling)]

    def paths(self, filling: Filling) -> list[Path]:
        """The path of the field for each parent."""
        key, name = filling.field.key, filling.step.plan.type.name
        return [Path(path, key, name) for path in self._paths_of(filling.step)]

    def _paths_of(self, step: Step) -> Sequence[Path | None]:
        if step.filling is None:
            return [None] * len(step.sources)
        found: Sequence[Path] = self.paths(step.filling)
        for layer in step.filling.layers:
            found = layer.paths(found)
        return found if step.positions is None else [found[position] for position in step.positions]

    # completing

    def deliver(self, filling: Filling, values: Sequence[Any]) -> None:
        """Take what a field's resolver gave for every parent (or what its awaitables gave, further inside)."""
        shape, field = filling.field.shape, filling.field
        while True:
            kinds = kinds_in(values)
            depth = len(filling.layers)
            if Kind.STREAM in kinds and depth < shape.depth:
                values = [collected(value) if kind_at(value) is Kind.STREAM else value for value in values]
                kinds = kinds_in(values)
            if Kind.AWAITABLE in kinds:
                self._awaits.append((values, partial(self.deliver, filling)))
                return
            values = tidy(values) if kinds & _UNTIDY else values
            self._check(kinds, required=shape.required[depth])
            if depth == shape.depth:
                break
            listed = as_lists(values, f"{field.parent}.{field.name}")
            layer, values = flatten(listed)
            self._check(kinds_in(listed), required=False)
            filling.layers.append(layer)
        if field.complete is not None:
            filling.row = list(found) if not isinstance(found := field.complete(values), list) else found
            self._check(kinds_in(filling.row), required=shape.required[-1])
            return
        marks, objects = drop_marks(values)
        if marks is not None:
            filling.layers.append(Layer(marks, None))
        self._descend(filling, objects)

    def _check(self, kinds: set[Kind], *, required: bool) -> None:
        if kinds & _FAILED or (required and kinds & _NULLS):
            self.tainted = True

    def when(self, values: Sequence[Any], then: Callable[[Sequence[Any]], None]) -> None:
        """Go on with the values, after waiting for those that are awaitable."""
        if Kind.AWAITABLE in kinds_in(values):
            self._awaits.append((values, then))
        else:
            then(values)

    def _descend(self, filling: Filling, objects: Sequence[Any]) -> None:
        filling.row = list(objects)
        if objects:
            find_types(self, filling)

    def open(self, filling: Filling, runtime_type: GraphQLObjectType, positions: Sequence[int] | None) -> None:
        """Begin the selection below for the objects of one runtime type: those at `positions`, or all."""
        try:
            plan = filling.field.below(runtime_type)
        except GraphQLError as error:
            self.fail(filling, positions, error)
            return
        sources: Sequence[Any] = filling.row
        if positions is not None:
            sources = [filling.row[position] for position in positions]
        elif plan.shareable:
            sources = filling.share()
        filling.groups.append(self._add(Step(plan, sources, filling, positions)))

    def fail(self, filling: Filling, positions: Sequence[int] | None, error: Exception) -> None:
        """Note that objects of a flat row cannot be completed."""
        self.tainted = True
        for position in range(len(filling.row)) if positions is None else positions:
            filling.row[position] = Failure(error)

    # waiting

    def _ask(self, filling: Filling, batch: Batch) -> None:
        arguments = self._arguments_of(filling.field)
        converted = arguments if isinstance(arguments, Failure) else attempt(batch.convert, arguments)
        if isinstance(converted, Failure):
            self.deliver(filling, [converted] * len(filling.step.sources))
        else:
            self._batches.append(Waiting(filling, batch, converted))

    async def _wave(self) -> None:
        batches, self._batches = _together(self._batches), []
        awaits, self._awaits = self._awaits, []
        works: list[Awaitable[Any]] = [self._load(group) for group in batches]
        works += [_awaited(values) for values, _ in awaits]
        if len(works) == 1:
            found = [await works[0]]
        else:
            found = await asyncio.gather(*works)
        for group, values in zip(batches, found, strict=False):
            start = 0
            for waiting in group:
                self.deliver(waiting.filling, values[start : start + len(waiting.parents)])
                start += len(waiting.parents)
        for (_, then), values in zip(awaits, found[len(batches) :], strict=True):
            then(values)

    async def _load(self, group: list[Waiting]) -> Sequence[Any]:
        first = group[0]
        parents = first.parents if len(group) == 1 else [parent for waiting in group for parent in waiting.parents]
        selection = first.field.selection
        for waiting in group[1:]:
            selection = selection.merged(waiting.field.selection)
        try:
            found = await first.batch.load(parents, self.context, first.arguments, selection)
        except Exception as error:  # noqa: BLE001 - becomes an error of every parent's field
            return [Failure(error)] * len(parents)
        if len(found) == len(parents):
            return found
        wrong = RuntimeError(f"{first.field.name}: {len(found)} answers for {len(parents)} parents")
        return [Failure(wrong)] * len(parents)


def _together(waiting: list[Waiting]) -> list[list[Waiting]]:
    """Batches of one identity with equal arguments, as one."""
    groups: list[list[Waiting]] = []
    for one in waiting:
        for group in groups:
            if group[0].batch.identity == one.batch.identity and group[0].arguments == one.arguments:
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


async def _awaited(values: Sequence[Any]) -> list[Any]:
    places = [place for place, value in enumerate(values) if kind_at(value) is Kind.AWAITABLE]
    found = await asyncio.gather(*(values[place] for place in places), return_exceptions=True)
    answer = list(values)
    for place, value in zip(places, found, strict=True):
        if isinstance(value, BaseException) and not isinstance(value, Exception):
            raise value
        answer[place] = Failure(value) if isinstance(value, Exception) else value
    return answer


def _property(source: Any, name: str) -> Any:  # noqa: ANN401 - any parent
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
