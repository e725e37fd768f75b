"""Use cases of threads: asking, answering, editing, deleting, resolving."""

from etm_graph.features.threads.service.anchoring import AnchorRegistry, AnchorResolver
from etm_graph.features.threads.service.comments import add_comment, delete_comment, edit_comment
from etm_graph.features.threads.service.copying import copy_open_threads
from etm_graph.features.threads.service.taking_part import follow_thread, mark_read, react
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
    "copy_open_threads",
    "create_thread",
    "delete_comment",
    "edit_comment",
    "follow_thread",
    "mark_read",
    "react",
    "relocate_threads",
    "relocate_threads_by_path",
    "reopen_thread",
    "resolve_thread",
]
