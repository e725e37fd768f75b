"""Use cases of activation: one switch for readers, prepared beside them."""

from etm_graph.features.activation.service.checks import CHECKS
from etm_graph.features.activation.service.deleting import (
    Fate,
    Fates,
    end_deletion,
    purge,
    request_deletion,
    retry_deletion,
    undelete,
)
from etm_graph.features.activation.service.preflight import Examination, Preflight
from etm_graph.features.activation.service.requests import (
    Expected,
    abandon_activation,
    request_activation,
    request_archive,
    request_restore,
    request_run,
    retry_activation,
    retry_archive,
    retry_run,
)
from etm_graph.features.activation.service.scheduling import (
    Schedule,
    begin_scheduled,
    note_failure,
    request_schedule,
    schedule_key,
    unschedule,
)
from etm_graph.features.activation.service.switching import (
    accounts_to_follow,
    archive,
    begin_activation,
    end_activation,
    end_archive,
    switch,
)

__all__ = [
    "CHECKS",
    "Examination",
    "Expected",
    "Fate",
    "Fates",
    "Preflight",
    "Schedule",
    "abandon_activation",
    "accounts_to_follow",
    "archive",
    "begin_activation",
    "begin_scheduled",
    "end_activation",
    "end_archive",
    "end_deletion",
    "note_failure",
    "purge",
    "request_activation",
    "request_archive",
    "request_deletion",
    "request_restore",
    "request_run",
    "request_schedule",
    "retry_activation",
    "retry_archive",
    "retry_deletion",
    "retry_run",
    "schedule_key",
    "switch",
    "undelete",
    "unschedule",
]
