"""What happens to territories, for those above who react in the same transaction."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DoomedTerritory:
    """A territory that is about to be deleted."""

    id: int
    developer_name: str
    path: str


@dataclass(frozen=True, slots=True)
class TerritoriesDeleting:
    """These territories of a locked model are about to be deleted, and with them what others keep of them.

    Whoever keeps something notes its deletion now, whole, so that the log tells everything that goes.
    """

    model_id: int
    territories: tuple[DoomedTerritory, ...]
