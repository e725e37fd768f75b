"""A million accounts in columns, and rules of the mix that issue trackers talk about, from a seed; no database.

Of ten rules seven have a postal range, two a picklist or range only, one looks for a text in names or within a circle.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from etm_graph.analytics.preparing import column_of, prepare
from etm_graph.core.assignment import Link, Node, Rule, RuleSet
from etm_graph.core.criteria import ACCOUNT_FIELDS, Criterion, Operator, compile_criterion
from etm_graph.core.filter_logic import parse

ACCOUNTS = 1_000_000
WORDS = [
    "acme",
    "north",
    "river",
    "steel",
    "medical",
    "energy",
    "global",
    "systems",
    "group",
    "foods",
    "bio",
    "tech",
    "star",
    "blue",
    "delta",
    "omega",
    "prime",
    "united",
    "first",
    "cedar",
]
TYPES = ("Customer", "Prospect", "Partner")
FIELDS = {
    name: ACCOUNT_FIELDS[name]
    for name in ("name", "billing_postal_code", "industry", "type", "annual_revenue", "employees", "location")
}


def facts(count: int = ACCOUNTS) -> pl.DataFrame:
    """Accounts as the database has them."""
    random = np.random.default_rng(7)
    first, second = (pl.Series(WORDS).gather(random.integers(0, len(WORDS), count)) for _ in range(2))
    number = pl.Series(random.integers(0, 10**6, count)).cast(pl.String)
    codes = pl.Series(random.integers(500, 99_500, count)).cast(pl.String).str.zfill(5)
    return pl.DataFrame(
        {
            "id": np.arange(1, count + 1),
            "name": first + " " + second + " " + number,
            "billing_postal_code": codes,
            "industry": pl.Series(random.integers(111_110, 112_110, count)).cast(pl.String),
            "type": pl.Series(TYPES).gather(random.integers(0, 3, count)),
            "annual_revenue": np.round(random.lognormal(15, 2, count), 2),
            "employees": np.round(random.lognormal(4, 2, count)),
            "latitude": random.uniform(25, 49, count),
            "longitude": random.uniform(-124, -67, count),
            "excluded_from_realignment": np.zeros(count, np.bool_),
        }
    )


def prepared(frame: pl.DataFrame) -> pl.DataFrame:
    """The shape in which the columnar copy keeps them."""
    columns = [column_of(name) for name in FIELDS if name != "location"]
    shaped = prepare(frame, FIELDS.values())
    return shaped.select(
        "id", "latitude", "longitude", "excluded_from_realignment", "annual_revenue", *columns
    ).rechunk()


@dataclass(frozen=True)
class Drawn:
    """A rule's numbers, for the engine and for the query written by hand."""

    id: int
    kind: str
    prefix: str = ""
    low: int = 0
    high: int = 0
    employees: int = 0
    latitude: float = 0.0
    longitude: float = 0.0
    distance: int = 0

    def codes(self) -> str:
        free = 5 - len(self.prefix)
        return f"{self.prefix}{'0' * free}..{self.prefix}{'9' * free}"

    def criteria(self) -> list[Criterion]:
        if self.kind == "postal":
            return [
                Criterion(1, "billing_postal_code", Operator.EQUALS, (self.codes(),)),
                Criterion(2, "annual_revenue", Operator.GREATER, (str(self.low),)),
                Criterion(3, "type", Operator.IN, ("Customer", "Prospect")),
            ]
        if self.kind == "range":
            return [
                Criterion(1, "industry", Operator.STARTS_WITH, (self.prefix,)),
                Criterion(2, "annual_revenue", Operator.BETWEEN, (str(self.low), str(self.high))),
                Criterion(3, "employees", Operator.GREATER_OR_EQUAL, (str(self.employees),)),
            ]
        rest = [
            Criterion(2, "type", Operator.EQUALS, ("Customer",)),
            Criterion(3, "annual_revenue", Operator.GREATER, (str(self.low),)),
        ]
        if self.kind == "contains":
            return [Criterion(1, "name", Operator.CONTAINS, (self.prefix,)), *rest]
        circle = (f"{self.latitude:.4f}", f"{self.longitude:.4f}", str(self.distance))
        return [Criterion(1, "location", Operator.WITHIN, circle), *rest]

    def rule(self) -> Rule:
        compiled = tuple(compile_criterion(item, FIELDS[item.field]) for item in self.criteria())
        return Rule(self.id, f"R{self.id}", "ACCOUNT", True, compiled, parse(None, [1, 2, 3]))


def draw_rules(count: int, *, finer: int = 0) -> list[Drawn]:
    """finer: by how many digits postal ranges and industries are narrower, as in a model that cuts the same market finer."""
    random = np.random.default_rng(11)
    found = []
    for number in range(1, count + 1):
        low = int(random.integers(10**5, 10**6))
        if number % 10 < 7:
            found.append(Drawn(number, "postal", f"{random.integers(500, 99_500):05d}"[: 3 + finer], low))
        elif number % 10 < 9:
            start, least = str(random.integers(111_110, 112_100))[: 5 + finer], int(random.integers(10, 200))
            found.append(Drawn(number, "range", start, 10 * low, 100 * low, least))
        elif number % 20 == 9:
            text = f"{WORDS[random.integers(len(WORDS))]} {random.integers(10, 99)}"
            found.append(Drawn(number, "contains", text, low))
        else:
            place = {"latitude": random.uniform(26, 48), "longitude": random.uniform(-120, -70)}
            rounded = {name: round(float(value), 4) for name, value in place.items()}
            found.append(Drawn(number, "within", low=low, distance=int(random.integers(20, 100)), **rounded))
    return found


def tree(count: int) -> tuple[Node, ...]:
    """Ten roots, ten regions in each, and the rest below the regions."""
    nodes: list[Node] = []
    for number in range(1, count + 1):
        parent = None
        if number > 110:
            parent = nodes[10 + (number - 111) % 100]
        elif number > 10:
            parent = nodes[(number - 11) % 10]
        path = f"{'/' if parent is None else parent.path}T{number}/"
        nodes.append(Node(number, None if parent is None else parent.id, path, "ANY", False))
    return tuple(nodes)


def rule_set(drawn: list[Drawn], territories: int) -> RuleSet:
    """Rule n works in territory n, counted round."""
    nodes = tree(territories)
    links = tuple(Link(item.id, (item.id - 1) % territories + 1, False) for item in drawn)
    return RuleSet(nodes, tuple(item.rule() for item in drawn), links)


def edited(found: RuleSet, rule: Rule) -> RuleSet:
    """The rule set with one rule in another form."""
    return replace(found, rules=tuple(rule if old.id == rule.id else old for old in found.rules))
