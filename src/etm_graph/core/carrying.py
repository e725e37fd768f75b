"""What becomes of quotas and adjustments when another model comes into force (docs/domain.md, "Forecasts").

They are keyed by territory, period, kind and person; models are matched by the developer names of territories.
"""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Said:
    """One quota or adjustment. key: all that it is known by beside the territory. row: where its value is."""

    territory: str
    key: Hashable
    period_end: date
    written_at: datetime
    row: int


@dataclass(frozen=True, slots=True)
class Carried:
    """copies: of the former model, to be written for the namesake. overruled: of the present model, which a copy replaces.

    beaten: of the former model, which an own value of the present one beats. lost: of the former, without a successor.
    """

    copies: tuple[Said, ...]
    overruled: tuple[Said, ...]
    beaten: tuple[Said, ...]
    lost: tuple[Said, ...]


def carry(
    former: Sequence[Said], present: Sequence[Said], successors: Collection[str], today: date, *, latest_wins: bool
) -> Carried:
    """What goes from the former model to the present one; periods that ended before today stay as they are.

    successors: developer names of the present model's territories. latest_wins: for a restore, where both have a value
    and the one written last counts; otherwise the present model's own always does.
    """
    own = {(said.territory, said.key): said for said in present}
    copies, overruled, beaten, lost = [], [], [], []
    for said in former:
        if said.period_end < today:
            continue
        there = own.get((said.territory, said.key))
        if said.territory not in successors:
            lost.append(said)
        elif there is None:
            copies.append(said)
        elif latest_wins and said.written_at > there.written_at:
            copies.append(said)
            overruled.append(there)
        else:
            beaten.append(said)
    return Carried(tuple(copies), tuple(overruled), tuple(beaten), tuple(lost))
