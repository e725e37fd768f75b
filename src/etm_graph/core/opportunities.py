"""Which territory an opportunity rolls up to (docs/domain.md, "Opportunity alignment")."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class AlignmentReason(StrEnum):
    """Why an opportunity is where it is."""

    NO_TERRITORY = "NO_TERRITORY"
    ONLY_TERRITORY = "ONLY_TERRITORY"
    HIGHEST_TYPE_PRIORITY = "HIGHEST_TYPE_PRIORITY"
    DEEPEST = "DEEPEST"
    TIE = "TIE"
    EXCLUDED = "EXCLUDED"


class AlignmentCause(StrEnum):
    """What decided."""

    POLICY = "POLICY"
    MANUAL = "MANUAL"
    KEPT = "KEPT"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A territory of the opportunity's account. depth: 0 for a root."""

    territory_id: int
    type_priority: int
    depth: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The territory, or none, and why."""

    territory_id: int | None
    reason: AlignmentReason


def align(candidates: Sequence[Candidate]) -> Decision:
    """None when the account has no territory; its only one; else the best.

    The largest type priority is best, then the deepest; there is none at a tie.
    """
    if not candidates:
        return Decision(None, AlignmentReason.NO_TERRITORY)
    if len(candidates) == 1:
        return Decision(candidates[0].territory_id, AlignmentReason.ONLY_TERRITORY)
    priority = max(candidate.type_priority for candidate in candidates)
    top = [candidate for candidate in candidates if candidate.type_priority == priority]
    if len(top) == 1:
        return Decision(top[0].territory_id, AlignmentReason.HIGHEST_TYPE_PRIORITY)
    depth = max(candidate.depth for candidate in top)
    deepest = [candidate for candidate in top if candidate.depth == depth]
    if len(deepest) == 1:
        return Decision(deepest[0].territory_id, AlignmentReason.DEEPEST)
    return Decision(None, AlignmentReason.TIE)


class Standing(StrEnum):
    """How far a candidate came when an opportunity was aligned."""

    CHOSEN = "CHOSEN"
    TIED = "TIED"
    LESS_DEEP = "LESS_DEEP"
    LOWER_PRIORITY = "LOWER_PRIORITY"


def judge(candidates: Sequence[Candidate]) -> Sequence[Standing]:
    """How far each candidate came, in their order."""
    chosen = align(candidates).territory_id
    priority = max((candidate.type_priority for candidate in candidates), default=0)
    top = [candidate for candidate in candidates if candidate.type_priority == priority]
    depth = max((candidate.depth for candidate in top), default=0)

    def standing(candidate: Candidate) -> Standing:
        if candidate.territory_id == chosen:
            return Standing.CHOSEN
        if candidate.type_priority < priority:
            return Standing.LOWER_PRIORITY
        return Standing.LESS_DEEP if candidate.depth < depth else Standing.TIED

    return [standing(candidate) for candidate in candidates]


AlignmentPolicy = Callable[[Sequence[Candidate]], Decision]
"""Decides among an account's territories; `align` is the policy of docs/domain.md, and any other can take its place.

A policy answers the same for the same candidates, whatever their order, so that aligning again changes nothing.
"""
