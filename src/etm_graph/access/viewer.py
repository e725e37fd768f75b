"""A viewer: who acts, under which policy, at what moment. What queries and use cases ask."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement

from etm_graph.access.decisions import Access
from etm_graph.access.filters import visible
from etm_graph.core.access import ORGANISATION_PATH, Act, Kind, StateGroup
from etm_graph.core.errors import Forbidden
from etm_graph.identity.principal import Principal

KNOWN_MAX = 50_000
"""Most decisions that a viewer remembers; paths are many."""


@dataclass(frozen=True, slots=True)
class Required:
    """An act that a use case asked the right for, and where."""

    act: Act
    kind: Kind
    state: StateGroup | None
    model_id: int | None
    path: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """One principal at one moment under one policy.

    note: is told every act that was required, allowed or not, for the audit. refused: only those that were refused.
    """

    access: Access
    principal: Principal
    now: datetime
    note: Callable[[Required], None] | None = None
    refused: Callable[[Required], None] | None = None
    known: dict[tuple[object, ...], bool] = field(default_factory=dict, compare=False, repr=False)
    """Decisions made so far: principal, policy and moment are fixed, so that they stay true."""

    def may(
        self,
        act: Act,
        kind: Kind,
        *,
        state: StateGroup | None = None,
        model_id: int | None = None,
        path: str = ORGANISATION_PATH,
        own: bool = False,
    ) -> bool:
        """Whether the act is allowed on such an object; `state` None means an object outside models."""
        asked = (act, kind, state, model_id, path, own)
        allowed = self.known.get(asked)
        if allowed is None:
            if len(self.known) >= KNOWN_MAX:
                self.known.clear()
            allowed = self.known[asked] = self.access.allows(
                self.principal, act, kind, state=state, model_id=model_id, path=path, own=own, now=self.now
            )
        return allowed

    def require(
        self,
        act: Act,
        kind: Kind,
        *,
        state: StateGroup | None = None,
        model_id: int | None = None,
        path: str = ORGANISATION_PATH,
        own: bool = False,
    ) -> None:
        """Pass when `may`; raise `Forbidden` with what is missing otherwise."""
        asked = Required(act, kind, state, model_id, path)
        if self.note is not None:
            self.note(asked)
        try:
            self.access.require(
                self.principal, act, kind, state=state, model_id=model_id, path=path, own=own, now=self.now
            )
        except Forbidden:
            if self.refused is not None:
                self.refused(asked)
            raise

    def sees(
        self,
        kind: Kind,
        act: Act = Act.READ,
        *,
        state: ColumnElement[str],
        model_id: ColumnElement[int],
        path: ColumnElement[str] | None = None,
        owner: ColumnElement[int] | None = None,
    ) -> ColumnElement[bool]:
        """The condition that keeps the rows on which the act is allowed."""
        return visible(
            self.access,
            self.principal,
            kind,
            act,
            now=self.now,
            state=state,
            model_id=model_id,
            path=path,
            owner=owner,
        )
