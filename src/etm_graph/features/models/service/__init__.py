"""Use cases of territory models and territory types."""

from etm_graph.features.models.service.drafts import (
    copy_priorities,
    create_model,
    note_base,
    set_type_priority,
    update_model,
    write_description,
    write_priority,
)
from etm_graph.features.models.service.editing import (
    ModelHead,
    StateChanged,
    apply_edit,
    authorise,
    change_state,
    lock_for_system,
    lock_model,
    note_reason,
    note_run,
    require_planning,
    require_same_version,
    require_unchanged,
    viewer_of,
)
from etm_graph.features.models.service.jobs import cancel_job, retry_job
from etm_graph.features.models.service.types import create_type, delete_type, update_type

__all__ = [
    "ModelHead",
    "StateChanged",
    "apply_edit",
    "authorise",
    "cancel_job",
    "change_state",
    "copy_priorities",
    "create_model",
    "create_type",
    "delete_type",
    "lock_for_system",
    "lock_model",
    "note_base",
    "note_reason",
    "note_run",
    "require_planning",
    "require_same_version",
    "require_unchanged",
    "retry_job",
    "set_type_priority",
    "update_model",
    "update_type",
    "viewer_of",
    "write_description",
    "write_priority",
]
