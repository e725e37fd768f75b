"""Opportunity alignment for all accounts at once; the meaning is core/opportunities.py's.

All opportunities of one account have the same territories to choose from, so one decision an account is enough.
"""

import polars as pl

from etm_graph.core.opportunities import AlignmentReason


def align_all(pairs: pl.DataFrame, territories: pl.DataFrame) -> pl.DataFrame:
    """One row for every account that has a territory: account_id, territory_id (null at a tie), reason.

    pairs: object_id, territory_id. territories: territory_id, type_priority, depth.
    """
    priority, depth = pl.col("type_priority"), pl.col("depth")
    candidates = pairs.select("object_id", "territory_id").join(territories, on="territory_id")
    ranked = (
        candidates.with_columns(count=pl.len().over("object_id"), top=priority == priority.max().over("object_id"))
        .filter("top")
        .with_columns(tops=pl.len().over("object_id"), deep=depth == depth.max().over("object_id"))
    )
    first = ranked.filter("deep").with_columns(deepest=pl.len().over("object_id")).unique("object_id", keep="first")
    tie = pl.col("deepest") > 1
    reason = (
        pl.when(pl.col("count") == 1)
        .then(pl.lit(AlignmentReason.ONLY_TERRITORY.value))
        .when(pl.col("tops") == 1)
        .then(pl.lit(AlignmentReason.HIGHEST_TYPE_PRIORITY.value))
        .when(~tie)
        .then(pl.lit(AlignmentReason.DEEPEST.value))
        .otherwise(pl.lit(AlignmentReason.TIE.value))
    )
    return first.select(
        pl.col("object_id").alias("account_id"),
        pl.when(tie).then(None).otherwise(pl.col("territory_id")).alias("territory_id"),
        reason.alias("reason"),
    )
