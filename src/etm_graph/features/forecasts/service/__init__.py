"""Use cases of forecasts: the cube, quotas, adjustments, submissions."""

from etm_graph.features.forecasts.service.cube import Book, ForecastCube
from etm_graph.features.forecasts.service.grid import Grid, Tree, make_grid
from etm_graph.features.forecasts.service.kinds import (
    create_quota_kind,
    delete_quota_kind,
    refuse_calendar_in_use,
    update_quota_kind,
)
from etm_graph.features.forecasts.service.view import Basis, View, local_day, make_view

__all__ = [
    "Basis",
    "Book",
    "ForecastCube",
    "Grid",
    "Tree",
    "View",
    "create_quota_kind",
    "delete_quota_kind",
    "local_day",
    "make_grid",
    "make_view",
    "refuse_calendar_in_use",
    "update_quota_kind",
]
