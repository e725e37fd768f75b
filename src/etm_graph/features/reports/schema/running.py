"""Reports in GraphQL: definitions, results, saved reports."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

import polars as pl
import strawberry
from sqlalchemy import Row
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.calendar import PeriodKind
from etm_graph.core.errors import LimitExceeded, NotFound
from etm_graph.core.money import from_cents
from etm_graph.features.alignment.service import Engine
from etm_graph.features.crm.schema.inputs import KEY, VERSION, CrmDeleteInput
from etm_graph.features.crm.schema.payloads import CrmDeletePayload, delete_and_answer
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.forecasts.service import ForecastCube
from etm_graph.features.models.queries import active_model_id
from etm_graph.features.models.schema.types import load_models
from etm_graph.features.reports import service
from etm_graph.features.reports.queries import kept
from etm_graph.features.reports.service import Comparison, Definition, Filter, Sources, Subject
from etm_graph.features.reports.service.definitions import CATALOGUE
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs, open_to_callers
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import Node, decode_id, decode_optional_id, encode_id
from etm_graph.graphql.mutations import UserError, mutate
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]
ROWS_MAX = 1_000

describe(
    Subject,
    "What a report is about.",
    {
        "COVERAGE": "Accounts with and without territories, overlaps and gaps.",
        "EFFECTIVENESS": "Win rate, pipeline, quota attainment by territory, person, type and time.",
        "ALIGNMENT": "Opportunities outside their account's territories.",
        "HISTORY": "Assignments that began and ended.",
        "BALANCE": "What each territory has.",
    },
    name="ReportSubject",
)
describe(
    Comparison,
    "How a filter compares; with several values any of them.",
    {
        "EQUALS": "Is one of the values.",
        "NOT_EQUAL": "Is none of the values.",
        "STARTS_WITH": "Begins with one of the values; with `path` a subtree.",
        "CONTAINS": "Contains one of the values.",
        "IS_NULL": "Holds nothing.",
        "FROM": "Is the value or later.",
        "UNTIL": "Is the value or earlier.",
    },
    name="ReportComparison",
)


@strawberry.input(description="A condition on a dimension, or on `day`.")
class ReportFilterInput:
    """One filter."""

    field: str = strawberry.field(description="A dimension of the subject, or day.")
    comparison: Comparison = strawberry.field(default=Comparison.EQUALS, description="How it compares.")
    values: list[str] = strawberry.field(default_factory=list, description="What with.")


@strawberry.input(description="A report: measures over the rows of a subject, grouped by dimensions.")
class ReportDefinitionInput:
    """A definition."""

    subject: Subject = strawberry.field(description="What it is about.")
    measures: list[str] = strawberry.field(description="Names of measures; `reportSubjects` lists them.")
    dimensions: list[str] = strawberry.field(default_factory=list, description="Names of dimensions to group by.")
    filters: list[ReportFilterInput] = strawberry.field(default_factory=list, description="All must hold.")
    bucket: PeriodKind | None = strawberry.field(
        default=None, description="Group by fiscal periods of the subject's day, too, as `period`."
    )
    order_by: str | None = strawberry.field(default=None, description="A measure or dimension; else by dimensions.")
    descending: bool = strawberry.field(default=False, description="Whether `orderBy` is from large to small.")


def definition_of(source: ReportDefinitionInput) -> Definition:
    """The definition of an input."""
    filters = [Filter(f.field, Comparison(f.comparison), tuple(f.values)) for f in source.filters]
    return Definition(
        Subject(source.subject),
        tuple(source.measures),
        tuple(source.dimensions),
        tuple(filters),
        None if source.bucket is None else PeriodKind(source.bucket),
        source.order_by,
        source.descending,
    )


@strawberry.type(description="What can be asked about a subject.")
@open_to_callers("what reports can be about is the same for everybody and says nothing of the company")
class ReportSubjectFields:
    """An entry of the catalogue."""

    subject: Subject = strawberry.field(description="The subject.")
    dimensions: list[str] = strawberry.field(description="What it can be grouped and filtered by.")
    measures: list[str] = strawberry.field(description="What it measures.")


@strawberry.type(description="A line of a report.")
@needs(Act.READ, Kind.REPORT)
class ReportRow:
    """One row."""

    values: list[str | None] = strawberry.field(description="In the order of the columns; amounts as decimals.")


@strawberry.type(description="A report's result.")
@needs(Act.READ, Kind.REPORT)
class ReportResult:
    """Columns and rows."""

    columns: list[str] = strawberry.field(description="Dimensions, then measures.")
    rows: list[ReportRow] = strawberry.field(description="A page of the rows.")
    total_count: int = strawberry.field(description="How many rows there are.")


@strawberry.type(description="A filter of a saved report.")
@needs(Act.READ, Kind.REPORT)
class ReportFilter:
    """One filter."""

    field: str = strawberry.field(description="The dimension, or day.")
    comparison: Comparison = strawberry.field(description="How it compares.")
    values: list[str] = strawberry.field(description="What with.")


@strawberry.type(description="A report that somebody keeps; whoever runs it sees what they may see themselves.")
@needs(Act.READ, Kind.REPORT)
class SavedReport(Node):
    """A row of saved_report."""

    user_key: strawberry.Private[int]
    name: str = strawberry.field(description="Unique for its author.")
    description: str | None = strawberry.field(description="What it is for.")
    shared: bool = strawberry.field(description="Whether others may run it.")
    subject: Subject = strawberry.field(description="What it is about.")
    measures: list[str] = strawberry.field(description="What it measures.")
    dimensions: list[str] = strawberry.field(description="What it is grouped by.")
    filters: list[ReportFilter] = strawberry.field(description="Its conditions.")
    bucket: PeriodKind | None = strawberry.field(description="The fiscal periods that it is grouped by, too.")
    order_by: str | None = strawberry.field(description="What it is ordered by.")
    descending: bool = strawberry.field(description="Whether from large to small.")
    version: BigInt = strawberry.field(description="Goes up with every change; send it as `expectedVersion`.")
    author: User | None = batched(
        lambda reports, context: load_users([report.user_key for report in reports], context),
        description="Whose it is.",
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The report of a row."""
        found = Definition.of_json(row.definition)
        return cls(
            id=encode_id("SavedReport", row.id),
            user_key=row.user_id,
            name=row.name,
            description=row.description,
            shared=row.shared,
            subject=found.subject,
            measures=list(found.measures),
            dimensions=list(found.dimensions),
            filters=[
                ReportFilter(field=f.field, comparison=f.comparison, values=list(f.values)) for f in found.filters
            ],
            bucket=found.bucket,
            order_by=found.order_by,
            descending=found.descending,
            version=BigInt(row.version),
        )


