"""Accounts and opportunities of the demo company, streamed, so that a million cost no memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate
from math import exp
from random import Random

from etm_graph.demo.reference import Place, weigh_places

TODAY = date(2026, 11, 1)
"""The demo's present."""

FIRST_CLOSE, LAST_CLOSE = date(2025, 7, 1), date(2027, 6, 30)
"""Eight quarters around the present, in which opportunities close."""

RATES = (
    ("USD", Decimal("1.0000")),
    ("CAD", Decimal("0.7300")),
    ("EUR", Decimal("1.0900")),
)
"""Corporate currency per unit at the beginning of the first quarter; later quarters drift from it."""

SECTORS = {"51": 6, "52": 5, "54": 7, "62": 6, "33": 7, "32": 4, "42": 5, "44": 5, "23": 4, "48": 3, "21": 1, "22": 1}
"""Weights of two-digit industries; all others have 1."""

FIRST = [
    "Alder",
    "Anchor",
    "Apex",
    "Arbor",
    "Atlas",
    "Beacon",
    "Birch",
    "Blue",
    "Boulder",
    "Bright",
    "Cedar",
    "Clear",
    "Cobalt",
    "Copper",
    "Crest",
    "Delta",
    "Eagle",
    "Ember",
    "Evergreen",
    "Falcon",
    "First",
    "Foundry",
    "Frontier",
    "Golden",
    "Granite",
    "Harbor",
    "Heron",
    "Highland",
    "Horizon",
    "Iron",
    "Juniper",
    "Keystone",
    "Lake",
    "Lantern",
    "Liberty",
    "Lone",
    "Magnolia",
    "Maple",
    "Meridian",
    "Mesa",
    "Midland",
    "Mill",
    "Mosaic",
    "North",
    "Oak",
    "Orchard",
    "Osprey",
    "Pacific",
    "Pine",
    "Pioneer",
    "Prairie",
    "Quarry",
    "Red",
    "Ridge",
    "River",
    "Rowan",
    "Sable",
    "Silver",
    "Sierra",
    "Summit",
    "Sun",
    "Terra",
    "Timber",
    "Union",
    "Valley",
    "Vista",
    "West",
    "Willow",
    "Wren",
]
SECOND = [
    "bridge",
    "brook",
    "crest",
    "dale",
    "field",
    "ford",
    "gate",
    "grove",
    "haven",
    "hill",
    "line",
    "mark",
    "mont",
    "path",
    "peak",
    "point",
    "port",
    "rock",
    "shore",
    "side",
    "spring",
    "stone",
    "stream",
    "view",
    "ville",
    "water",
    "way",
    "wood",
    "works",
    "worth",
]
SUFFIX = [
    "Inc",
    "LLC",
    "Group",
    "Partners",
    "Holdings",
    "Systems",
    "Industries",
    "Labs",
    "Foods",
    "Logistics",
    "Energy",
    "Health",
    "Capital",
    "Supply",
]
PRODUCTS = ("Platform", "Services", "Analytics", "Support", "Hardware")

OPEN_STAGES = (
    ("Prospecting", 10, "PIPELINE"),
    ("Qualification", 20, "PIPELINE"),
    ("Proposal", 50, "BEST_CASE"),
    ("Negotiation", 70, "MOST_LIKELY"),
    ("Verbal commitment", 90, "COMMIT"),
)


OWN_SHARE = 0.92
"""Share of opportunities that the owner of the account has; colleagues have the others."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many accounts and opportunities."""

    accounts: int = 20_000
    opportunities: int = 60_000


ACCOUNT_COLUMNS = [
    "id",
    "external_id",
    "name",
    "owner_id",
    "billing_street",
    "billing_city",
    "billing_postal_code",
    "billing_state",
    "billing_country",
    "industry",
    "annual_revenue",
    "currency",
    "employees",
    "type",
    "latitude",
    "longitude",
    "custom",
    "excluded_from_realignment",
    "version",
]
OPPORTUNITY_COLUMNS = [
    "id",
    "external_id",
    "account_id",
    "name",
    "owner_id",
    "stage",
    "amount",
    "currency",
    "quantity",
    "close_date",
    "probability",
    "forecast_category",
    "product_family",
    "excluded_from_territory_assignment",
    "version",
]


