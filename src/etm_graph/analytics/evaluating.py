"""Any rules on all objects of a snapshot, as frames: for questions that no stored model asks.

Structures of the past and single rules are evaluated here; a model as it is, is the engine's.
"""

import numpy as np
import polars as pl

from etm_graph.analytics.aligning import REASONS, Territories, align_all
from etm_graph.analytics.copies import Snapshot
from etm_graph.analytics.matching import match_all
from etm_graph.analytics.plans import make_plan
from etm_graph.analytics.settling import Settled, settle, will_of
from etm_graph.core.assignment import RuleSet

NO_PAIRS = pl.DataFrame(schema={"object_id": pl.Int64, "territory_id": pl.Int64})


def table_of(snapshot: Snapshot) -> pl.DataFrame:
    """The snapshot's rows as one frame."""
    return snapshot.frame


def frame_of(snapshot: Snapshot, territory_ids: "np.ndarray", found: Settled) -> pl.DataFrame:
    """Assignments as a frame: object_id, territory_id, manual, by_rule, rule_ids."""
    rules = pl.Series(found.causes, dtype=pl.List(pl.Int64))
    columns = {
        "object_id": snapshot.ids(found.rows),
        "territory_id": territory_ids[found.places],
        "manual": found.manual,
        "by_rule": found.by_rule,
        "rule_ids": rules.gather(found.cause),
    }
    schema = {"object_id": pl.Int64, "territory_id": pl.Int64, "manual": pl.Boolean, "by_rule": pl.Boolean}
    return pl.DataFrame(columns, schema={**schema, "rule_ids": pl.List(pl.Int64)})


def evaluate(rule_set: RuleSet, snapshot: Snapshot, exclusions: pl.DataFrame | None = None) -> pl.DataFrame:
    """What rules assign: object_id, territory_id, rule_ids. exclusions: object_id, territory_id."""
    plan = make_plan(rule_set)
    excluded = NO_PAIRS if exclusions is None else exclusions
    will = will_of(snapshot, plan.territory_ids, NO_PAIRS, excluded, NO_PAIRS, freezing=False)
    found = settle(snapshot, match_all(plan, snapshot.base), match_all(plan, snapshot.overlay), will)
    return frame_of(snapshot, plan.territory_ids, found).drop("manual", "by_rule")


def decide(pairs: pl.DataFrame, territories: pl.DataFrame) -> pl.DataFrame:
    """Where opportunities of accounts go: account_id, territory_id (null at a tie), reason.

    pairs: object_id, territory_id. territories: territory_id, type_priority, depth.
    """
    placed = territories.select("territory_id", "type_priority", "depth").with_row_index("place")
    numbered = pairs.join(placed, on="territory_id").sort("object_id", "place")
    columns = [placed[name].to_numpy() for name in ("territory_id", "type_priority", "depth")]
    found = align_all(
        numbered["object_id"].to_numpy(), numbered["place"].cast(pl.Int64).to_numpy(), Territories(*columns)
    )
    ids = np.append(placed["territory_id"].to_numpy(), 0)[found.places]
    return pl.DataFrame(
        {
            "account_id": found.rows,
            "territory_id": pl.Series(ids).set(pl.Series(found.places < 0), None),
            "reason": pl.Series([reason.value for reason in REASONS]).gather(found.reasons),
        },
        schema={"account_id": pl.Int64, "territory_id": pl.Int64, "reason": pl.String},
    )