async def load_reports(ids: Sequence[int], context: Context) -> list[SavedReport | None]:
    """Saved reports by id: the caller's own and shared ones."""
    found = await kept.reports_by_id(await context.session(), set(ids), context.principal.user_id)
    return [SavedReport.of(found[number]) if number in found else None for number in ids]


async def sources_of(context: Context, model_id: int | None) -> Sources:
    """What reports are computed from: a model that the caller may read, the active one when None."""
    session = await context.session()
    number = model_id if model_id is not None else await active_model_id(session)
    model = None if number is None else (await load_models([number], context))[0]
    if model is None:
        raise NotFound("There is no such model, or none is active.", field=["modelId"])
    services = context.services
    return Sources(session, services.get(Engine), services.get(ForecastCube), model.key, model.model_state)


def shown(frame: pl.DataFrame, definition: Definition) -> pl.DataFrame:
    """A result as text: amounts as decimals with two places."""
    measures = CATALOGUE[definition.subject][1]
    money = {name for name in definition.measures if measures[name].kind == "money"}
    columns = [
        pl.Series(name, [None if v is None else str(from_cents(v)) if name in money else str(v) for v in frame[name]])
        for name in frame.columns
    ]
    return pl.DataFrame([column.cast(pl.String) for column in columns])


async def _result(
    context: Context, definition: Definition, model_id: strawberry.ID | None, first: int, skip: int
) -> ReportResult:
    if not 0 < first <= ROWS_MAX or skip < 0:
        raise LimitExceeded(f"A page of a report has 1 to {ROWS_MAX} rows; {first} were asked for. Export it instead.")
    sources = await sources_of(context, decode_optional_id(model_id, "TerritoryModel", field="modelId"))
    frame = await service.run_report(sources, context.viewer, definition)
    page = shown(frame.slice(skip, first), definition)
    return ReportResult(
        columns=frame.columns, rows=[ReportRow(values=list(row)) for row in page.iter_rows()], total_count=frame.height
    )


