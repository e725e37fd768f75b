"""The demo's territory models: one structure from real geography, and three that were derived from it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from etm_graph.core.hierarchy import child_path
from etm_graph.demo.reference import Place, weigh_places

GLOBAL, COUNTRY, REGION, AREA, REP = range(5)
REP_TERRITORIES = 250
"""How many territories of reps would be alike, if states did not cut them."""
SMALLEST = 0.4
"""A remainder below this share of a territory goes to its neighbour."""

TYPES = (
    ("Overlay", "Overlay", "Specialists who help geographic teams.", 10),
    ("Geography", "Geography", "Accounts by where they are.", 20),
    ("Industry", "Industry vertical", "Accounts by what they do.", 30),
    ("KeyAccounts", "Key accounts", "The largest customers, wherever they are.", 40),
    ("Headquarters", "Headquarters", "The root of a structure.", 5),
)
"""Developer name, name, description, priority."""


@dataclass(frozen=True, slots=True)
class Region:
    """A sales region and its states or provinces."""

    country: str
    name: str
    time_zone: str
    states: tuple[str, ...]

    @property
    def developer_name(self) -> str:
        """Such as US_Northeast."""
        return f"{self.country}_{self.name.replace(' ', '')}"

    @property
    def path(self) -> str:
        """Where it stands in every model."""
        return child_path(child_path(child_path(None, "Global"), self.country), self.developer_name)


REGIONS = (
    Region("US", "Northeast", "America/New_York", tuple(["CT", "MA", "ME", "NH", "NJ", "NY", "PA", "RI", "VT"])),
    Region(
        "US",
        "Southeast",
        "America/New_York",
        tuple(["AL", "DC", "DE", "FL", "GA", "KY", "MD", "MS", "NC", "SC", "TN", "VA", "WV"]),
    ),
    Region(
        "US",
        "Midwest",
        "America/Chicago",
        tuple(["IA", "IL", "IN", "KS", "MI", "MN", "MO", "ND", "NE", "OH", "SD", "WI"]),
    ),
    Region("US", "Southwest", "America/Chicago", tuple(["AR", "AZ", "LA", "NM", "OK", "TX"])),
    Region(
        "US", "West", "America/Los_Angeles", tuple(["AK", "CA", "CO", "HI", "ID", "MT", "NV", "OR", "UT", "WA", "WY"])
    ),
    Region("CA", "Atlantic", "America/Halifax", tuple(["NB", "NL", "NS", "PE"])),
    Region("CA", "Central", "America/Toronto", tuple(["ON", "QC"])),
    Region("CA", "Western", "America/Vancouver", tuple(["AB", "BC", "MB", "SK"])),
)


@dataclass(frozen=True, slots=True)
class TerritorySpec:
    """A territory to be."""

    developer_name: str
    name: str
    parent: str | None
    type_name: str
    level: int


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule to be, and where it works: (territory, whether it is passed down)."""

    developer_name: str
    name: str
    criteria: tuple[tuple[str, str, tuple[str, ...]], ...]
    logic: str | None
    links: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model to be."""

    developer_name: str
    name: str
    description: str
    state: str
    territories: Mapping[str, TerritorySpec]
    rules: Mapping[str, RuleSpec]
    priorities: Mapping[str, int] = field(default_factory=dict)

    def path(self, name: str) -> str:
        """A territory's path."""
        parent = self.territories[name].parent
        return child_path(None if parent is None else self.path(parent), name)

    def prefixes(self) -> Mapping[str, str]:
        """Which territory of a rep has a prefix of postal codes."""
        return {
            prefix: territory
            for rule in self.rules.values()
            for field_name, _, values in rule.criteria[:1]
            if field_name == "billing_postal_code"
            for prefix in values
            for territory, _ in rule.links
        }

    def depth_first(self) -> Sequence[TerritorySpec]:
        """Territories by path."""
        return sorted(self.territories.values(), key=lambda spec: self.path(spec.developer_name))


def _rule(territory: str, name: str, *criteria: tuple[str, str, tuple[str, ...]], logic: str | None = None) -> RuleSpec:
    return RuleSpec(f"Rule_{territory}", name, criteria, logic, ((territory, False),))


