"""Use cases of forecasts: the cube, quotas, adjustments, submissions, what an activation carries over."""

from etm_graph.features.forecasts.service.adjustments import (
    AdjustmentWish,
    adjust_forecast,
    delete_adjustment,
    submit_forecast,
)
from etm_graph.features.forecasts.service.carrying import carry_over, plan_carry
from etm_graph.features.forecasts.service.cube import Book, ForecastCube
from etm_graph.features.forecasts.service.grid import Grid, Tree, make_grid
from etm_graph.features.forecasts.service.kinds import (
    create_quota_kind,
    delete_quota_kind,
    refuse_calendar_in_use,
    update_quota_kind,
)
from etm_graph.features.forecasts.service.quotas import Wish, delete_quota, set_quotas, spread_quota
from etm_graph.features.forecasts.service.view import Basis, View, local_day, make_view

__all__ = [
    "AdjustmentWish",
    "Basis",
    "Book",
    "ForecastCube",
    "Grid",
    "Tree",
    "View",
    "Wish",
    "adjust_forecast",
    "carry_over",
    "create_quota_kind",
    "delete_adjustment",
    "delete_quota",
    "delete_quota_kind",
    "local_day",
    "make_grid",
    "make_view",
    "plan_carry",
    "refuse_calendar_in_use",
    "set_quotas",
    "spread_quota",
    "submit_forecast",
    "update_quota_kind",
]
