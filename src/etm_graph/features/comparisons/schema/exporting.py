"""A comparison as a table to download: the same rows as through GraphQL, all of them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from enum import StrEnum

import orjson
import polars as pl
import strawberry

from etm_graph.analytics.comparing import MEASURES, changed
from etm_graph.core.access import ORGANISATION_PATH, Act, Kind
from etm_graph.core.changes import EntityType
from etm_graph.core.errors import Invalid
from etm_graph.core.lifecycle import GROUP_OF
from etm_graph.features.comparisons.schema.filtering import ImpactFilterInput, read_impact_filter
from etm_graph.features.comparisons.schema.impact import TerritoryImpact, UserImpact
from etm_graph.features.comparisons.service import Comparand, Comparison, Impact, Impacts, Side, compare
from etm_graph.features.crm.queries import accounts_by_id, opportunities_by_id
from etm_graph.graphql.context import Context
from etm_graph.graphql.ids import decode_id, encode_id
from etm_graph.transport.download import Download

BATCH = 1_000
"""Names read at a time."""

Rows = AsyncIterator[Sequence[object]]


class Part(StrEnum):
    """Which table of a comparison."""

    STRUCTURE = "structure"
    TERRITORIES = "territories"
    USERS = "users"
    ACCOUNTS = "accounts"
    OPPORTUNITIES = "opportunities"


def _text(value: object) -> str:
    return "" if value is None else orjson.dumps(value, default=str).decode()


async def _structure(comparison: Comparison) -> Rows:
    yield "type", "key", "difference", "field", "before", "after"
    for item in comparison.differences:
        kinds = " ".join(kind.value for kind in item.kinds)
        before, after = item.before or {}, item.after or {}
        for name in item.fields or ("",):
            yield item.entity_type.value, item.key, kinds, name, _text(before.get(name)), _text(after.get(name))


def _measures(shown: TerritoryImpact | UserImpact) -> list[object]:
    parts = (shown.accounts, shown.revenue, shown.opportunities, shown.pipeline)
    return [value for part in parts for value in (part.before, part.after, part.gained, part.lost)]


async def _territories(impact: Impact) -> Rows:
    yield "territory", "path", *MEASURES
    for row in changed(await impact.territories()).iter_rows(named=True):
        yield impact.places.name(row["place"]), row["path"], *_measures(TerritoryImpact.of(impact, row))


async def _users(impact: Impact) -> Rows:
    yield "user", *MEASURES
    for row in changed(await impact.users()).iter_rows(named=True):
        yield row["user_name"], *_measures(UserImpact.of(impact, row))


def _names(impact: Impact, places: Sequence[int]) -> str:
    return " ".join(sorted(impact.places.name(place) for place in places))


def _slices(frame: pl.DataFrame) -> Sequence[pl.DataFrame]:
    return [frame.slice(start, BATCH) for start in range(0, frame.height, BATCH)]


async def _accounts(context: Context, impact: Impact) -> Rows:
    yield "id", "name", "difference", "before", "after", "revenue"
    session = await context.session()
    for part in _slices(await impact.accounts()):
        found = await accounts_by_id(session, context.viewer, part["object_id"].to_list())
        for row in part.iter_rows(named=True):
            account = found.get(row["object_id"])
            name, revenue = None if account is None else account.name, row["revenue"] if impact.money else None
            before, after = _names(impact, row["before"]), _names(impact, row["after"])
            yield encode_id("Account", row["object_id"]), name, row["kind"], before, after, revenue


async def _opportunities(context: Context, impact: Impact) -> Rows:
    yield "id", "name", "before", "after", "open", "amount"
    session = await context.session()
    for part in _slices(await impact.opportunities()):
        found = await opportunities_by_id(session, context.viewer, part["opportunity_id"].to_list())
        for row in part.iter_rows(named=True):
            deal = found.get(row["opportunity_id"])
            sides = [_names(impact, [] if row[side] is None else [row[side]]) for side in ("before", "after")]
            amount, name = row["amount"] if impact.money else None, None if deal is None else deal.name
            yield encode_id("Opportunity", row["opportunity_id"]), name, *sides, row["is_open"], amount


def _comparand(given: Mapping[str, str], side: str) -> Comparand:
    sequence = given.get(f"{side}Sequence")
    if sequence is not None and not sequence.isdecimal():
        raise Invalid(f"{side}Sequence is a number.", field=[f"{side}Sequence"])
    model_id = decode_id(given.get(side, ""), "TerritoryModel", field=side)
    return Comparand(model_id, None if sequence is None else int(sequence))


def _require_export(context: Context, side: Side) -> None:
    """Pass when everything that the viewer sees of a side may be exported; raise `Forbidden` otherwise."""
    seen = {side.paths[name] for name in side.structure.get(EntityType.TERRITORY, {})} or {ORGANISATION_PATH}
    state, model_id = GROUP_OF[side.state], side.model_id
    for path in sorted(seen):
        context.viewer.require(Act.EXPORT, Kind.EXPORT, state=state, model_id=model_id, path=path)


def _id(given: Mapping[str, str], name: str) -> strawberry.ID | None:
    found = given.get(name)
    return None if found is None else strawberry.ID(found)


def _part(given: Mapping[str, str]) -> Part:
    try:
        return Part(given.get("part", Part.ACCOUNTS.value))
    except ValueError as error:
        raise Invalid(f"part is one of {', '.join(Part)}.", field=["part"]) from error


async def export_comparison(context: Context, given: Mapping[str, str]) -> Download:
    """A part of a comparison, as far as the viewer may read and export it.

    given: base, other (global ids), baseSequence, otherSequence, part, territoryId, userId, accountId. Raises `NotFound`,
    `Invalid`, `Forbidden`.
    """
    part, base, other = _part(given), _comparand(given, "base"), _comparand(given, "other")
    session = await context.session()
    comparison = await compare(session, context.viewer, base, other)
    for side in (comparison.base, comparison.other):
        _require_export(context, side)
    name = f"comparison-{part.value}"
    if part is Part.STRUCTURE:
        return Download(name, _structure(comparison))
    conditions = ImpactFilterInput(
        territory_id=_id(given, "territoryId"), user_id=_id(given, "userId"), account_id=_id(given, "accountId")
    )
    wanted = await read_impact_filter(context, conditions)
    impact = await context.services.get(Impacts).of(session, context.viewer, comparison, wanted, context.now.date())
    makers: Mapping[Part, Callable[[], Rows]] = {
        Part.TERRITORIES: lambda: _territories(impact),
        Part.USERS: lambda: _users(impact),
        Part.ACCOUNTS: lambda: _accounts(context, impact),
        Part.OPPORTUNITIES: lambda: _opportunities(context, impact),
    }
    return Download(name, makers[part]())