ModelId = Annotated[
    strawberry.ID | None, strawberry.argument(description="The model that it follows; the active one when left out.")
]
Rows = Annotated[int, strawberry.argument(description="How many rows, at most 1,000.")]
Skip = Annotated[int, strawberry.argument(description="How many rows to leave out first.")]


@strawberry.type
class ReportQuery:
    """Root fields of reports."""

    @strawberry.field(description="What reports can be about, group by and measure.")
    @open_to_callers("what reports can be about is the same for everybody and says nothing of the company")
    async def report_subjects(self) -> list[ReportSubjectFields]:
        """The catalogue."""
        return [
            ReportSubjectFields(subject=subject, dimensions=list(dimensions), measures=list(measures))
            for subject, (dimensions, measures) in CATALOGUE.items()
        ]

    @strawberry.field(description="Run a report over what you may see; amounts take the right to see money.")
    @needs(Act.READ, Kind.REPORT)
    async def report(
        self,
        info: ContextInfo,
        definition: Annotated[ReportDefinitionInput, strawberry.argument(description="The report.")],
        model_id: ModelId = None,
        first: Rows = 200,
        skip: Skip = 0,
    ) -> ReportResult:
        """Run a report."""
        return await _result(info.context, definition_of(definition), model_id, first, skip)

    @strawberry.field(description="Your saved reports and those that others share, by name.")
    @needs(Act.READ, Kind.REPORT)
    async def saved_reports(self, info: ContextInfo) -> list[SavedReport]:
        """Saved reports."""
        session = await info.context.session()
        return [SavedReport.of(row) for row in await kept.reports_for(session, info.context.principal.user_id)]

    @strawberry.field(description="Run a saved report over what you may see.")
    @needs(Act.READ, Kind.REPORT)
    async def saved_report_result(
        self,
        info: ContextInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="The saved report.")],
        model_id: ModelId = None,
        first: Rows = 200,
        skip: Skip = 0,
    ) -> ReportResult:
        """Run a saved report."""
        number = decode_id(id, "SavedReport")
        session, me = await info.context.session(), info.context.principal.user_id
        row = (await kept.reports_by_id(session, [number], me)).get(number)
        if row is None:
            raise NotFound("There is no such report.", field=["id"])
        return await _result(info.context, Definition.of_json(row.definition), model_id, first, skip)


@strawberry.input(description="A report to keep.")
class ReportSaveInput:
    """Input of reportSave."""

    name: str = strawberry.field(description="Unique among yours.")
    definition: ReportDefinitionInput = strawberry.field(description="The report.")
    description: str | None = strawberry.field(default=None, description="What it is for.")
    shared: bool = strawberry.field(default=False, description="Whether others may run it.")
    id: strawberry.ID | None = strawberry.field(
        default=None, description="The report to change; left out for a new one."
    )
    expected_version: BigInt | None = strawberry.field(default=None, description=VERSION)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="What saving a report did.")
class SavedReportPayload:
    """Entity, or errors."""

    saved_report: SavedReport | None = strawberry.field(description="The report as it is now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type
class ReportMutation:
    """Root fields that keep reports."""

    @strawberry.mutation(description="Keep a report, or change one of yours.")
    @needs(Act.READ, Kind.REPORT)
    async def report_save(self, info: ContextInfo, input: ReportSaveInput) -> SavedReportPayload:
        """Keep a report."""
        number = decode_optional_id(input.id, "SavedReport")
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.save_report(
                work,
                input.name,
                definition_of(input.definition),
                description=input.description,
                shared=input.shared,
                report_id=number,
                expected_version=input.expected_version,
            ),
        )
        key = outcome.result if outcome.result is not None else number
        found = None if key is None else (await load_reports([key], info.context))[0]
        return SavedReportPayload(saved_report=found, user_errors=outcome.errors)

    @strawberry.mutation(description="Delete one of your reports.")
    @needs(Act.READ, Kind.REPORT)
    async def report_delete(self, info: ContextInfo, input: CrmDeleteInput) -> CrmDeletePayload:
        """Delete a report."""
        return await delete_and_answer(
            info.context,
            input,
            "SavedReport",
            lambda work, n: service.delete_report(work, n, input.expected_version),
        )
