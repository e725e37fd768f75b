"""The job that writes an export; begun again from the start after a take-over."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

import polars as pl

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Act, Kind
from etm_graph.core.calendar import parse_period
from etm_graph.core.errors import NotFound
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.core.money import from_cents
from etm_graph.core.rollup import Measure
from etm_graph.db.sessions import ReadSession
from etm_graph.events.unit_of_work import Writer
from etm_graph.features.alignment.service import Engine
from etm_graph.features.crm import queries as crm
from etm_graph.features.exchange.queries import exports_by_job
from etm_graph.features.exchange.service.exporting import EXPORT, ExportFormat, grants_of_json, store, write_frame
from etm_graph.features.forecasts.service import Basis, ForecastCube, make_view
from etm_graph.features.models.queries import models_by_id
from etm_graph.features.reports.service import Definition, Sources, run_report
from etm_graph.features.reports.service.definitions import CATALOGUE
from etm_graph.identity.principal import AuthMethod, Principal
from etm_graph.jobs.queue import Job
from etm_graph.jobs.worker import JobKind, Progress

MONEY = pl.Decimal(38, 2)


@dataclass(frozen=True, slots=True)
class ExportJobs:
    """Handler of the job kind `export`."""

    writer: Writer
    engine: Engine
    cube: ForecastCube

    def kinds(self) -> Mapping[str, JobKind]:
        """What a worker has to know of them."""
        return {EXPORT: JobKind(self.export, Act.EXPORT)}

    async def export(self, job: Job, progress: Progress) -> None:
        """Compute, write, keep."""
        progress.report("reading", 0, 3)
        async with self.writer.database.read() as session:
            row = (await exports_by_job(session, [job.id])).get(job.id)
            if row is None:
                raise NotFound("The export has expired.")
            wanted = row.definition
            grants = grants_of_json(wanted["grants"])
            principal = Principal(row.user_id, wanted["user_name"], grants, suspended=False, method=AuthMethod.SYSTEM)
            viewer = Viewer(self.writer.access, principal, datetime.now(UTC))
            model = (await models_by_id(session, viewer, [int(job.model_id or 0)])).get(int(job.model_id or 0))
            if model is None:
                raise NotFound("There is no such model any more.")
            sources = Sources(session, self.engine, self.cube, model.id, ModelState(model.state))
            progress.report("computing", 1, 3)
            if wanted["report"] is None:
                frame = await forecast_frame(sources, viewer, wanted["periods"])
            else:
                frame = await _report_frame(sources, viewer, Definition.of_json(wanted["report"]))
        content = await asyncio.to_thread(write_frame, frame, ExportFormat(wanted["format"]))
        progress.report("writing", 2, 3)
        async with self.writer.database.write() as target:
            await progress.hold(target)
            await store(target, job.id, content, frame.height)
        progress.report("done", 3, 3)


async def _report_frame(sources: Sources, viewer: Viewer, definition: Definition) -> pl.DataFrame:
    frame = await run_report(sources, viewer, definition)
    measures = CATALOGUE[definition.subject][1]
    money = [name for name in definition.measures if measures[name].kind == "money"]
    return frame.with_columns(_decimals(name, frame[name].to_list()) for name in money)


def _decimals(name: str, cents: list[int | None]) -> pl.Series:
    return pl.Series(name, [None if value is None else from_cents(value) for value in cents], dtype=MONEY)


async def forecast_frame(sources: Sources, viewer: Viewer, keys: list[str]) -> pl.DataFrame:
    """A forecast as one row for every readable territory and period; amounts are null where money is hidden."""
    session: ReadSession = sources.session
    month = (await crm.organisation_of(session)).fiscal_year_start_month
    periods = [parse_period(key, month) for key in keys]
    view = await make_view(session, sources.cube, sources.model_id, sources.state, periods)
    tree, group = view.grid.tree, GROUP_OF[sources.state]

    def may(act: Act, path: str) -> bool:
        return viewer.may(act, Kind.FORECAST, state=group, model_id=sources.model_id, path=path)

    spots = [
        (place, period)
        for place, period in product(range(len(tree.ids)), range(len(periods)))
        if may(Act.READ, tree.paths[place])
    ]
    money = {place: may(Act.READ_MONEY, tree.paths[place]) for place, _ in spots}
    columns = [
        pl.Series("territory", [tree.names[place] for place, _ in spots], dtype=pl.String),
        pl.Series("path", [tree.paths[place] for place, _ in spots], dtype=pl.String),
        pl.Series("period", [periods[period].key for _, period in spots], dtype=pl.String),
        pl.Series("start", [periods[period].start for _, period in spots], dtype=pl.Date),
        pl.Series("end", [periods[period].end for _, period in spots], dtype=pl.Date),
        pl.Series("opportunities", [view.grid.count(period, place) for place, period in spots], dtype=pl.Int64),
    ]
    for basis, measure in product((Basis.OWN, Basis.ROLLED_UP, Basis.ADJUSTED), Measure):
        cents = [view.cents(basis, measure, period, place) if money[place] else None for place, period in spots]
        columns.append(_decimals(f"{basis.value}_{measure.value}".lower(), cents))
    quota = [view.quotas[period].territory.get(place) if money[place] else None for place, period in spots]
    columns.append(pl.Series("quota", quota, dtype=MONEY))
    return pl.DataFrame(columns)
