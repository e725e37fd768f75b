"""All rules of a model on all objects at once (docs/domain.md, "Rules"); the meaning is core/assignment.py's.

Each active rule is evaluated once, as a column of truths. Territories combine those columns, parents first for what is
passed down, children first for "the lowest on each branch".
"""

from collections.abc import Mapping

import polars as pl
from polars._typing import PolarsDataType

from etm_graph.analytics.predicates import criterion_expression, logic_expression
from etm_graph.core.assignment import EffectiveRules, Rule, RuleSet, effective_rules

PAIRS: Mapping[str, PolarsDataType] = {"object_id": pl.Int64, "territory_id": pl.Int64, "rule_ids": pl.List(pl.Int64)}
"""Columns of the answer: an object, a territory, the rules behind it in ascending order."""


def _rule_expression(rule: Rule) -> pl.Expr:
    criteria = {criterion.number: criterion_expression(criterion) for criterion in rule.criteria}
    return logic_expression(rule.logic, criteria).alias(str(rule.id))


def _truths(rule_set: RuleSet, effective: Mapping[int, EffectiveRules], frame: pl.DataFrame) -> dict[int, pl.Series]:
    used = {rule for rules in effective.values() if rules.can_match for rule in (*rules.own, *rules.inherited)}
    expressions = [_rule_expression(rule) for rule in rule_set.rules if rule.id in used]
    if not expressions:
        return {}
    answers = frame.select(expressions)
    return {int(series.name): series for series in answers.get_columns()}


def _mask(rules: EffectiveRules, truths: Mapping[int, pl.Series]) -> pl.Series:
    """Where a territory's rules hold (docs/domain.md, "Rules" 2)."""
    if not rules.own:
        mask = truths[rules.inherited[0]]
    else:
        mask = truths[rules.own[0]]
        for rule in rules.own[1:]:
            mask = mask | truths[rule] if rules.any_own else mask & truths[rule]
    for rule in rules.inherited:
        mask = mask & truths[rule]
    return mask


def _pairs(
    territory_id: int, rules: EffectiveRules, mask: pl.Series, objects: pl.Series, truths: Mapping[int, pl.Series]
) -> pl.DataFrame:
    if not rules.any_own:
        causes = sorted((*rules.own, *rules.inherited))
        found = pl.DataFrame({"object_id": objects.filter(mask)})
        return found.with_columns(
            pl.lit(territory_id, dtype=pl.Int64).alias("territory_id"),
            pl.lit(pl.Series([causes], dtype=pl.List(pl.Int64))).first().alias("rule_ids"),
        )
    parts = [
        pl.DataFrame({"object_id": objects.filter(mask & truths[rule])}).with_columns(
            pl.lit(rule, dtype=pl.Int64).alias("rule_ids")
        )
        for rule in sorted((*rules.own, *rules.inherited))
    ]
    grouped = pl.concat(parts).group_by("object_id").agg(pl.col("rule_ids").sort())
    return grouped.select("object_id", pl.lit(territory_id, dtype=pl.Int64).alias("territory_id"), pl.col("rule_ids"))


def match_all(rule_set: RuleSet, frame: pl.DataFrame, exclusions: pl.DataFrame | None = None) -> pl.DataFrame:
    """The (object, territory) pairs that rules assign, with the rules behind each, in no particular order.

    frame: a column `id` and prepared columns (analytics/predicates.py). exclusions: object_id, territory_id.
    """
    effective = effective_rules(rule_set)
    truths = _truths(rule_set, effective, frame)
    objects = frame["id"]
    below: dict[int | None, pl.Series] = {}
    found = [pl.DataFrame(schema=PAIRS)]
    for node in sorted(rule_set.nodes, key=lambda node: node.path, reverse=True):
        rules = effective[node.id]
        covered = below.pop(node.id, None)
        reach = covered
        if rules.can_match:
            mask = _mask(rules, truths)
            lowest = mask if covered is None else mask & ~covered
            if lowest.any():
                found.append(_pairs(node.id, rules, lowest, objects, truths))
            reach = mask if covered is None else mask | covered
        if reach is not None:
            above = below.get(node.parent_id)
            below[node.parent_id] = reach if above is None else above | reach
    pairs = pl.concat(found)
    if exclusions is None or exclusions.is_empty():
        return pairs
    return pairs.join(exclusions, on=["object_id", "territory_id"], how="anti")
