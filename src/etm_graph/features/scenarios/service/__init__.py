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
from etm_graph.features.scenarios.service.planting import plant_model, read_hierarchy, read_table

__all__ = [
    "CloneOptions",
    "clone_model",
    "end_clone",
    "freeze",
    "plant_model",
    "read_hierarchy",
    "read_table",
    "request_clone",
    "retry_clone",
    "run_clone",
]
