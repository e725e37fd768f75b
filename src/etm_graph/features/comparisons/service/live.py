"""What drafts do, live: computed once for a position and a set of rights, however many watch."""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any

from etm_graph.access.viewer import Viewer
from etm_graph.analytics.comparing import MEASURES, Totals
from etm_graph.core.changes import CRM_STREAM
from etm_graph.core.errors import NotFound
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.structure import EMPTY
from etm_graph.db.sessions import Database, ReadSession
from etm_graph.events.log import StreamHead, read_heads
from etm_graph.features.comparisons import queries
from etm_graph.features.comparisons.service.comparing import Comparison, Side
from etm_graph.features.comparisons.service.impacts import Impact, ImpactFilter, Impacts
from etm_graph.features.comparisons.service.visibility import rights_of
from etm_graph.features.models import queries as models

LOOKS_KEPT = 64
"""Looks kept in memory: one for each position and set of rights that somebody watches."""

SIDES_KEPT = 8
"""Structures kept in memory."""

Row = Mapping[str, Any]
"""A territory's sums (analytics/comparing.py) with `place` and `path`."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the streams stand that a draft's impact depends on. active_id: None when no model is active."""

    draft_head: int
    active_id: int | None
    active_head: int
    crm_head: int


@dataclass(frozen=True, eq=False)
class Look:
    """A draft's impact at a moment, for one set of rights.

    number: another for each look. essence: what it depends on; looks of the same essence show the same. rows: by place.
    """

    number: int
    moment: Moment
    essence: Hashable
    state: ModelState
    created_by: int | None
    impact: Impact
    totals: Totals
    rows: Mapping[int, Row]
    _since: dict[int, Sequence[Row]] = field(default_factory=dict)

    @property
    def changed(self) -> Sequence[Row]:
        """The rows in which anything comes or goes, in tree order."""
        return [row for row in self.rows.values() if any(row[name] for name in _MOVES)]

    def since(self, before: "Look") -> Sequence[Row]:
        """The rows that are not as they were; those of places that are gone have nothing in them."""
        found = self._since.get(before.number)
        if found is None:
            rows = [row for place, row in self.rows.items() if row != before.rows.get(place)]
            gone = [row for place, row in before.rows.items() if place not in self.rows]
            found = [*rows, *({**row, **dict.fromkeys(MEASURES, 0)} for row in gone)]
            self._since[before.number] = found
        return found


_MOVES = tuple(name for name in MEASURES if name.endswith(("gained", "lost")))


class Live:
    """Looks at drafts, each computed once and kept while it is fresh."""

    def __init__(self, impacts: Impacts) -> None:
        self._impacts = impacts
        self._numbers = count()
        self._looks: OrderedDict[Hashable, Look] = OrderedDict()
        self._sides: OrderedDict[Hashable, Side] = OrderedDict()
        self._turn = asyncio.Lock()

    async def look(self, database: Database, viewer: Viewer, draft_id: int, moment: Moment | None, today: date) -> Look:
        """A draft's impact on the active model at a moment or later; None is now. Raises `NotFound` when it is gone."""
        rights = rights_of(viewer)
        asked = (draft_id, moment, rights, today)
        found = self._looks.get(asked)
        if found is None:
            async with self._turn:
                found = self._looks.get(asked)
                if found is None:
                    async with database.read() as session:
                        found = await self._read(session, viewer, draft_id, today)
                    self._keep((draft_id, moment, rights, today), found)
        return found

    def _keep(self, asked: tuple[int, Moment | None, Hashable, date], look: Look) -> None:
        draft_id, moment, rights, today = asked
        self._looks[draft_id, look.moment, rights, today] = look
        if moment is not None:
            self._looks[asked] = look
        while len(self._looks) > LOOKS_KEPT:
            self._looks.popitem(last=False)

    async def _read(self, session: ReadSession, viewer: Viewer, draft_id: int, today: date) -> Look:
        active_id = await models.active_model_id(session)
        ids = {draft_id, *(() if active_id is None else (active_id,))}
        rows = await models.states_of(session, ids)
        heads = await read_heads(session, [*ids, CRM_STREAM])
        if draft_id not in rows:
            raise NotFound("There is no such model.", field=["modelId"])
        moment = Moment(
            heads[draft_id].head, active_id, 0 if active_id is None else heads[active_id].head, heads[CRM_STREAM].head
        )
        state = ModelState(rows[draft_id].state)
        base = NOTHING if active_id is None else await self._side(session, heads[active_id], ModelState.ACTIVE)
        other = await self._side(session, heads[draft_id], state)
        comparison = Comparison(base, other, moment.crm_head)
        impact = await self._impacts.of(session, viewer, comparison, ImpactFilter(), today)
        frame = await impact.territories()
        found = {int(row["place"]): row for row in frame.iter_rows(named=True)}
        essence = (state, base.model_id, base.sequence, other.sequence, moment.crm_head)
        return Look(
            next(self._numbers), moment, essence, state, rows[draft_id].created_by, impact, await impact.totals(), found
        )

    async def _side(self, session: ReadSession, head: StreamHead, state: ModelState) -> Side:
        """A model as it is now; a draft is the same until its structure changes."""
        sequence = head.structure_head if state is ModelState.PLANNING else head.head
        key = (head.stream_id, sequence, state)
        found = self._sides.get(key)
        if found is None:
            structure = (await queries.load_structures(session, [head.stream_id]))[head.stream_id]
            found = self._sides[key] = Side(head.stream_id, state, structure, structure, sequence, is_past=False)
            while len(self._sides) > SIDES_KEPT:
                self._sides.popitem(last=False)
        return found


NOTHING = Side(0, ModelState.ARCHIVED, EMPTY, EMPTY, 0, is_past=False)
"""The side of no model."""
