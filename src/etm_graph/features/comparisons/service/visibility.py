"""What of a structure a viewer may read, by the grants that cover each territory in its own model."""

from collections.abc import Hashable, Mapping
from types import MappingProxyType

from etm_graph.access.decisions import is_live
from etm_graph.access.viewer import Viewer
from etm_graph.core.access import ORGANISATION_PATH, Act, Kind, StateGroup
from etm_graph.core.changes import EntityType
from etm_graph.core.structure import Structure, name_of_territory, paths_of, restrict

KINDS: Mapping[EntityType, Kind] = MappingProxyType(
    {
        EntityType.TYPE_PRIORITY: Kind.MODEL,
        EntityType.TERRITORY: Kind.TERRITORY,
        EntityType.RULE: Kind.RULE,
        EntityType.RULE_LINK: Kind.RULE,
        EntityType.MEMBERSHIP: Kind.MEMBERSHIP,
        EntityType.ASSIGNMENT: Kind.ASSIGNMENT,
        EntityType.EXCLUSION: Kind.ASSIGNMENT,
    }
)
"""What a viewer must be allowed to read to be told of an entity."""


def visible_structure(viewer: Viewer, structure: Structure, *, model_id: int, state: StateGroup) -> Structure:
    """The part of a model's structure that the viewer may read."""
    paths = paths_of(structure)
    verdicts: dict[tuple[Kind, str], bool] = {}

    def may(entity_type: EntityType, key: str) -> bool:
        name = name_of_territory(entity_type, key)
        place = KINDS[entity_type], ORGANISATION_PATH if name is None else paths.get(name, ORGANISATION_PATH)
        if place not in verdicts:
            verdicts[place] = viewer.may(Act.READ, place[0], state=state, model_id=model_id, path=place[1])
        return verdicts[place]

    return restrict(structure, may)


def rights_of(viewer: Viewer) -> Hashable:
    """What decides all that a viewer may see: who have the same may be given the same answer."""
    principal = viewer.principal
    live = frozenset(grant for grant in principal.grants if is_live(grant, viewer.now))
    return viewer.access.snapshot.version, principal.suspended, live
