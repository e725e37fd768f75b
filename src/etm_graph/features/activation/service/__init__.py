"""Use cases of activation: one switch for readers, prepared beside them."""

from etm_graph.features.activation.service.requests import (
    abandon_activation,
    archive_model,
    request_activation,
    request_restore,
    request_run,
)
from etm_graph.features.activation.service.switching import fail_activation, prepare_activation, switch

__all__ = [
    "abandon_activation",
    "archive_model",
    "fail_activation",
    "prepare_activation",
    "request_activation",
    "request_restore",
    "request_run",
    "switch",
]
