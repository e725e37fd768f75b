"""Use cases that make drafts out of something else."""

from etm_graph.features.scenarios.service.cloning import (
    CloneOptions,
    clone_model,
    end_clone,
    freeze,
    request_clone,
    retry_clone,
    run_clone,
)

__all__ = ["CloneOptions", "clone_model", "end_clone", "freeze", "request_clone", "retry_clone", "run_clone"]
