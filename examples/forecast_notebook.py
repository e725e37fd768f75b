"""A forecast in Polars, cell by cell as in a notebook: what is still needed for the quota, by region and quarter."""

# %% read
import os
import sys
from io import BytesIO
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parent))
from forecast_client import ForecastClient

client = ForecastClient(os.environ["ETM_URL"], os.environ["ETM_KEY"])
periods = os.environ.get("ETM_PERIODS", "FY2026-Q3,FY2026-Q4").split(",")
frame = pl.read_parquet(BytesIO(client.export(*periods)))

# %% regions: what is right below the roots
regions = frame.filter(pl.col("path").str.count_matches("/") == 3)
summary = regions.select(
    "territory",
    "period",
    pl.col("rolled_up_open_pipeline").alias("pipeline"),
    pl.col("adjusted_commit_forecast").alias("commit"),
    "quota",
    (pl.col("quota") - pl.col("adjusted_commit_forecast")).alias("gap"),
).sort("period", "territory")
print(summary)  # noqa: T201 - what a notebook shows

# %% a parent is its own and its children
children = (
    frame.with_columns(parent=pl.col("path").str.replace(r"[^/]+/$", ""))
    .group_by("parent", "period")
    .agg(pl.col("rolled_up_open_pipeline").sum().alias("below"))
)
checked = frame.join(children, left_on=["path", "period"], right_on=["parent", "period"], how="left").with_columns(
    pl.col("below").fill_null(0)
)
assert checked.filter(  # noqa: S101 - a notebook's own check
    pl.col("rolled_up_open_pipeline") != pl.col("own_open_pipeline") + pl.col("below")
).is_empty()
client.close()
