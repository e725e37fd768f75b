"""Running a report: the subject's rows, of which only those that the caller may see are looked at."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from etm_graph.access.filters import to_polars, visible_predicate
from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import Forbidden
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import ReadSession
from etm_graph.features.alignment.service import Engine
from etm_graph.features.crm import queries as crm
from etm_graph.features.forecasts.queries import people
from etm_graph.features.forecasts.service import ForecastCube
from etm_graph.features.reports.queries import rows
from etm_graph.features.reports.service.definitions import Definition, Subject, check, evaluate, is_money

FIRST_DAY, LAST_DAY = date(1, 1, 1), date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class Sources:
    """What reports are computed from, in one session. model_id, state: the model that they follow."""

    session: ReadSession
    engine: Engine
    cube: ForecastCube
    model_id: int
    state: ModelState


async def run_report(sources: Sources, viewer: Viewer, definition: Definition) -> pl.DataFrame:
    """A report as the caller may see it: rows of territories where reports, and money if it tells any, may be read.

    What belongs to no territory takes a right at the root. Raises `Invalid`, `LimitExceeded`, `Forbidden`.
    """
    check(definition)
    act = Act.READ_MONEY if is_money(definition) else Act.READ
    allowed = visible_predicate(viewer.access, viewer.principal, Kind.REPORT, act, viewer.now)
    if not allowed.regions:
        raise Forbidden(f"You may not {act.value.replace('_', ' ')} of reports; ask for a role that may.")
    frame = await _READERS[definition.subject](sources)
    seen = frame.with_columns(
        pl.lit(sources.state.value).alias("state_"),
        pl.lit(sources.model_id).alias("model_"),
        pl.col("path").fill_null("/").alias("path_"),
    ).filter(to_polars(allowed, state="state_", model_id="model_", path="path_", owner=None))
    month = (await crm.organisation_of(sources.session)).fiscal_year_start_month
    return evaluate(definition, seen, month)


async def _coverage(sources: Sources) -> pl.DataFrame:
    accounts = await rows.accounts(sources.session)
    assigned = await sources.engine.assignments(sources.session, sources.model_id, sources.state)
    pairs = assigned.pairs.select(pl.col("object_id").alias("account_id"), "territory_id")
    counted = pairs.group_by("account_id").agg(pl.len().alias("places"))
    return (
        accounts.join(pairs, on="account_id", how="left")
        .join(counted, on="account_id", how="left")
        .join(await rows.places(sources.session, sources.model_id), on="territory_id", how="left")
        .with_columns(assigned=pl.when(pl.col("territory_id").is_null()).then(pl.lit("no")).otherwise(pl.lit("yes")))
    )


async def _deals(sources: Sources) -> pl.DataFrame:
    book = await sources.cube.book(sources.session, sources.model_id, sources.state)
    return (
        book.rows()
        .rename({"close_date": "day", "family": "product_family"})
        .join(await rows.user_names(sources.session), on="owner_id", how="left")
        .join(await rows.places(sources.session, sources.model_id), on="territory_id", how="left")
    )


async def _effectiveness(sources: Sources) -> pl.DataFrame:
    """Opportunities, and a row for each quota: of its territory and person, on the first day of its period."""
    found = await _deals(sources)
    quotas = await people.quotas_within(sources.session, [sources.model_id], FIRST_DAY, LAST_DAY)
    names = {row.id: row.user_name for row in await crm.user_keys(sources.session)}
    kinds = {row.id: row.developer_name for row in await people.list_quota_kinds(sources.session)}
    told = [
        (row.territory_id, row.period_start, int(row.amount.scaleb(2)), names.get(row.user_id))
        for row in quotas
        if kinds[row.kind_id] == people.DEFAULT_KIND and row.user_id is None and row.product_family is None
    ]
    schema = {"territory_id": pl.Int64, "day": pl.Date, "quota": pl.Int128, "owner": pl.String}
    frame = pl.DataFrame(told, schema=schema, orient="row").join(
        await rows.places(sources.session, sources.model_id), on="territory_id", how="left"
    )
    return pl.concat([found, frame], how="diagonal_relaxed")


async def _alignment(sources: Sources) -> pl.DataFrame:
    assigned = await sources.engine.assignments(sources.session, sources.model_id, sources.state)
    pairs = assigned.pairs.select(
        pl.col("object_id").alias("account_id"), "territory_id", pl.lit(value=True).alias("fits")
    )
    found = (await _deals(sources)).join(pairs, on=["account_id", "territory_id"], how="left")
    strays = pl.col("territory_id").is_not_null() & pl.col("fits").is_null()
    return found.with_columns(outside=pl.when(strays).then(pl.lit("yes")).otherwise(pl.lit("no")))


async def _history(sources: Sources) -> pl.DataFrame:
    found = await rows.assignment_rows(sources.session, sources.model_id)
    return found.join(await rows.places(sources.session, sources.model_id), on="territory_id", how="left")


async def territory_loads(sources: Sources, effort_field: str | None = None) -> pl.DataFrame:
    """What each territory has itself: accounts, revenue and open pipeline in whole cents, effort."""
    accounts = await rows.accounts(sources.session, effort_field)
    assigned = await sources.engine.assignments(sources.session, sources.model_id, sources.state)
    pairs = assigned.pairs.select(pl.col("object_id").alias("account_id"), "territory_id")
    sums = (
        pairs.join(accounts, on="account_id")
        .group_by("territory_id")
        .agg(pl.len().cast(pl.Int128).alias("accounts"), pl.col("revenue").sum(), pl.col("effort").sum())
    )
    book = await sources.cube.book(sources.session, sources.model_id, sources.state)
    is_open = ~pl.col("category").is_in(["CLOSED", "OMITTED"])
    pipeline = book.rows().filter(is_open).group_by("territory_id").agg(pl.col("cents").sum().alias("pipeline"))
    found = (
        (await rows.places(sources.session, sources.model_id))
        .join(sums, on="territory_id", how="left")
        .join(pipeline, on="territory_id", how="left")
    )
    return found.with_columns(
        pl.col(name).cast(pl.Int128).fill_null(0) for name in ("accounts", "revenue", "effort", "pipeline")
    )


_READERS = {
    Subject.COVERAGE: _coverage,
    Subject.EFFECTIVENESS: _effectiveness,
    Subject.ALIGNMENT: _alignment,
    Subject.HISTORY: _history,
    Subject.BALANCE: territory_loads,
}
