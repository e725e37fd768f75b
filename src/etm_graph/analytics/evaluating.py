"""Any rules on all objects of a snapshot, as frames: for questions that no stored model asks.

Structures of the past and single rules are evaluated here; a model as it is, is the engine's.
"""

import polars as pl

from etm_graph.analytics.aligning import align_all
from etm_graph.analytics.copies import Snapshot
from etm_graph.analytics.matching import match_all
from etm_graph.core.assignment import RuleSet


def table_of(snapshot: Snapshot) -> pl.DataFrame:
    """The snapshot's rows as one frame."""
    return snapshot.frame


def evaluate(rule_set: RuleSet, snapshot: Snapshot, exclusions: pl.DataFrame | None = None) -> pl.DataFrame:
    """What rules assign: object_id, territory_id, rule_ids. exclusions: object_id, territory_id."""
    return match_all(rule_set, snapshot.frame, exclusions)


def decide(pairs: pl.DataFrame, territories: pl.DataFrame) -> pl.DataFrame:
    """Where opportunities of accounts go: account_id, territory_id, reason.

    pairs: object_id, territory_id. territories: territory_id, type_priority, depth.
    """
    return align_all(pairs, territories)
