"""The people of the demo company: 120 users in all roles, each with a manager."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from etm_graph.core.access import Role
from etm_graph.demo.structure import REGIONS, Region

GIVEN = [
    "Ada",
    "Amir",
    "Ana",
    "Anders",
    "Aiko",
    "Bea",
    "Ben",
    "Carla",
    "Chidi",
    "Chloe",
    "Dana",
    "Diego",
    "Elena",
    "Emeka",
    "Erin",
    "Fatima",
    "Femi",
    "Finn",
    "Freya",
    "Gita",
    "Hana",
    "Hugo",
    "Ines",
    "Isaac",
    "Ivy",
    "Jamal",
    "Jin",
    "Joao",
    "Kara",
    "Kofi",
    "Lars",
    "Lea",
    "Leo",
    "Lina",
    "Luis",
    "Maya",
    "Mei",
    "Milo",
    "Nadia",
    "Nina",
    "Noor",
    "Olga",
    "Omar",
    "Otto",
    "Petra",
    "Priya",
    "Quinn",
    "Ravi",
    "Rosa",
    "Sam",
    "Sara",
    "Sven",
    "Tara",
    "Theo",
    "Uma",
    "Vera",
    "Wei",
    "Yara",
    "Yusuf",
    "Zoe",
]
FAMILY = [
    "Abara",
    "Adler",
    "Ahmed",
    "Becker",
    "Bianchi",
    "Bouchard",
    "Castro",
    "Chen",
    "Cohen",
    "Costa",
    "Dubois",
    "Evans",
    "Farah",
    "Fischer",
    "Garcia",
    "Gruber",
    "Haas",
    "Hansen",
    "Ito",
    "Jansen",
    "Kaur",
    "Keller",
    "Khan",
    "Kim",
    "Kowalski",
    "Larsen",
    "Lee",
    "Lopez",
    "Malik",
    "Meyer",
    "Moreau",
    "Mori",
    "Nakamura",
    "Nguyen",
    "Novak",
    "Okafor",
    "Olsen",
    "Patel",
    "Petrov",
    "Reyes",
    "Rossi",
    "Santos",
    "Sato",
    "Schmidt",
    "Silva",
    "Singh",
    "Tanaka",
    "Torres",
    "Tran",
    "Vogel",
    "Wagner",
    "Walsh",
    "Weber",
    "Wolf",
    "Yilmaz",
]

COUNTS = (
    (Role.ADMIN, 2),
    (Role.PLANNER, 5),
    (Role.VIEWER, 6),
    (Role.MANAGER, 14),
    (Role.FORECASTER, 4),
    (Role.FORECAST_READER, 1),
    (Role.AUDITOR, 2),
    (Role.REP, 86),
)
"""How many people there are of each role; together 120."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user. path: the subtree of the role, "/" for the organisation. manager: index of the person above, or None."""

    index: int
    user_name: str
    name: str
    email: str
    manager: int | None
    time_zone: str
    role: Role
    path: str


REPS = dict(COUNTS)[Role.REP]


def make_people(seed: int, homes: Sequence[Region]) -> Sequence[Person]:
    """Everybody; the first of each role is named by it. homes: the regions in which the reps sell.

    Managers and forecasters have their role in a region, the first of each on the whole organisation.
    """
    random = Random(f"people {seed}")
    names = [f"{given} {family}" for given in GIVEN for family in FAMILY]
    random.shuffle(names)
    people: list[Person] = []
    managers: dict[str, list[int]] = {}
    for role, count in COUNTS:
        for number in range(1, count + 1):
            index = len(people)
            region = homes[number - 1] if role is Role.REP else REGIONS[(number - 2) % len(REGIONS)]
            scoped = role in {Role.MANAGER, Role.FORECASTER} and number > 1
            above = managers[region.path][number % len(managers[region.path])] if role is Role.REP else 0
            people.append(
                Person(
                    index,
                    role.value if number == 1 else f"{role.value}{number}",
                    names[index],
                    f"{names[index].lower().replace(' ', '.')}@northwind.example",
                    None if index == 0 else above,
                    region.time_zone,
                    role,
                    region.path if scoped else "/",
                )
            )
            if role is Role.MANAGER and scoped:
                managers.setdefault(region.path, []).append(index)
    return people
