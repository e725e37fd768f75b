"""Which object type each value of a composite field is, asked as graphql-core asks: resolve_type, then is_type_of."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from graphql import GraphQLAbstractType, GraphQLError, GraphQLObjectType, GraphQLResolveInfo, is_object_type
from graphql.execution import Executor
from graphql.pyutils import Path, inspect

from etm_graph.graphql.breadth.columns import Failure, attempt
from etm_graph.graphql.breadth.plans import FieldPlan
from etm_graph.graphql.breadth.steps import Filling


class Opening(Protocol):
    """What is needed of the execution."""

    core: Executor[Any]

    def info(self, field: FieldPlan, path: Path) -> GraphQLResolveInfo[Any]:
        """What a resolver is told."""

    def paths(self, filling: Filling) -> list[Path]:
        """The field's path for each parent."""

    def when(self, values: Sequence[Any], then: Callable[[Sequence[Any]], None]) -> None:
        """Go on with the values, after waiting for those that are awaitable."""

    def open(self, filling: Filling, runtime_type: GraphQLObjectType, positions: Sequence[int] | None) -> None:
        """Begin the selection below for objects of a type."""

    def fail(self, filling: Filling, positions: Sequence[int] | None, error: Exception) -> None:
        """Note that objects cannot be completed."""


def find_types(run: Opening, filling: Filling) -> None:
    """Open a selection for every runtime type in a flat row of objects."""
    abstract = filling.field.abstract
    if abstract is None:
        declared: Any = filling.field.named
        _verify(run, filling, declared, None)
        return
    resolve = abstract.resolve_type or run.core.type_resolver
    info = run.info(filling.field, run.paths(filling)[0])
    names = [attempt(resolve, value, info, abstract) for value in filling.row]
    run.when(names, partial(_named, run, filling, abstract))


def _named(run: Opening, filling: Filling, abstract: GraphQLAbstractType, names: Sequence[Any]) -> None:
    by_type: dict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(names):
        wrong = name.error if type(name) is Failure else _wrong_name(run, filling, abstract, position, name)
        if wrong is None:
            by_type[name].append(position)
        else:
            run.fail(filling, [position], wrong)
    for name, positions in by_type.items():
        found: Any = run.core.schema.get_type(name)
        _verify(run, filling, found, None if len(positions) == len(names) else positions)


def _wrong_name(
    run: Opening, filling: Filling, abstract: GraphQLAbstractType, position: int, name: object
) -> GraphQLError | None:
    """What is wrong with a type's name, in graphql-core's words."""
    field = filling.field
    where = (
        f"Abstract type '{abstract}' must resolve to an Object type at runtime for field '{field.parent}.{field.name}'"
    )
    if name is None:
        message = (
            f"{where}. Either the '{abstract}' type should provide a 'resolve_type' function or each possible type"
            " should provide an 'is_type_of' function."
        )
    elif not isinstance(name, str):
        value = inspect(filling.row[position])
        message = f"{where} with value {value}, received '{inspect(name)}', which is not a valid Object type name."
    elif (found := run.core.schema.get_type(name)) is None:
        message = f"Abstract type '{abstract}' was resolved to a type '{name}' that does not exist inside the schema."
    elif not is_object_type(found):
        message = f"Abstract type '{abstract}' was resolved to a non-object type '{name}'."
    elif not run.core.schema.is_sub_type(abstract, found):
        message = f"Runtime Object type '{found}' is not a possible type for '{abstract}'."
    else:
        return None
    return GraphQLError(message, field.nodes)


def _verify(run: Opening, filling: Filling, runtime_type: GraphQLObjectType, positions: Sequence[int] | None) -> None:
    row = filling.row
    chosen = row if positions is None else [row[position] for position in positions]
    is_type_of = runtime_type.is_type_of
    if is_type_of is None or all(filling.field.trusts(runtime_type, cls) for cls in set(map(type, chosen))):
        run.open(filling, runtime_type, positions)
        return
    info = run.info(filling.field, run.paths(filling)[0])
    verdicts = [attempt(is_type_of, value, info) for value in chosen]
    run.when(verdicts, partial(_verified, run, filling, runtime_type, positions))


def _verified(
    run: Opening,
    filling: Filling,
    runtime_type: GraphQLObjectType,
    positions: Sequence[int] | None,
    verdicts: Sequence[Any],
) -> None:
    good: list[int] = []
    for position, verdict in zip(range(len(verdicts)) if positions is None else positions, verdicts, strict=True):
        if type(verdict) is Failure:
            run.fail(filling, [position], verdict.error)
        elif verdict:
            good.append(position)
        else:
            message = f"Expected value of type '{runtime_type}' but got: {inspect(filling.row[position])}."
            run.fail(filling, [position], GraphQLError(message, filling.field.nodes))
    if good:
        run.open(filling, runtime_type, positions if len(good) == len(verdicts) else good)
