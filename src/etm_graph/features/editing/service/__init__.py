"""Use cases of editing together."""

from etm_graph.features.editing.service.change_sets import Editing, Operation, apply_change_set
from etm_graph.features.editing.service.rebasing import plan_rebase, rebase_draft
from etm_graph.features.editing.service.restoring import create_checkpoint, delete_checkpoint, restore_draft
from etm_graph.features.editing.service.undoing import redo_change_set, undo_change_set

__all__ = [
    "Editing",
    "Operation",
    "apply_change_set",
    "create_checkpoint",
    "delete_checkpoint",
    "plan_rebase",
    "rebase_draft",
    "redo_change_set",
    "restore_draft",
    "undo_change_set",
]
