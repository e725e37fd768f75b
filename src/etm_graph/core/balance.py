"""How evenly work is shared: the workload index and its measures, and moves that even it out.

The index of a territory is, over all measures, weight times its share of the average: sum of w · value / mean, divided
by the sum of the weights that can be told (a measure that nobody has counts for nothing). So the mean index is 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

BANDS = (10, 15, 20)
"""Percent around the mean of which the share of territories is told."""

Load = Mapping[str, Fraction]
"""What a territory has of each measure."""


def index(loads: Sequence[Load], weights: Mapping[str, Fraction]) -> list[Fraction]:
    """The workload index of each load; all 0 when nobody has anything that weighs."""
    if not loads:
        return []
    means = {name: sum((load[name] for load in loads), Fraction(0)) / len(loads) for name in weights}
    used = {name: weight for name, weight in weights.items() if weight and means[name]}
    whole = sum(used.values(), Fraction(0))
    if not whole:
        return [Fraction(0)] * len(loads)
    return [
        sum((weight * load[name] / means[name] for name, weight in used.items()), Fraction(0)) / whole for load in loads
    ]


@dataclass(frozen=True, slots=True)
class Evenness:
    """The measures of one model. within: percent of territories no more than so many percent off the mean.

    max_min: largest divided by smallest; None when the smallest is 0.
    """

    count: int
    mean: Fraction
    max_deviation: Fraction
    variation: float
    gini: Fraction
    max_min: Fraction | None
    within: Mapping[int, Fraction]


def evenness(values: Sequence[Fraction]) -> Evenness:
    """How even values are that are not negative; of nothing, or of zeros alone, perfectly."""
    count = len(values)
    mean = sum(values, Fraction(0)) / count if count else Fraction(0)
    if not mean:
        return Evenness(count, mean, Fraction(0), 0.0, Fraction(0), None, dict.fromkeys(BANDS, Fraction(100)))
    deviations = [abs(value / mean - 1) for value in values]
    variance = sum(((value / mean - 1) ** 2 for value in values), Fraction(0)) / count
    ordered = sorted(values)
    ranked = sum((place * value for place, value in enumerate(ordered, 1)), Fraction(0))
    gini = 2 * ranked / (count * count * mean) - Fraction(count + 1, count)
    within = {
        band: Fraction(100 * sum(deviation <= Fraction(band, 100) for deviation in deviations), count) for band in BANDS
    }
    smallest = ordered[0]
    return Evenness(
        count,
        mean,
        max(deviations),
        float(variance) ** 0.5,
        gini,
        ordered[-1] / smallest if smallest else None,
        within,
    )


@dataclass(frozen=True, slots=True)
class Unit:
    """An account that could move. load: what it has of each measure."""

    id: int
    place: int
    load: Load


@dataclass(frozen=True, slots=True)
class Move:
    """An account to another place; deviation: the largest one of the index after this and all moves before it."""

    unit: Unit
    target: int
    deviation: Fraction


def suggest(
    loads: Sequence[Load],
    units: Sequence[Unit],
    weights: Mapping[str, Fraction],
    targets: Mapping[int, Sequence[int]],
    most: int,
) -> list[Move]:
    """Moves from the places that have most to the ones beside them that have least, each the best of its kind.

    units: what may move. targets: for each place, where its units may go. most: how many moves at most. A move is only
    suggested when it makes the two places' squared deviations smaller; means do not change, for what moves stays inside.
    """
    standing = [dict(load) for load in loads]
    here: dict[int, list[Unit]] = {}
    for unit in units:
        here.setdefault(unit.place, []).append(unit)
    means = {name: sum((load[name] for load in loads), Fraction(0)) / len(loads) for name in weights}
    used = {name: weight for name, weight in weights.items() if weight and means[name]}
    whole = sum(used.values(), Fraction(0))
    moves: list[Move] = []
    if not whole:
        return moves

    def weigh(load: Load) -> Fraction:
        return sum((weight * load[name] / means[name] for name, weight in used.items()), Fraction(0)) / whole

    indices = [weigh(load) for load in standing]
    sizes = {unit.id: weigh(unit.load) for unit in units}
    for _ in range(most):
        best = _best(indices, here, sizes, targets)
        if best is None:
            break
        unit, target = best
        for name in weights:
            standing[unit.place][name] -= unit.load[name]
            standing[target][name] += unit.load[name]
        indices[unit.place] -= sizes[unit.id]
        indices[target] += sizes[unit.id]
        here[unit.place].remove(unit)
        moves.append(Move(unit, target, max(abs(value - 1) for value in indices)))
    return moves


def _best(
    indices: Sequence[Fraction],
    here: Mapping[int, Sequence[Unit]],
    sizes: Mapping[int, Fraction],
    targets: Mapping[int, Sequence[int]],
) -> tuple[Unit, int] | None:
    """The move that lowers the sum of squared deviations most, from the place that has most of those that can give."""
    for place in sorted(here, key=lambda place: (-indices[place], place)):
        found: list[tuple[Fraction, int, int, Unit]] = []
        for target in targets.get(place, ()):
            gap = indices[place] - indices[target]
            for unit in here[place]:
                size = sizes[unit.id]
                gain = 2 * size * (gap - size)
                if gain > 0:
                    found.append((-gain, unit.id, target, unit))
        if found:
            _, _, target, unit = min(found, key=lambda item: item[:3])
            return unit, target
    return None
