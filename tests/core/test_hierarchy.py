"""Paths, subtrees, moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.errors import Cycle, LimitExceeded
from etm_graph.core.hierarchy import (
    DEPTH_MAX,
    ancestor_paths,
    check_depth,
    child_path,
    depth_of,
    is_within,
    moved_path,
    subtree_end,
)

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,3}", fullmatch=True)
paths = st.lists(names, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts) + "/")


@given(paths, paths)
def test_a_subtree_is_a_bytewise_range(path: str, other: str) -> None:
    in_range = path.encode() <= other.encode() < subtree_end(path).encode()
    assert in_range == is_within(other, path)


@given(paths, names)
def test_a_child_is_one_deeper_and_has_its_parent_as_last_ancestor(path: str, name: str) -> None:
    child = child_path(path, name)
    assert depth_of(child) == depth_of(path) + 1
    assert ancestor_paths(child)[-1] == path


def test_a_root_has_depth_0_and_no_ancestors() -> None:
    assert (child_path(None, "Global"), depth_of("/Global/"), ancestor_paths("/Global/")) == ("/Global/", 0, [])


def test_a_move_keeps_the_name() -> None:
    assert moved_path("/A/B/", "/C/D/", deepest=1) == "/C/D/B/"
    assert moved_path("/A/B/", None, deepest=1) == "/B/"


@pytest.mark.parametrize("parent", ["/A/", "/A/B/", "/A/B/C/"])
def test_a_move_into_the_own_subtree_is_refused(parent: str) -> None:
    with pytest.raises(Cycle):
        moved_path("/A/", parent, deepest=2)


def test_a_name_that_only_begins_alike_is_another_territory() -> None:
    assert moved_path("/A/", "/AB/", deepest=0) == "/AB/A/"


def test_too_deep_a_tree_names_the_limit() -> None:
    check_depth(DEPTH_MAX)
    with pytest.raises(LimitExceeded, match=f"at most {DEPTH_MAX}"):
        check_depth(DEPTH_MAX + 1)
