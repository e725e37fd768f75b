"""Who may see or edit a record through territories, as Salesforce decides it.

A territory says what its members may do with the records in it: nothing, read, edit; one level each for accounts,
opportunities, contacts and cases. Access is inherited upward: the members of every territory above have that same level
there, whatever their own territory says. Of several ways to a record the highest level counts, and access is only added.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class RecordKind(StrEnum):
    """What a level is for."""

    ACCOUNT = "ACCOUNT"
    OPPORTUNITY = "OPPORTUNITY"
    CONTACT = "CONTACT"
    CASE = "CASE"


LEVELS = ("NONE", "READ", "EDIT")
"""What one may do, from the least to the most."""


@dataclass(frozen=True, slots=True)
class RecordTerritory:
    """A territory that a record is in. path: ends with "/". levels: what it says for each kind."""

    id: int
    path: str
    levels: Mapping[RecordKind, str]


@dataclass(frozen=True, slots=True)
class Member:
    """A user's place in a territory."""

    user_id: int
    territory_id: int
    path: str


@dataclass(frozen=True, slots=True)
class Way:
    """How a user comes to a record: by membership in `member_of`, over the record's territory `through`."""

    member_of: int
    through: int
    levels: Mapping[RecordKind, str]


@dataclass(frozen=True, slots=True)
class RecordAccess:
    """What a user may do with a record, and all ways to it."""

    user_id: int
    levels: Mapping[RecordKind, str]
    ways: tuple[Way, ...] = field(default=())


def highest(levels: Iterable[str]) -> str:
    """The highest of levels; NONE of none."""
    return max(levels, key=LEVELS.index, default=LEVELS[0])


def effective_access(places: Sequence[RecordTerritory], members: Iterable[Member]) -> dict[int, RecordAccess]:
    """What each member may do with a record that is in these territories, by user; who has no way to it is absent."""
    ways: dict[int, list[Way]] = {}
    for member in members:
        for place in places:
            if place.path.startswith(member.path):
                ways.setdefault(member.user_id, []).append(Way(member.territory_id, place.id, place.levels))
    return {
        user_id: RecordAccess(
            user_id, {kind: highest(way.levels[kind] for way in found) for kind in RecordKind}, tuple(found)
        )
        for user_id, found in sorted(ways.items())
    }