def _weights(places: Sequence[Place]) -> Mapping[str, Mapping[str, float]]:
    """How many firms there are, in proportion, by state and prefix of postal codes."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for place, weight in zip(places, weigh_places(places), strict=True):
        found[place.state][place.prefix] += weight
    return found


def _cut(prefixes: Mapping[str, float], enough: float) -> Sequence[tuple[str, ...]]:
    """Neighbouring prefixes, cut where a rep has enough."""
    parts: list[tuple[str, ...]] = []
    current: list[str] = []
    size = 0.0
    for prefix in sorted(prefixes):
        current.append(prefix)
        size += prefixes[prefix]
        if size >= enough:
            parts.append(tuple(current))
            current, size = [], 0.0
    if current and parts and size < SMALLEST * enough:
        parts[-1] += tuple(current)
    elif current:
        parts.append(tuple(current))
    return parts


VERTICALS = (
    ("Finance", "52", "Finance and insurance"),
    ("Health", "62", "Health care"),
    ("Software", "51", "Software and media"),
    ("Manufacturing", "33", "Manufacturing"),
    ("Retail", "44", "Retail"),
)


def _geography(places: Sequence[Place]) -> tuple[list[TerritorySpec], list[RuleSpec]]:
    territories = [TerritorySpec("Global", "Global", None, "Headquarters", GLOBAL)]
    rules: list[RuleSpec] = []
    for country, name in (("US", "United States"), ("CA", "Canada")):
        territories.append(TerritorySpec(country, name, "Global", "Geography", COUNTRY))
        criteria = (("billing_country", "EQUALS", (country,)),)
        rules.append(RuleSpec(f"Rule_{country}", f"In {name}", criteria, None, ((country, True),)))
    by_state = _weights(places)
    enough = sum(sum(prefixes.values()) for prefixes in by_state.values()) / REP_TERRITORIES
    for region in REGIONS:
        territories.append(TerritorySpec(region.developer_name, region.name, region.country, "Geography", REGION))
        for state in region.states:
            area = f"{region.country}_{state}"
            territories.append(TerritorySpec(area, f"Area {state}", region.developer_name, "Geography", AREA))
            rules.append(_rule(area, f"In {state}", ("billing_state", "EQUALS", (state,))))
            for number, prefixes in enumerate(_cut(by_state[state], enough), 1):
                rep = f"{area}_{number}"
                territories.append(TerritorySpec(rep, f"{state} {number}", area, "Geography", REP))
                rules.append(
                    _rule(rep, f"Postal codes of {state} {number}", ("billing_postal_code", "STARTS_WITH", prefixes))
                )
    return territories, rules


def _key_accounts() -> tuple[list[TerritorySpec], list[RuleSpec]]:
    territories = [
        TerritorySpec("Key", "Key accounts", "Global", "KeyAccounts", COUNTRY),
        TerritorySpec("Strategic", "Strategic overlay", "Global", "Overlay", COUNTRY),
    ]
    big = (
        ("custom.Segment", "EQUALS", ("ENTERPRISE",)),
        ("annual_revenue", "GREATER_OR_EQUAL", ("250000000",)),
        ("custom.Strategic", "EQUALS", ("true",)),
    )
    rules = [
        RuleSpec("Rule_Key", "Large enterprises, and strategic ones", big, "(1 AND 2) OR (1 AND 3)", (("Key", True),)),
        _rule(
            "Strategic",
            "Strategic and healthy",
            ("custom.Strategic", "EQUALS", ("true",)),
            ("custom.HealthScore", "LESS", ("40",)),
            logic="1 AND NOT 2",
        ),
    ]
    for name, code, title in VERTICALS:
        territories.append(TerritorySpec(f"Key_{name}", title, "Key", "Industry", REGION))
        rules.append(_rule(f"Key_{name}", title, ("industry", "STARTS_WITH", (code,))))
    return territories, rules


def _without(spec: ModelSpec, *names: str) -> ModelSpec:
    """The model without these territories and what is below them, and without their rules' links."""
    gone = {name for name in spec.territories if any(f"/{cut}/" in spec.path(name) for cut in names)}
    territories = {name: node for name, node in spec.territories.items() if name not in gone}
    kept = {
        name: replace(rule, links=tuple(link for link in rule.links if link[0] not in gone))
        for name, rule in spec.rules.items()
    }
    return replace(spec, territories=territories, rules={name: rule for name, rule in kept.items() if rule.links})


def _change(spec: ModelSpec, developer_name: str, **values: str) -> ModelSpec:
    changed = replace(spec.territories[developer_name], **values)  # type: ignore[arg-type]  # fields of text only
    return replace(spec, territories={**spec.territories, developer_name: changed})


def _next_year(active: ModelSpec) -> ModelSpec:
    """The plan: one area moves, one is renamed, a vertical is added, key accounts start lower."""
    plan = _change(active, "US_MO", parent="US_Southwest")
    plan = _change(plan, "CA_Central", name="Ontario and Quebec")
    added = TerritorySpec("Key_Energy", "Energy and utilities", "Key", "Industry", REGION)
    key = plan.rules["Rule_Key"]
    lower = replace(
        key, criteria=(key.criteria[0], ("annual_revenue", "GREATER_OR_EQUAL", ("150000000",)), key.criteria[2])
    )
    rules = {
        **plan.rules,
        "Rule_Key": lower,
        "Rule_Key_Energy": _rule("Key_Energy", "Energy and utilities", ("industry", "STARTS_WITH", ("21", "22"))),
    }
    return replace(plan, territories={**plan.territories, "Key_Energy": added}, rules=rules)


def make_models(places: Sequence[Place]) -> Sequence[ModelSpec]:
    """One archived model, the active one, and two drafts that differ from it."""
    geography, geographic_rules = _geography(places)
    key, key_rules = _key_accounts()
    active = ModelSpec(
        "FY2026",
        "Fiscal year 2026",
        "In force since January.",
        "ACTIVE",
        {spec.developer_name: spec for spec in (*geography, *key)},
        {rule.developer_name: rule for rule in (*geographic_rules, *key_rules)},
    )
    archived = replace(
        _without(active, "Key", "Strategic"),
        developer_name="FY2025",
        name="Fiscal year 2025",
        description="Pure geography.",
        state="ARCHIVED",
    )
    plan = replace(
        _next_year(active),
        developer_name="FY2027_plan",
        name="FY2027 plan",
        description="Missouri moves to the Southwest, key accounts start at 150 million.",
        state="PLANNING",
    )
    alternative = replace(
        _without(active, "Strategic", "CA_NL"),
        developer_name="FY2027_alternative",
        name="FY2027 alternative",
        description="No overlay; industries win over key accounts.",
        state="PLANNING",
        priorities={"Industry": 45},
    )
    return (archived, active, plan, alternative)
