"""Real places and industries, shipped with the project (data/SOURCES.md)."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Place:
    """A postal code. state: of the United States or a province of Canada. Degrees north and east."""

    country: str
    postal_code: str
    city: str
    state: str
    latitude: float
    longitude: float

    @property
    def prefix(self) -> str:
        """What sales areas are cut by: three digits of a ZIP code, a whole Canadian sortation area."""
        return self.postal_code[:3]


def _rows(name: str) -> Iterator[dict[str, str]]:
    packed = files("etm_graph.demo").joinpath("data", name).read_bytes()
    yield from csv.DictReader(gzip.decompress(packed).decode().splitlines())


def load_places() -> Sequence[Place]:
    """All places, by country and postal code."""
    return [
        Place(
            row["country"],
            row["postal_code"],
            row["city"],
            row["state"],
            float(row["latitude"]),
            float(row["longitude"]),
        )
        for row in _rows("postal_codes.csv.gz")
    ]


SORTATION_AREA = 6.0
"""How many times more firms a Canadian sortation area has than a ZIP code."""


def weigh_places(places: Sequence[Place]) -> Sequence[float]:
    """How many firms a place has, in proportion: those of large cities have more."""
    in_city = Counter((place.state, place.city) for place in places)
    return [
        in_city[place.state, place.city] ** 0.2 * (SORTATION_AREA if place.country == "CA" else 1.0) for place in places
    ]


def load_industries() -> Mapping[str, str]:
    """Titles of six-digit NAICS 2022 industries, by code."""
    return {row["code"]: row["title"] for row in _rows("naics_2022.csv.gz")}
