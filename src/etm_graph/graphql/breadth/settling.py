"""What errors do to an answer: nulls that go up to the next place that may be null, and one error for each, with its path.

Runs only when something failed. It walks the answer in the order in which graphql-core would have executed it, so that
the same errors are reported: those below a place that was nulled already are not.
"""

from collections.abc import Sequence
from typing import Any

from graphql import FieldNode, GraphQLError, GraphQLOutputType, is_leaf_type, is_list_type, is_non_null_type
from graphql.error import located_error

from etm_graph.graphql.breadth.columns import Failure
from etm_graph.graphql.breadth.plans import FieldPlan, SelectionPlan

Path = tuple[str | int, ...]


class Settling:
    """One walk over an answer. plans: the selection that every object of the answer was made by, by its identity."""

    def __init__(self, plans: dict[int, SelectionPlan]) -> None:
        self._plans = plans
        self.errors: list[GraphQLError] = []

    def settle(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """The data with nulls where they belong; None when an error reached the top."""
        try:
            return self._object(data, ())
        except GraphQLError as error:
            self.errors.append(error)
            return None

    def _object(self, found: dict[str, Any], path: Path) -> dict[str, Any]:
        fields = self._plans[id(found)].by_key
        return {
            key: self._place(value, fields[key].definition.type, fields[key], (*path, key))
            for key, value in found.items()
        }

    def _place(self, value: Any, declared: GraphQLOutputType, field: FieldPlan, path: Path) -> Any:  # noqa: ANN401
        """A field's or a list item's value: what fails here is null here, unless the type refuses null."""
        try:
            return self._complete(value, declared, field, path)
        except Exception as raw:
            error = located_error(raw, _nodes(field), list(path))
            if is_non_null_type(declared):
                raise error from raw
            self.errors.append(error)
            return None

    def _complete(self, value: Any, declared: Any, field: FieldPlan, path: Path) -> Any:  # noqa: ANN401
        if type(value) is Failure:
            raise value.error
        if is_non_null_type(declared):
            found = self._complete(value, declared.of_type, field, path)
            if found is None:
                raise TypeError(f"Cannot return null for non-nullable field {field.parent}.{field.name}.")
            return found
        if value is None or is_leaf_type(declared):
            return value
        if is_list_type(declared):
            return [self._place(item, declared.of_type, field, (*path, index)) for index, item in enumerate(value)]
        return self._object(value, path)


def _nodes(field: FieldPlan) -> Sequence[FieldNode]:
    return field.nodes
