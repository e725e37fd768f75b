"""What may be listed, as one condition: grants and policy compiled once, rendered for SQL and for Polars alike.

For every model that a grant names, and for all others, the paths of grants cut the tree into regions; within a region
every object has the same roles, so the policy is asked once a region and state. The condition is the union of regions
with what they allow, each without the regions inside it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import polars as pl
from sqlalchemy import ColumnElement, and_, false, not_, or_, true

from etm_graph.access.decisions import Access, is_live, reads_anywhere, reads_model
from etm_graph.access.lint import OUTSIDE_MODELS
from etm_graph.access.snapshot import PolicySnapshot
from etm_graph.core.access import ORGANISATION_PATH, Act, Grant, Kind, StateGroup
from etm_graph.core.hierarchy import subtree_end
from etm_graph.core.lifecycle import STATES_IN
from etm_graph.identity.principal import Principal

Verdict = tuple[bool, bool]
"""Whether an act is allowed on others' objects, and on one's own."""

REMEMBERED_MAX = 4_096
"""Most conditions that are remembered; the one used longest ago is forgotten first."""

_YES, _NO = pl.lit(value=True), pl.lit(value=False)


@dataclass(frozen=True, slots=True)
class Region:
    """Objects of some models and states below `path` but not below `except_paths`.

    states: None for kinds outside models, which have none. model_id: the one model, or None for all but
    `except_models`. own: True for the principal's own objects only, False for others' only, None for both.
    """

    states: tuple[StateGroup, ...] | None
    path: str
    except_paths: tuple[str, ...]
    model_id: int | None
    except_models: tuple[int, ...]
    own: bool | None


@dataclass(frozen=True, slots=True)
class Predicate:
    """The union of regions, for one principal."""

    regions: tuple[Region, ...]
    user_id: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of which policy, with the models that it is asked of."""

    snapshot: PolicySnapshot
    kind: Kind
    act: Act
    model_id: int | None
    except_models: tuple[int, ...]

    def verdict(self, grants: Iterable[Grant], state: StateGroup) -> Verdict:
        roles = frozenset(grant.role for grant in grants)
        others, mine = (self.snapshot.allowed(roles, self.kind, state, self.act, own) for own in (False, True))
        return others, mine


def _own(verdict: Verdict) -> bool | None:
    others, mine = verdict
    return None if others and mine else mine


def _boundaries(asked: _Asked, grants: Sequence[Grant], paths: Sequence[str], state: StateGroup) -> dict[str, Verdict]:
    """Map the paths at which the verdict differs from the one around them; the root always is one."""
    kept: dict[str, Verdict] = {}
    for path in paths:
        verdict = asked.verdict((grant for grant in grants if path.startswith(grant.path)), state)
        around = max((other for other in kept if path.startswith(other)), key=len, default=None)
        if around is None or kept[around] != verdict:
            kept[path] = verdict
    return kept


def _regions(asked: _Asked, grants: Sequence[Grant]) -> Iterable[Region]:
    if reads_model(asked.kind, asked.act):
        grants = [replace(grant, path=ORGANISATION_PATH) for grant in grants]
    paths = [ORGANISATION_PATH, *sorted({grant.path for grant in grants} - {ORGANISATION_PATH})]
    outside = asked.kind in OUTSIDE_MODELS
    states: dict[tuple[str, tuple[str, ...], bool | None], list[StateGroup]] = {}
    for state in (StateGroup.ACTIVE,) if outside else StateGroup:
        kept = _boundaries(asked, grants, paths, state)
        for path, verdict in kept.items():
            if any(verdict):
                inner = tuple(other for other in kept if other != path and other.startswith(path))
                states.setdefault((path, inner, _own(verdict)), []).append(state)
    for (path, inner, own), together in states.items():
        yield Region(None if outside else tuple(together), path, inner, asked.model_id, asked.except_models, own)


def visible_predicate(access: Access, principal: Principal, kind: Kind, act: Act, now: datetime) -> Predicate:
    """Compile what the principal may do this to, in models of every state."""
    return _predicate(access.snapshot, _live(principal, now), principal.user_id, kind, act)


def _live(principal: Principal, now: datetime) -> tuple[Grant, ...]:
    return () if principal.suspended else tuple(grant for grant in principal.grants if is_live(grant, now))


