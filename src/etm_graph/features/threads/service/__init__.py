"""Use cases of threads: asking, answering, editing, deleting, resolving."""

from etm_graph.features.threads.service.anchoring import AnchorRegistry, AnchorResolver
from etm_graph.features.threads.service.comments import add_comment, delete_comment, edit_comment
from etm_graph.features.threads.service.threads import (
    create_thread,
    relocate_threads,
    relocate_threads_by_path,
    reopen_thread,
    resolve_thread,
)

__all__ = [
    "AnchorRegistry",
    "AnchorResolver",
    "add_comment",
    "create_thread",
    "delete_comment",
    "edit_comment",
    "relocate_threads",
    "relocate_threads_by_path",
    "reopen_thread",
    "resolve_thread",
]
