"""What may be listed, as one condition: grants and policy compiled once, rendered for SQL and for Polars alike.

For every model that a grant names, and for all others, the paths of grants cut the tree into regions; within a region
every object has the same roles, so the policy is asked once a region and state. The condition is the union of regions
with what they allow, each without the regions inside it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy import ColumnElement, and_, false, not_, or_, true

from etm_graph.access.decisions import Access, is_live
from etm_graph.core.access import ORGANISATION_PATH, Act, Grant, Kind, StateGroup
from etm_graph.core.hierarchy import subtree_end
from etm_graph.core.lifecycle import STATES_IN
from etm_graph.identity.principal import Principal


@dataclass(frozen=True, slots=True)
class Region:
    """Objects of some models and states below `path` but not below `except_paths`.

    model_id: the one model, or None for all but `except_models`. own: True for the principal's own objects only, False
    for others' only, None for both.
    """

    states: tuple[StateGroup, ...]
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


def _own(verdict: tuple[bool, bool]) -> bool | None:
    """verdict: (allowed on others' objects, allowed on one's own)."""
    others, mine = verdict
    return None if others and mine else mine


def _regions(
    access: Access, grants: Sequence[Grant], kind: Kind, act: Act, model_id: int | None, except_models: tuple[int, ...]
) -> Iterable[Region]:
    cut = sorted({grant.path for grant in grants}) if kind is not Kind.MODEL else []
    paths = [ORGANISATION_PATH, *(path for path in cut if path != ORGANISATION_PATH)]
    for path in paths:
        inner = tuple(other for other in paths if other != path and other.startswith(path))
        reaching = [g for g in grants if kind is Kind.MODEL or path.startswith(g.path)]
        roles = frozenset(grant.role for grant in reaching)
        by_verdict: dict[tuple[bool, bool], list[StateGroup]] = {}
        for state in StateGroup:
            verdict = (
                access.snapshot.allowed(roles, kind, state, act, False),
                access.snapshot.allowed(roles, kind, state, act, True),
            )
            by_verdict.setdefault(verdict, []).append(state)
        for verdict, states in by_verdict.items():
            if any(verdict):
                yield Region(tuple(states), path, inner, model_id, except_models, _own(verdict))


def compile_predicate(access: Access, principal: Principal, kind: Kind, act: Act, now: datetime) -> Predicate:
    """What the principal may do this to, in models of every state."""
    grants = [] if principal.suspended else [grant for grant in principal.grants if is_live(grant, now)]
    named = tuple(sorted({grant.model_id for grant in grants if grant.model_id is not None}))
    general = [grant for grant in grants if grant.model_id is None]
    regions = list(_regions(access, general, kind, act, None, named)) if general else []
    for model_id in named:
        here = [grant for grant in grants if grant.model_id in {None, model_id}]
        regions += _regions(access, here, kind, act, model_id, ())
    return Predicate(tuple(regions), principal.user_id)


def to_sql(
    predicate: Predicate,
    *,
    state: ColumnElement[str],
    model_id: ColumnElement[int],
    path: ColumnElement[str] | None,
    owner: ColumnElement[int] | None,
) -> ColumnElement[bool]:
    """The condition in SQL. state holds model states; path None means objects at a model's root; without owner, nothing
    is one's own."""

    def render(region: Region) -> ColumnElement[bool]:
        states = [value.value for group in region.states for value in STATES_IN[group]]
        terms: list[ColumnElement[bool]] = [state.in_(states)]
        if region.model_id is not None:
            terms.append(model_id == region.model_id)
        elif region.except_models:
            terms.append(model_id.not_in(region.except_models))
        if path is None:
            terms += [] if region.path == ORGANISATION_PATH else [false()]
        else:
            terms += [
                *([] if region.path == ORGANISATION_PATH else [_within(path, region.path)]),
                *(not_(_within(path, inner)) for inner in region.except_paths),
            ]
        if region.own is not None:
            mine = false() if owner is None else owner.is_not_distinct_from(predicate.user_id)
            terms.append(mine if region.own else not_(mine))
        return and_(true(), *terms)

    return or_(false(), *(render(region) for region in predicate.regions))


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
    """The same condition over a Polars frame with columns of these names."""

    def render(region: Region) -> pl.Expr:
        states = [value.value for group in region.states for value in STATES_IN[group]]
        term = pl.col(state).is_in(states)
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
            mine = pl.lit(False) if owner is None else pl.col(owner).eq_missing(pl.lit(predicate.user_id))  # noqa: FBT003 - a literal
            term &= mine if region.own else ~mine
        return term

    condition = pl.lit(False)  # noqa: FBT003 - a literal
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
    """The SQL condition that keeps the rows on which the act is allowed."""
    predicate = compile_predicate(access, principal, kind, act, now)
    return to_sql(predicate, state=state, model_id=model_id, path=path, owner=owner)
