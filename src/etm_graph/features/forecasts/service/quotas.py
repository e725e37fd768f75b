"""Quotas: set, spread from above, summed up from below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.calendar import Period, parse_period
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import Conflict, Invalid, LimitExceeded, NotFound, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.money import CENT, spread
from etm_graph.core.rollup import ZERO
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm import queries as crm
from etm_graph.features.forecasts.queries import people
from etm_graph.features.forecasts.tables import quota
from etm_graph.features.models import service as models
from etm_graph.features.territories import queries as territories

QUOTAS_MAX = 5_000
"""Most quotas of one request."""

AMOUNT_MAX = Decimal(10) ** 18


@dataclass(frozen=True, slots=True)
class Wish:
    """A quota as it is to be. user_id: None for the territory itself. expected_version: None does not ask."""

    territory_id: int
    period: str
    kind_id: int
    amount: Decimal
    user_id: int | None = None
    product_family: str | None = None
    expected_version: int | None = None


Key = tuple[int, int, int | None, str | None]


def _key(item: Wish | Row[Any]) -> Key:
    return (item.territory_id, item.kind_id, item.user_id, item.product_family)


async def lock_open(work: UnitOfWork, model_id: int) -> models.ModelHead:
    """Take the turn of a model in which quotas can be edited. Raises `WrongState`, `NotFound`."""
    model = await models.lock_model(work, model_id)
    if model.state not in {ModelState.PLANNING, ModelState.ACTIVE}:
        raise WrongState(f"{model.name} is {model.state}; quotas and adjustments are edited in PLANNING and ACTIVE.")
    return model


async def _require_known(work: UnitOfWork, wishes: Sequence[Wish]) -> None:
    kinds = await people.quota_kinds_by_id(work.session, {wish.kind_id for wish in wishes})
    users = {wish.user_id for wish in wishes if wish.user_id is not None}
    known = await crm.users_by_id(work.session, users)
    for wish in wishes:
        if wish.kind_id not in kinds:
            raise NotFound("There is no such kind of quota.", field=["kindId"])
        if wish.user_id is not None and wish.user_id not in known:
            raise NotFound("There is no such user.", field=["userId"])
        if not wish.amount.is_finite() or not 0 <= wish.amount < AMOUNT_MAX:
            raise Invalid("A quota is from 0 to below 10^18.", field=["amount"])


def _sees(work: UnitOfWork, model: models.ModelHead, path: str) -> bool:
    viewer = models.viewer_of(work)
    return viewer.may(Act.READ, Kind.TERRITORY, state=model.group, model_id=model.id, path=path)


async def _places(
    work: UnitOfWork, model: models.ModelHead, wishes: Sequence[Wish], act: Act
) -> Mapping[int, Row[Any]]:
    found = {row.id: row for row in await territories.places_of(work.session, {wish.territory_id for wish in wishes})}
    for number in sorted({wish.territory_id for wish in wishes}):
        if number not in found or found[number].model_id != model.id or not _sees(work, model, found[number].path):
            raise NotFound("There is no such territory in this model.", field=["territoryId"])
        models.authorise(work, model, act, Kind.FORECAST, found[number].path)
    return found


def _require_apart(period: Period, others: Sequence[tuple[Any, Any, str]]) -> None:
    for start, end, name in others:
        if start <= period.end and period.start <= end and (start, end) != (period.start, period.end):
            raise Invalid(
                f"{period.key} overlaps {name}, for which there is a quota of the same kind and person; delete that "
                "first, or keep to its periods.",
                field=["period"],
            )


async def set_quotas(work: UnitOfWork, model_id: int, wishes: Sequence[Wish]) -> list[int]:
    """Write quotas, all or none; returns their ids in that order.

    Raises `Invalid` for a period that is none or overlaps another of the same territory, kind, person and product
    family; `Conflict`, `NotFound`, `WrongState`, `Forbidden`, `LimitExceeded`.
    """
    if len(wishes) > QUOTAS_MAX:
        raise LimitExceeded(f"At most {QUOTAS_MAX} quotas at a time (quotas); these are {len(wishes)}.")
    model = await lock_open(work, model_id)
    await _require_known(work, wishes)
    places = await _places(work, model, wishes, Act.UPDATE)
    month = (await crm.organisation_of(work.session)).fiscal_year_start_month
    standing: dict[Key, list[Row[Any]]] = {}
    where = quota.c.territory_id.in_({wish.territory_id for wish in wishes})
    for row in await work.session.rows(select(quota).where(where)):
        standing.setdefault(_key(row), []).append(row)
    written: dict[tuple[Key, str], int] = {}
    answer = []
    for wish in wishes:
        period = parse_period(wish.period, month)
        rows = standing.get(_key(wish), [])
        fresh = [parse_period(key, month) for (owner, key) in written if owner == _key(wish)]
        others = [(row.period_start, row.period_end, row.period) for row in rows]
        _require_apart(period, others + [(p.start, p.end, p.key) for p in fresh])
        if (_key(wish), period.key) in written:
            raise Invalid(f"{period.key} is there twice for the same territory, kind and person.", field=["period"])
        same = next((row for row in rows if row.period == period.key), None)
        number = await _write(work, model.id, places[wish.territory_id], wish, period, same)
        written[_key(wish), period.key] = number
        answer.append(number)
    return answer


async def _write(
    work: UnitOfWork, model_id: int, place: Row[Any], wish: Wish, period: Period, row: Row[Any] | None
) -> int:
    amount = wish.amount.quantize(CENT, ROUND_HALF_EVEN)
    if row is not None and row.amount == amount and row.inherited_from is None:
        return int(row.id)
    if row is not None and wish.expected_version is not None and row.version > wish.expected_version:
        raise Conflict(
            f"The quota of {place.name} in {period.key} is at version {row.version} by now; read it again.",
            field=["expectedVersion"],
        )
    stamps = {"written_by": work.principal.user_id, "written_at": work.now, "inherited_from": None, "amount": amount}
    if row is None:
        values = {
            "model_id": model_id,
            "territory_id": wish.territory_id,
            "kind_id": wish.kind_id,
            "user_id": wish.user_id,
            "product_family": wish.product_family,
            "period": period.key,
            "period_start": period.start,
            "period_end": period.end,
            **stamps,
        }
        number = int(await work.session.scalar(insert(quota).values(**values, version=0).returning(quota.c.id)))
    else:
        number = int(row.id)
    draft = ChangeDraft(
        EntityType.QUOTA,
        ChangeKind.CREATED if row is None else ChangeKind.UPDATED,
        number,
        f"{place.path}{period.key}",
        place.path,
        {} if row is None else {"amount": str(row.amount)},
        {"amount": str(amount)},
    )
    seq = work.record(model_id, draft)
    await work.session.execute(update(quota).where(quota.c.id == number).values(**stamps, version=seq))
    return number


async def delete_quota(work: UnitOfWork, quota_id: int, expected_version: int | None = None) -> int:
    """Delete a quota; returns its id. Raises `NotFound`, `Conflict`, `WrongState`, `Forbidden`."""
    found = (await people.quotas_by_id(work.session, [quota_id])).get(quota_id)
    if found is None:
        raise NotFound("There is no such quota.", field=["id"])
    model = await lock_open(work, found.model_id)
    models.authorise(work, model, Act.DELETE, Kind.FORECAST, found.path)
    row = (await people.quotas_by_id(work.session, [quota_id])).get(quota_id)
    if row is None:
        raise NotFound("There is no such quota.", field=["id"])
    if expected_version is not None and row.version > expected_version:
        raise Conflict(f"The quota is at version {row.version} by now; read it again.", field=["expectedVersion"])
    before = {"amount": str(row.amount)}
    key = f"{row.path}{row.period}"
    work.record(model.id, ChangeDraft(EntityType.QUOTA, ChangeKind.DELETED, quota_id, key, row.path, before=before))
    await work.session.execute(delete(quota).where(quota.c.id == quota_id))
    return quota_id


async def spread_quota(
    work: UnitOfWork, territory_id: int, period: str, kind_id: int, weights: Mapping[int, Decimal]
) -> list[int]:
    """Spread a territory's quota over those right below it, to the cent; returns the ids of theirs.

    weights: by child. Raises `NotFound` when the territory has no such quota or a weight is of no child, `Invalid`.
    """
    place = {row.id: row for row in await territories.places_of(work.session, [territory_id])}.get(territory_id)
    if place is None:
        raise NotFound("There is no such territory.", field=["territoryId"])
    await lock_open(work, place.model_id)
    columns = quota.c
    own = select(columns.amount).where(
        columns.territory_id == territory_id,
        columns.kind_id == kind_id,
        columns.period == period,
        columns.user_id.is_(None),
        columns.product_family.is_(None),
    )
    amount = await work.session.scalar(own)
    if amount is None:
        raise NotFound(f"{place.name} has no quota in {period} that could be spread; set it first.", field=["period"])
    nodes = await territories.all_nodes(work.session, place.model_id)
    children = [row.id for row in nodes if row.parent_id == territory_id]
    strangers = set(weights) - set(children)
    if strangers or not children:
        raise NotFound(f"Weights are of territories right below {place.name}.", field=["weights"])
    shares = spread(amount, [weights.get(child, ZERO) for child in children])
    wishes = [Wish(child, period, kind_id, share) for child, share in zip(children, shares, strict=True)]
    return await set_quotas(work, place.model_id, wishes)
