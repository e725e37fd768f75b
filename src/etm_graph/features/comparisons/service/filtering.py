"""Which differences somebody wants to see."""

from collections.abc import Sequence
from dataclasses import dataclass

from etm_graph.core.changes import EntityType
from etm_graph.core.diff import Difference, DifferenceKind
from etm_graph.core.hierarchy import SEPARATOR, is_within
from etm_graph.core.structure import Structure, name_of_territory, rest_of_key
from etm_graph.features.comparisons.service.comparing import Comparison


@dataclass(frozen=True, slots=True)
class DifferenceFilter:
    """Which differences; all conditions that are given must hold.

    within: a territory's developer name; what is in its subtree in either model. user_name: the user's memberships, and
    what is in territories where the user is a member in either model. account_id: decisions about the account.
    """

    entity_types: frozenset[EntityType] | None = None
    kinds: frozenset[DifferenceKind] | None = None
    within: str | None = None
    user_name: str | None = None
    account_id: int | None = None


def names_within(comparison: Comparison, root: str) -> frozenset[str]:
    """The territories at or below one, in either model."""
    found: set[str] = set()
    for side in (comparison.base, comparison.other):
        if root in side.paths:
            found |= {name for name, path in side.paths.items() if is_within(path, side.paths[root])}
    return frozenset(found)


def _territories_of(structure: Structure, user_name: str) -> set[str]:
    keys = structure.get(EntityType.MEMBERSHIP, {})
    return {key.partition(SEPARATOR)[0] for key in keys if key.partition(SEPARATOR)[2] == user_name}


def _concerns_user(item: Difference, user_name: str, places: frozenset[str]) -> bool:
    if item.entity_type is EntityType.MEMBERSHIP:
        return rest_of_key(item.entity_type, item.key) == user_name
    return name_of_territory(item.entity_type, item.key) in places


def _concerns_account(item: Difference, account_id: int) -> bool:
    decided = item.entity_type in {EntityType.ASSIGNMENT, EntityType.EXCLUSION}
    return decided and rest_of_key(item.entity_type, item.key) == str(account_id)


def select_differences(comparison: Comparison, wanted: DifferenceFilter) -> Sequence[Difference]:
    """The differences that are wanted, in their order."""
    found = list(comparison.differences)
    types, kinds = wanted.entity_types, wanted.kinds
    if types is not None:
        found = [item for item in found if item.entity_type in types]
    if kinds is not None:
        found = [item for item in found if kinds.intersection(item.kinds)]
    if wanted.within is not None:
        places = names_within(comparison, wanted.within)
        found = [item for item in found if name_of_territory(item.entity_type, item.key) in places]
    if wanted.user_name is not None:
        user_name = wanted.user_name
        both = (comparison.base, comparison.other)
        own = frozenset(name for side in both for name in _territories_of(side.structure, user_name))
        found = [item for item in found if _concerns_user(item, user_name, own)]
    if wanted.account_id is not None:
        account_id = wanted.account_id
        found = [item for item in found if _concerns_account(item, account_id)]
    return found
