"""Use cases of territory models and territory types."""

from etm_graph.features.models.service.drafts import create_model, delete_model, set_type_priority, update_model
from etm_graph.features.models.service.editing import (
    ModelHead,
    apply_edit,
    authorise,
    change_state,
    lock_model,
    require_planning,
    require_same_version,
)
from etm_graph.features.models.service.types import create_type, delete_type, update_type

__all__ = [
    "ModelHead",
    "apply_edit",
    "authorise",
    "change_state",
    "create_model",
    "create_type",
    "delete_model",
    "delete_type",
    "lock_model",
    "require_planning",
    "require_same_version",
    "set_type_priority",
    "update_model",
    "update_type",
]
