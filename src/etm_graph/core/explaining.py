"""Why an object is or is not in a territory: rules, hands, exclusions and freezes together (docs/domain.md, "Rules" 9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from etm_graph.core.assignment import Explanation, RuleSet, effective_rules, explain


class PairReason(StrEnum):
    """What decides about one (object, territory)."""

    BY_HAND = "BY_HAND"
    BY_RULE = "BY_RULE"
    BY_HAND_AND_RULE = "BY_HAND_AND_RULE"
    FROZEN_IN = "FROZEN_IN"
    FROZEN_OUT = "FROZEN_OUT"
    EXCLUDED = "EXCLUDED"
    TAKEN_BELOW = "TAKEN_BELOW"
    NO_MATCH = "NO_MATCH"
    NO_RULES = "NO_RULES"
    AS_STORED = "AS_STORED"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What beside the rules decides about one (object, territory).

    manual: a person assigned it. excluded: rules must not create it. frozen: runs leave the object alone. carried: the
    active model has it by rule in the territory of that name. stored: whether the stored assignment is by rule, None
    where assignments are derived.
    """

    manual: bool = False
    excluded: bool = False
    frozen: bool = False
    carried: bool = False
    stored: bool | None = None


@dataclass(frozen=True, slots=True)
class PairExplanation:
    """The verdict on one (object, territory), with its grounds.

    rules: what the rules say by themselves. can_match: whether the territory has rules that can give it anything.
    """

    rules: Explanation
    can_match: bool
    manual: bool
    by_rule: bool
    reason: PairReason

    @property
    def assigned(self) -> bool:
        """Whether the object is in the territory, by hand or by rule."""
        return self.manual or self.by_rule


def _why_not(rules: Explanation, *, can_match: bool) -> PairReason:
    if not can_match:
        return PairReason.NO_RULES
    if not rules.matches:
        return PairReason.NO_MATCH
    return PairReason.TAKEN_BELOW if rules.taken_by else PairReason.EXCLUDED


def _reason(found: Circumstances, rules: Explanation, *, by_rule: bool, can_match: bool) -> PairReason:
    if found.manual:
        return PairReason.BY_HAND_AND_RULE if by_rule else PairReason.BY_HAND
    if found.frozen:
        return PairReason.FROZEN_IN if by_rule else PairReason.FROZEN_OUT
    if by_rule != rules.assigned:
        return PairReason.AS_STORED
    return PairReason.BY_RULE if by_rule else _why_not(rules, can_match=can_match)


def explain_pair(
    rule_set: RuleSet, fields: Mapping[str, object], territory_id: int, found: Circumstances
) -> PairExplanation:
    """The reasons for one (object, territory), with what the verdict is; raises `KeyError` for an unknown territory.

    fields: the object's values, as rules see them.
    """
    rules = explain(rule_set, fields, territory_id, excluded=found.excluded)
    can_match = effective_rules(rule_set)[territory_id].can_match
    by_rule = found.carried if found.frozen else rules.assigned
    if found.stored is not None:
        by_rule = found.stored
    reason = _reason(found, rules, by_rule=by_rule, can_match=can_match)
    return PairExplanation(rules, can_match, found.manual, by_rule, reason)
