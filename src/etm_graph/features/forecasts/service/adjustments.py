"""Adjustments and submissions: what people say that a forecast is, and hand in."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.calendar import Period, parse_period
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import Conflict, Forbidden, Invalid, NotFound, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.money import CENT
from etm_graph.core.rollup import ADJUSTABLE, Measure
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm import queries as crm
from etm_graph.features.forecasts.queries import people
from etm_graph.features.forecasts.queries.aligned import owns_deals
from etm_graph.features.forecasts.service.quotas import AMOUNT_MAX
from etm_graph.features.forecasts.tables import forecast_adjustment, forecast_submission
from etm_graph.features.models import service as models
from etm_graph.features.territories import queries as territories
from etm_graph.features.territories.service import locate

NOTE_CHARACTERS_MAX = 255


@dataclass(frozen=True, slots=True)
class AdjustmentWish:
    """An adjustment as it is to be. as_owner: of the writer's own amounts there, not of the territory's total."""

    territory_id: int
    period: str
    measure: Measure
    amount: Decimal
    note: str
    as_owner: bool
    expected_version: int | None = None


def _check(wish: AdjustmentWish) -> None:
    if wish.measure not in ADJUSTABLE:
        allowed = ", ".join(sorted(measure.value for measure in ADJUSTABLE))
        raise Invalid(f"{wish.measure.value} is a fact; adjusted are {allowed}.", field=["measure"])
    if not 0 < len(wish.note.strip()) <= NOTE_CHARACTERS_MAX or "\x00" in wish.note:
        raise Invalid(f"An adjustment has a note of 1 to {NOTE_CHARACTERS_MAX} characters.", field=["note"])
    if not wish.amount.is_finite() or abs(wish.amount) >= AMOUNT_MAX:
        raise Invalid("An amount is below 10^18.", field=["amount"])


async def _period(work: UnitOfWork, key: str) -> Period:
    organisation = await crm.organisation_of(work.session)
    period = parse_period(key, organisation.fiscal_year_start_month)
    if period.kind != organisation.adjustment_period:
        raise Invalid(
            f"Forecasts are adjusted by {organisation.adjustment_period}; {period.key} is a {period.kind}.",
            field=["period"],
        )
    return period


async def rank_of_manager(work: UnitOfWork, model_id: int, path: str) -> int | None:
    """How high in the tree the principal is forecast manager of a territory or an ancestor; None when of none."""
    managed = await territories.managers_above(work.session, model_id, path)
    return min((row.depth for row in managed if row.forecast_manager_id == work.principal.user_id), default=None)


async def _begin(work: UnitOfWork, territory_id: int, act: Act) -> tuple[models.ModelHead, Row[Any]]:
    model, node = await locate(work, territory_id)
    if model.state is not ModelState.ACTIVE:
        raise WrongState(f"{model.name} is {model.state}; forecasts are adjusted and submitted in the active model.")
    models.authorise(work, model, act, Kind.FORECAST, node.path)
    return model, node


async def _rank(work: UnitOfWork, model_id: int, node: Row[Any], period: Period, *, as_owner: bool) -> int:
    if as_owner:
        if not await owns_deals(work.session, model_id, node.id, work.principal.user_id, period):
            raise Forbidden(
                f"You own no opportunity that {node.name} has in {period.key}; only the owner of amounts adjusts them "
                "as owner."
            )
        return int(node.depth)
    rank = await rank_of_manager(work, model_id, node.path)
    if rank is None:
        raise Forbidden(
            f"You are the forecast manager neither of {node.name} nor of a territory above it; only they adjust it."
        )
    return rank


async def adjust_forecast(work: UnitOfWork, wish: AdjustmentWish) -> int:
    """Say what an amount is; returns the adjustment's id. What is below stays as it is.

    Who may: by policy, and as the territory's forecast manager or an ancestor's, or as the owner of the amounts
    (docs/domain.md, "Forecasts"). Raises `Forbidden`, `Invalid`, `Conflict`, `WrongState`, `NotFound`.
    """
    _check(wish)
    model, node = await _begin(work, wish.territory_id, Act.ADJUST)
    period = await _period(work, wish.period)
    rank = await _rank(work, model.id, node, period, as_owner=wish.as_owner)
    me = work.principal.user_id
    columns = forecast_adjustment.c
    where = (
        (columns.territory_id == node.id)
        & (columns.period_start == period.start)
        & (columns.measure == wish.measure.value)
        & (columns.user_id == me)
        & (columns.owner_id.is_not(None) if wish.as_owner else columns.owner_id.is_(None))
    )
    row = await work.session.row(select(forecast_adjustment).where(where))
    if row is not None and wish.expected_version is not None and row.version > wish.expected_version:
        raise Conflict(f"The adjustment is at version {row.version} by now; read it again.", field=["expectedVersion"])
    amount = wish.amount.quantize(CENT, ROUND_HALF_EVEN)
    values: dict[str, Any] = {
        "amount": amount,
        "note": wish.note.strip(),
        "rank": rank,
        "inherited_from": None,
        "written_at": work.now,
    }
    number = await _upsert(work, model.id, node, period, wish, row, values)
    draft = ChangeDraft(
        EntityType.ADJUSTMENT,
        ChangeKind.CREATED if row is None else ChangeKind.UPDATED,
        number,
        f"{node.path}{period.key}/{wish.measure.value}",
        node.path,
        {} if row is None else {"amount": str(row.amount), "note": row.note},
        {"amount": str(amount), "note": wish.note.strip()},
    )
    seq = work.record(model.id, draft)
    await work.session.execute(update(forecast_adjustment).where(columns.id == number).values(version=seq))
    return number


async def _upsert(
    work: UnitOfWork,
    model_id: int,
    node: Row[Any],
    period: Period,
    wish: AdjustmentWish,
    row: Row[Any] | None,
    values: Mapping[str, Any],
) -> int:
    if row is not None:
        where = forecast_adjustment.c.id == row.id
        await work.session.execute(update(forecast_adjustment).where(where).values(**values))
        return int(row.id)
    me = work.principal.user_id
    key = {
        "model_id": model_id,
        "territory_id": node.id,
        "measure": wish.measure.value,
        "user_id": me,
        "owner_id": me if wish.as_owner else None,
        "period": period.key,
        "period_start": period.start,
        "period_end": period.end,
    }
    made = insert(forecast_adjustment).values(**key, **values, version=0).returning(forecast_adjustment.c.id)
    return int(await work.session.scalar(made))


async def delete_adjustment(work: UnitOfWork, adjustment_id: int, expected_version: int | None = None) -> int:
    """Take an adjustment back: one's own, or one that was made at or below where one is forecast manager.

    Raises `Forbidden`, `NotFound`, `Conflict`, `WrongState`.
    """
    missing = NotFound("There is no such adjustment.", field=["id"])
    found = (await people.adjustments_by_id(work.session, [adjustment_id])).get(adjustment_id)
    if found is None:
        raise missing
    model, node = await _begin(work, found.territory_id, Act.ADJUST)
    row = (await people.adjustments_by_id(work.session, [adjustment_id])).get(adjustment_id)
    if row is None:
        raise missing
    rank = await rank_of_manager(work, model.id, node.path)
    if row.user_id != work.principal.user_id and (rank is None or rank > row.rank):
        raise Forbidden("Only who made an adjustment, or a forecast manager above, takes it back.")
    if expected_version is not None and row.version > expected_version:
        raise Conflict(f"The adjustment is at version {row.version} by now; read it again.", field=["expectedVersion"])
    before = {"amount": str(row.amount), "note": row.note}
    key = f"{node.path}{row.period}/{row.measure}"
    work.record(
        model.id, ChangeDraft(EntityType.ADJUSTMENT, ChangeKind.DELETED, adjustment_id, key, node.path, before=before)
    )
    await work.session.execute(delete(forecast_adjustment).where(forecast_adjustment.c.id == adjustment_id))
    return adjustment_id


async def submit_forecast(
    work: UnitOfWork, territory_id: int, period: Period, amounts: Mapping[str, object], note: str | None
) -> int:
    """Keep a forecast as it is shown now; returns the submission's id. Raises `Forbidden`, `WrongState`, `NotFound`.

    amounts: the snapshot, JSON values.
    """
    if note is not None and (len(note) > NOTE_CHARACTERS_MAX or "\x00" in note):
        raise Invalid(f"A note has at most {NOTE_CHARACTERS_MAX} characters.", field=["note"])
    model, node = await _begin(work, territory_id, Act.SUBMIT)
    values = {
        "model_id": model.id,
        "territory_id": node.id,
        "user_id": work.principal.user_id,
        "period": period.key,
        "period_start": period.start,
        "period_end": period.end,
        "at": work.now,
        "note": note,
        "amounts": dict(amounts),
    }
    number = int(
        await work.session.scalar(insert(forecast_submission).values(**values).returning(forecast_submission.c.id))
    )
    key = f"{node.path}{period.key}"
    after = {"period": period.key}
    work.record(model.id, ChangeDraft(EntityType.SUBMISSION, ChangeKind.CREATED, number, key, node.path, after=after))
    return number
