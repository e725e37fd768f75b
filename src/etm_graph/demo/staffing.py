"""Who sells where: neighbouring territories share a rep, in every model the same one."""

from collections.abc import Mapping, Sequence

from etm_graph.demo.structure import REGIONS, REP, ModelSpec, Region


def staff(active: ModelSpec, reps: int) -> Mapping[str, int]:
    """The rep of each territory at the lowest level, as a number from 0 to reps - 1; neighbours have the same."""
    territories = [spec.developer_name for spec in active.depth_first() if spec.level == REP]
    return {name: place * reps // len(territories) for place, name in enumerate(territories)}


def home_regions(active: ModelSpec, staffing: Mapping[str, int]) -> Sequence[Region]:
    """The region in which each rep has the first territory."""
    homes: dict[int, Region] = {}
    for territory, rep in staffing.items():
        path = active.path(territory)
        homes.setdefault(rep, next(region for region in REGIONS if path.startswith(region.path)))
    return [homes[rep] for rep in sorted(homes)]
