"""Use cases of reports."""

from etm_graph.features.reports.service.weights import (
    choose_weights,
    create_weights,
    delete_weights,
    refuse_effort_field,
    update_weights,
)

__all__ = ["choose_weights", "create_weights", "delete_weights", "refuse_effort_field", "update_weights"]
