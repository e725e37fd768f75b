"""Use cases of reports: running and keeping them, and the weights of the workload index."""

from etm_graph.features.reports.service.definitions import Comparison, Definition, Filter, Subject
from etm_graph.features.reports.service.running import Sources, run_report, territory_loads
from etm_graph.features.reports.service.saving import delete_report, save_report
from etm_graph.features.reports.service.weights import (
    choose_weights,
    create_weights,
    delete_weights,
    refuse_effort_field,
    update_weights,
)

__all__ = [
    "Comparison",
    "Definition",
    "Filter",
    "Sources",
    "Subject",
    "choose_weights",
    "create_weights",
    "delete_report",
    "delete_weights",
    "refuse_effort_field",
    "run_report",
    "save_report",
    "territory_loads",
    "update_weights",
]
