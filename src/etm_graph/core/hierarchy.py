"""Materialised paths of the territory tree: "/" + developer names from the root + "/"."""

from etm_graph.core.errors import Cycle, LimitExceeded

SEPARATOR = "/"
AFTER_SEPARATOR = "0"
"""The character that follows "/" bytewise, so that a subtree is the range [path, path without its last "/" + "0")."""

DEPTH_MAX = 50
"""Deepest tree."""


def child_path(parent_path: str | None, developer_name: str) -> str:
    """The path of a child; of a root when the parent's path is None."""
    return f"{parent_path or SEPARATOR}{developer_name}{SEPARATOR}"


def depth_of(path: str) -> int:
    """0 for a root."""
    return path.count(SEPARATOR) - 2


def subtree_end(path: str) -> str:
    """The first path, bytewise, after the subtree of `path`."""
    return path[:-1] + AFTER_SEPARATOR


def ancestor_paths(path: str) -> list[str]:
    """The paths of all ancestors, root first, without `path` itself."""
    names = path.strip(SEPARATOR).split(SEPARATOR)
    return [SEPARATOR + SEPARATOR.join(names[:count]) + SEPARATOR for count in range(1, len(names))]


def is_within(path: str, ancestor: str) -> bool:
    """Whether `path` is `ancestor` or below it."""
    return path.startswith(ancestor)


def moved_path(path: str, parent_path: str | None, *, deepest: int) -> str:
    """The path of a territory under another parent.

    deepest: depth of the deepest territory in its subtree, now. Raises `Cycle` when the parent is in the subtree and
    `LimitExceeded` when the tree would get too deep.
    """
    name = path.strip(SEPARATOR).rpartition(SEPARATOR)[2]
    if parent_path is not None and is_within(parent_path, path):
        raise Cycle(f"{name} cannot be moved under itself or one of its descendants.", field=["parentId"])
    moved = child_path(parent_path, name)
    check_depth(deepest + depth_of(moved) - depth_of(path))
    return moved


def check_depth(depth: int) -> None:
    """Raise `LimitExceeded` for a tree deeper than the limit."""
    if depth > DEPTH_MAX:
        raise LimitExceeded(f"A territory tree is at most {DEPTH_MAX} levels below its root; this would make {depth}.")
