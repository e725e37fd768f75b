"""Use cases of the territory tree and its members."""

from etm_graph.features.territories.service.happenings import DoomedTerritory, TerritoriesDeleting
from etm_graph.features.territories.service.locating import locate
from etm_graph.features.territories.service.members import add_member, remove_member, update_member
from etm_graph.features.territories.service.move import move_territory
from etm_graph.features.territories.service.tree import (
    copy_territories,
    create_territory,
    delete_territory,
    update_territory,
)
from etm_graph.features.territories.service.writing import write_members, write_territories

__all__ = [
    "DoomedTerritory",
    "TerritoriesDeleting",
    "add_member",
    "copy_territories",
    "create_territory",
    "delete_territory",
    "locate",
    "move_territory",
    "remove_member",
    "update_member",
    "update_territory",
    "write_members",
    "write_territories",
]