@lru_cache(maxsize=REMEMBERED_MAX)
def _predicate(snapshot: PolicySnapshot, grants: tuple[Grant, ...], user_id: int, kind: Kind, act: Act) -> Predicate:
    if reads_anywhere(kind, act):
        verdict = _Asked(snapshot, kind, act, None, ()).verdict(grants, StateGroup.ACTIVE)
        everywhere = Region(None, ORGANISATION_PATH, (), None, (), _own(verdict))
        return Predicate((everywhere,) if any(verdict) else (), user_id)
    named = tuple(sorted({grant.model_id for grant in grants if grant.model_id is not None}))
    general = [grant for grant in grants if grant.model_id is None]
    regions = list(_regions(_Asked(snapshot, kind, act, None, named), general))
    for model_id in named:
        here = [grant for grant in grants if grant.model_id in {None, model_id}]
        regions += _regions(_Asked(snapshot, kind, act, model_id, ()), here)
    return Predicate(tuple(regions), user_id)


def to_sql(
    predicate: Predicate,
    *,
    state: ColumnElement[str],
    model_id: ColumnElement[int],
    path: ColumnElement[str] | None,
    owner: ColumnElement[int] | None,
) -> ColumnElement[bool]:
    """Render the condition in SQL.

    state: a column of `ModelState` texts. path: None means objects at a model's root. owner: None means that nothing is
    one's own; where it is NULL, neither is that row.
    """

    def place(region: Region) -> ColumnElement[bool]:
        if path is None:
            return true() if region.path == ORGANISATION_PATH else false()
        within = [] if region.path == ORGANISATION_PATH else [_within(path, region.path)]
        return and_(true(), *within, *(not_(_within(path, inner)) for inner in region.except_paths))

    def render(alike: Sequence[Region]) -> ColumnElement[bool]:
        region = alike[0]
        terms: list[ColumnElement[bool]] = [] if region.states is None else [state.in_(_states(region.states))]
        if region.model_id is not None:
            terms.append(model_id == region.model_id)
        elif region.except_models:
            terms.append(model_id.not_in(region.except_models))
        terms.append(or_(false(), *(place(one) for one in alike)))
        if region.own is not None:
            mine = false() if owner is None else owner.is_not_distinct_from(predicate.user_id)
            terms.append(mine if region.own else not_(mine))
        return and_(true(), *terms)

    groups: dict[tuple[object, ...], list[Region]] = {}
    for region in predicate.regions:
        key = (region.states, region.model_id, region.except_models, region.own)
        groups.setdefault(key, []).append(region)
    return or_(false(), *(render(alike) for alike in groups.values()))


def _states(groups: Iterable[StateGroup]) -> list[str]:
    return [state.value for group in groups for state in STATES_IN[group]]


def _within(path: ColumnElement[str], ancestor: str) -> ColumnElement[bool]:
    return and_(path >= ancestor, path < subtree_end(ancestor))


def to_polars(
    predicate: Predicate,
    *,
    state: str = "state",
    model_id: str = "model_id",
    path: str | None = "path",
    owner: str | None = "owner_id",
) -> pl.Expr:
    """Render the same condition over a Polars frame with columns of these names."""

    def render(region: Region) -> pl.Expr:
        term = _YES if region.states is None else pl.col(state).is_in(_states(region.states))
        if region.model_id is not None:
            term &= pl.col(model_id) == region.model_id
        elif region.except_models:
            term &= ~pl.col(model_id).is_in(region.except_models)
        if path is None:
            term &= pl.lit(region.path == ORGANISATION_PATH)
        else:
            term &= pl.col(path).str.starts_with(region.path)
            for inner in region.except_paths:
                term &= ~pl.col(path).str.starts_with(inner)
        if region.own is not None:
            mine = _NO if owner is None else pl.col(owner).eq_missing(pl.lit(predicate.user_id))
            term &= mine if region.own else ~mine
        return term

    condition = _NO
    for region in predicate.regions:
        condition |= render(region)
    return condition


def visible(
    access: Access,
    principal: Principal,
    kind: Kind,
    act: Act = Act.READ,
    *,
    now: datetime,
    state: ColumnElement[str],
    model_id: ColumnElement[int],
    path: ColumnElement[str] | None = None,
    owner: ColumnElement[int] | None = None,
) -> ColumnElement[bool]:
    """Make the SQL condition that keeps the rows on which the act is allowed."""
    return _condition(
        access.snapshot, _live(principal, now), principal.user_id, kind, act, state, model_id, path, owner
    )


@lru_cache(maxsize=REMEMBERED_MAX)
def _condition(
    snapshot: PolicySnapshot,
    grants: tuple[Grant, ...],
    user_id: int,
    kind: Kind,
    act: Act,
    state: ColumnElement[str],
    model_id: ColumnElement[int],
    path: ColumnElement[str] | None,
    owner: ColumnElement[int] | None,
) -> ColumnElement[bool]:
    """Render once for the same rights and columns: an expression is never changed, so that it can be used again."""
    predicate = _predicate(snapshot, grants, user_id, kind, act)
    return to_sql(predicate, state=state, model_id=model_id, path=path, owner=owner)