def _draw_weights(places: Sequence[Place], random: Random) -> Sequence[float]:
    """Cumulative weights to draw places by: no two places are alike."""
    return list(accumulate(weight * exp(random.gauss(0, 0.6)) for weight in weigh_places(places)))


def _segment(revenue: float) -> str:
    return "ENTERPRISE" if revenue > 100e6 else "MID_MARKET" if revenue > 10e6 else "SMB"


def make_accounts(
    seed: int, sizes: Sizes, places: Sequence[Place], industries: Mapping[str, str], owners: Mapping[str, int]
) -> Iterator[tuple[object, ...]]:
    """Rows of account, in the order of ACCOUNT_COLUMNS. owners: who sells where, by prefix of postal codes."""
    random = Random(f"accounts {seed}")
    weights = _draw_weights(places, random)
    codes = list(industries)
    code_weights = list(accumulate(SECTORS.get(code[:2], 1) for code in codes))
    for number in range(1, sizes.accounts + 1):
        place = random.choices(places, cum_weights=weights)[0]
        industry = random.choices(codes, cum_weights=code_weights)[0]
        revenue = round(exp(random.gauss(15.6, 1.7)), -3)
        known = random.random() > 0.025
        health = int(min(100, max(0, random.gauss(65, 18))))
        custom = {
            "Segment": _segment(revenue),
            "Strategic": random.random() < 0.02,
            "HealthScore": health,
            "Channels": random.sample(("DIRECT", "PARTNER", "ONLINE"), random.randint(1, 2)),
        }
        name = f"{random.choice(FIRST)}{random.choice(SECOND)} {random.choice(SUFFIX)}"
        yield (
            number,
            f"ACC-{number:07d}",
            name,
            owners[place.prefix],
            f"{random.randint(1, 9899)} {random.choice(FIRST)} Street" if known else None,
            place.city if known else None,
            place.postal_code if known else None,
            place.state if known else None,
            place.country if known else None,
            industry,
            Decimal(int(revenue)),
            "CAD" if place.country == "CA" else "USD",
            max(1, int(revenue / random.uniform(90e3, 400e3))),
            random.choices(("Prospect", "Customer", "Partner"), (55, 40, 5))[0],
            place.latitude if known else None,
            place.longitude if known else None,
            custom,
            random.random() < 0.005,
            0,
        )


def _stage(random: Random, close: date) -> tuple[str, int, str]:
    if close < TODAY:
        return ("Closed won", 100, "CLOSED") if random.random() < 0.31 else ("Closed lost", 0, "OMITTED")
    return random.choices(OPEN_STAGES, (25, 25, 25, 15, 10))[0]


def make_opportunities(seed: int, sizes: Sizes, owners: Sequence[int]) -> Iterator[tuple[object, ...]]:
    """Rows of opportunity, in the order of OPPORTUNITY_COLUMNS. owners: that of every account, by its number."""
    random = Random(f"opportunities {seed}")
    span = (LAST_CLOSE - FIRST_CLOSE).days
    for number in range(1, sizes.opportunities + 1):
        account_id = random.randint(1, sizes.accounts)
        close = FIRST_CLOSE + timedelta(days=random.randint(0, span))
        stage, probability, category = _stage(random, close)
        product = random.choice(PRODUCTS)
        yield (
            number,
            f"OPP-{number:07d}",
            account_id,
            f"{product} {close.year}",
            owners[account_id - 1] if random.random() < OWN_SHARE else random.choice(owners),
            stage,
            Decimal(int(round(exp(random.gauss(10.4, 1.1)), -2))),
            random.choices(("USD", "CAD", "EUR"), (80, 14, 6))[0],
            Decimal(random.randint(1, 50)),
            close,
            probability,
            category,
            product,
            random.random() < 0.003,
            0,
        )


def quarters() -> Sequence[date]:
    """First days of the quarters for which there are exchange rates."""
    return [date(year, month, 1) for year in (2025, 2026, 2027) for month in (1, 4, 7, 10)]


def make_rates(seed: int) -> Sequence[tuple[str, date, Decimal]]:
    """Rows of exchange_rate: currency, effective_from, rate."""
    random = Random(f"rates {seed}")
    rows = []
    for currency, rate in RATES:
        for day in quarters():
            drift = Decimal(0) if currency == "USD" else Decimal(random.randint(-200, 200)) / 10_000
            rows.append((currency, day, rate + drift))
    return rows
