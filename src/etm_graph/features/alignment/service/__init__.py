"""Use cases of assignments: the engine, runs, assignments by hand, exclusions."""

from etm_graph.features.alignment.service.answers import AssignedRow, Assignments, Sums
from etm_graph.features.alignment.service.copying import copy_decisions
from etm_graph.features.alignment.service.deciding import write_assignments, write_exclusions
from etm_graph.features.alignment.service.engine import STORED, Engine
from etm_graph.features.alignment.service.manual import (
    assign_account,
    exclude_account,
    include_account,
    release_deleted,
    unassign_account,
)
from etm_graph.features.alignment.service.runs import (
    RunScope,
    realign_opportunities,
    reassign_accounts,
    run_accounts,
    run_all,
    run_model,
)

__all__ = [
    "STORED",
    "AssignedRow",
    "Assignments",
    "Engine",
    "RunScope",
    "Sums",
    "assign_account",
    "copy_decisions",
    "exclude_account",
    "include_account",
    "realign_opportunities",
    "reassign_accounts",
    "release_deleted",
    "run_accounts",
    "run_all",
    "run_model",
    "unassign_account",
    "write_assignments",
    "write_exclusions",
]
