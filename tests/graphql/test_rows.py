"""Objects that are rows: read one by one and as columns, the same."""

from typing import Any, NamedTuple

import pytest

from etm_graph.graphql.ids import encode_id
from etm_graph.graphql.rows import Reader, RowBacked, as_ids, column_of, each, values_of


class Line(NamedTuple):
    id: int
    parent_id: int | None
    name: str


class Thing(RowBacked):
    readers = {  # noqa: RUF012 - never changed
        "id": Reader("id", as_ids("Thing")),
        "parent_id": Reader("parent_id", as_ids("Thing")),
        "loud": Reader("name", each(str.upper)),
        "name": Reader("name"),
    }


ROWS: list[Any] = [Line(1, None, "a"), Line(2, 1, "b")]


def test_an_attribute_is_read_when_it_is_asked_for() -> None:
    root, child = (Thing.of(row) for row in ROWS)
    assert (root.id, root.parent_id, root.loud) == (encode_id("Thing", 1), None, "A")
    assert (child.parent_id, child.name) == (encode_id("Thing", 1), "b")
    with pytest.raises(AttributeError, match="colour"):
        _ = root.colour


def test_a_column_is_what_its_objects_say() -> None:
    things = [Thing.of(row) for row in ROWS]
    for name in Thing.readers:
        read = column_of(Thing, name)
        assert read is not None
        assert read(things) == [getattr(thing, name) for thing in things] == values_of(name, things)
    assert values_of("id", []) == []
    assert column_of(Thing, "colour") is None
    assert column_of(Line, "id") is None


def test_objects_without_a_row_are_read_by_their_attributes() -> None:
    made = Thing()
    made.name = "c"
    read = column_of(Thing, "name")
    assert read is not None
    assert read([made, Thing.of(ROWS[0])]) == ["c", "a"]
