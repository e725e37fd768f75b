"""Books: who has what on one side of a comparison, by places that both sides share.

A book is made once for a position of its model and kept for the last few; it knows nothing of who asks.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from etm_graph.analytics.comparing import HANDS, MEMBERS, PAIRS, Standing
from etm_graph.analytics.copies import Copy, Snapshot
from etm_graph.analytics.evaluating import decide, table_of
from etm_graph.core.changes import EntityType
from etm_graph.core.structure import Structure
from etm_graph.db.sessions import ReadSession
from etm_graph.features.alignment import queries as alignment
from etm_graph.features.alignment.service import STORED, Engine
from etm_graph.features.comparisons.service.comparing import Side
from etm_graph.features.comparisons.service.past import derive_past
from etm_graph.features.models.queries import active_model_id
from etm_graph.features.territories.queries import all_nodes

BOOKS_KEPT = 8
"""Books kept in memory."""

BookKey = tuple[int, int, bool, int, str, date]
"""Model, number of its change, whether that is past, number and columns of the crm, the day."""


NOTHING = Standing(pl.DataFrame(schema=PAIRS), pl.DataFrame(schema=HANDS), pl.DataFrame(schema=MEMBERS))
"""What a model without territories has."""


class Places:
    """Numbers of developer names, the same in all books of a process."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def number(self, name: str) -> int:
        """The number of a name."""
        if name not in self._numbers:
            self._numbers[name] = len(self._names)
            self._names.append(name)
        return self._numbers[name]

    def name(self, number: int) -> str:
        """The name of a number."""
        return self._names[number]


@dataclass(frozen=True, slots=True)
class Book:
    """key: the position that it is of. standing: who has what. paths: of its places, by number."""

    key: BookKey
    standing: Standing
    paths: Mapping[int, str]


def _members(structure: Structure, places: Places, today: date) -> pl.DataFrame:
    """Members whose time has not ended: what is planned for later counts, what is over does not."""
    rows = []
    for key, fields in structure.get(EntityType.MEMBERSHIP, {}).items():
        territory, _, user_name = key.partition("/")
        until = fields.get("effective_until")
        if until is None or date.fromisoformat(str(until)) >= today:
            rows.append((user_name, places.number(territory)))
    return pl.DataFrame(rows, schema=MEMBERS, orient="row")


class Books:
    """Makes books and keeps the last few. opportunities: their columnar copy (crm.queries.opportunity_facts)."""

    def __init__(self, engine: Engine, opportunities: Copy) -> None:
        self._engine = engine
        self._opportunities = opportunities
        self._kept: OrderedDict[BookKey, Book] = OrderedDict()
        self.places = Places()

    async def deals(self, session: ReadSession) -> pl.DataFrame:
        """All opportunities as the session sees them."""
        return table_of(await self._opportunities.at(session))

    async def accounts(self, session: ReadSession) -> Snapshot:
        """All accounts as the session sees them."""
        return await self._engine.snapshot(session)

    async def open(self, session: ReadSession, side: Side, snapshot: Snapshot, today: date) -> Book:
        """A side's book, as the session sees it. snapshot: of all accounts, as the session sees them."""
        key = (side.model_id, side.sequence, side.is_past, snapshot.seq, snapshot.signature, today)
        found = self._kept.get(key)
        if found is None:
            paths = {self.places.number(name): path for name, path in side.paths.items()}
            standing = await self._stand(session, side, snapshot, today)
            found = self._kept[key] = Book(key, standing, paths)
            while len(self._kept) > BOOKS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return found

    async def _stand(self, session: ReadSession, side: Side, snapshot: Snapshot, today: date) -> Standing:
        if not side.paths:
            return NOTHING
        if side.is_past:
            return await self._past(session, side, snapshot, today)
        return await self._present(session, side, today)

    async def _present(self, session: ReadSession, side: Side, today: date) -> Standing:
        found = await self._engine.assignments(session, side.model_id, side.state)
        numbers = pl.DataFrame(
            [(row.id, self.places.number(row.developer_name)) for row in await all_nodes(session, side.model_id)],
            schema={"territory_id": pl.Int64, "place": pl.Int32},
            orient="row",
        )
        pairs = found.pairs.join(numbers, on="territory_id").select(list(PAIRS))
        if side.state in STORED:
            stored = await alignment.standing_alignment(session, side.model_id)
            hands = stored.join(numbers, on="territory_id").select(list(HANDS))
        else:
            decided = found.decisions.drop_nulls("territory_id").join(numbers, on="territory_id")
            hands = await self._derived_hands(session, decided.select("account_id", "place"))
        return Standing(pairs, hands, _members(side.whole, self.places, today))

    async def _past(self, session: ReadSession, side: Side, snapshot: Snapshot, today: date) -> Standing:
        past = await derive_past(session, side.whole, snapshot)
        places = [self.places.number(name) for name in past.names]
        numbers = pl.DataFrame({"territory_id": range(len(places)), "place": places}).cast(
            {"territory_id": pl.Int64, "place": pl.Int32}
        )
        decisions = await asyncio.to_thread(decide, past.pairs, past.territories)
        decided = decisions.drop_nulls("territory_id").join(numbers, on="territory_id").select("account_id", "place")
        pairs = past.pairs.join(numbers, on="territory_id").select(list(PAIRS))
        return Standing(pairs, await self._derived_hands(session, decided), _members(side.whole, self.places, today))

    async def _derived_hands(self, session: ReadSession, decided: pl.DataFrame) -> pl.DataFrame:
        """What alignment would give: its account's decision, but what is kept or excluded stays where it is by name."""
        deals = await self.deals(session)
        hands = (
            deals.filter(~pl.col("excluded"))
            .select(pl.col("id").alias("opportunity_id"), "account_id")
            .join(decided, on="account_id")
            .select(list(HANDS))
        )
        active = await active_model_id(session)
        rows = [] if active is None else await alignment.kept_alignment(session, active)
        if not rows:
            return hands
        kept = pl.DataFrame(
            [
                (row.opportunity_id, None if row.territory is None else self.places.number(row.territory))
                for row in rows
            ],
            schema=HANDS,
            orient="row",
        )
        return pl.concat([hands.join(kept, on="opportunity_id", how="anti"), kept.drop_nulls("place")])
