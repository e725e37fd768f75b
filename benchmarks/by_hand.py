"""The full preview as one columnar query that somebody writes by hand for exactly these rules, in Polars.

It knows what the engine must find out: which predicate of each rule is a key to join by.
"""

import math

import polars as pl

from benchmarks.million import Drawn
from etm_graph.core.assignment import RuleSet
from etm_graph.core.criteria import EARTH_KM

CODE, NAME, KIND = "billing_postal_code:prepared", "name:prepared", "type:prepared"
REVENUE, STAFF, INDUSTRY = "annual_revenue:prepared", "employees:prepared", "industry:prepared"


def _rules(drawn: list[Drawn], kind: str) -> pl.LazyFrame:
    rows = [(item.id, item.prefix, float(item.low), float(item.high), float(item.employees)) for item in drawn]
    wanted = [row for row, item in zip(rows, drawn, strict=True) if item.kind == kind]
    return pl.DataFrame(wanted, schema=["rule", "prefix", "low", "high", "staff"], orient="row").lazy()


def _within(item: Drawn) -> pl.Expr:
    rise = math.degrees(item.distance / EARTH_KM)
    phi, centre = pl.col("latitude").radians(), math.radians(item.latitude)
    half = ((centre - phi) / 2).sin().pow(2)
    half += phi.cos() * math.cos(centre) * ((item.longitude - pl.col("longitude")).radians() / 2).sin().pow(2)
    box = pl.col("latitude").is_between(item.latitude - rise, item.latitude + rise)
    return box & (2 * EARTH_KM * half.sqrt().arcsin() <= item.distance)


def _one_by_one(accounts: pl.LazyFrame, drawn: list[Drawn]) -> list[pl.LazyFrame]:
    customers = accounts.filter(pl.col(KIND) == "customer").cache()
    found = []
    for item in drawn:
        if item.kind in {"contains", "within"}:
            what = pl.col(NAME).str.contains(item.prefix, literal=True) if item.kind == "contains" else _within(item)
            rows = customers.filter((pl.col(REVENUE) > item.low) & what)
            found.append(rows.select("id", pl.lit(item.id, dtype=pl.Int64).alias("rule")))
    return found


def preview(frame: pl.DataFrame, drawn: list[Drawn], rule_set: RuleSet) -> pl.DataFrame:
    """object_id, territory of every pair; for one rule a territory."""
    accounts = frame.lazy()
    postal = (
        accounts.with_columns(prefix=pl.col(CODE).str.slice(0, 3))
        .join(_rules(drawn, "postal"), on="prefix")
        .filter((pl.col(REVENUE) > pl.col("low")) & pl.col(KIND).is_in(["customer", "prospect"]))
    )
    ranged = (
        accounts.with_columns(prefix=pl.col(INDUSTRY).str.slice(0, 5))
        .join(_rules(drawn, "range"), on="prefix")
        .filter(pl.col(REVENUE).is_between("low", "high") & (pl.col(STAFF) >= pl.col("staff")))
    )
    parts = [part.select("id", "rule") for part in (postal, ranged)]
    territories = len(rule_set.nodes)
    matching = pl.concat([*parts, *_one_by_one(accounts, drawn)]).select(
        "id", ((pl.col("rule") - 1) % territories + 1).alias("territory")
    )
    by_path = {node.path: node.id for node in rule_set.nodes}
    above = [
        (node.id, other)
        for node in rule_set.nodes
        for path, other in by_path.items()
        if node.path != path and node.path.startswith(path)
    ]
    ancestors = pl.DataFrame(above, schema={"territory": pl.Int64, "above": pl.Int64}, orient="row").lazy()
    matching = matching.collect().lazy()
    covered = matching.join(ancestors, on="territory").select("id", pl.col("above").alias("territory"))
    return matching.join(covered, on=["id", "territory"], how="anti").collect()
