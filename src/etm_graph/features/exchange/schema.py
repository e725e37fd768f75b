"""Bulk exports in GraphQL."""

from collections.abc import Sequence
from datetime import datetime

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import Invalid
from etm_graph.features.crm.schema.inputs import KEY
from etm_graph.features.exchange.queries import exports_by_job, link_of
from etm_graph.features.exchange.service.exporting import ExportFormat, ExportWish, request_export
from etm_graph.features.forecasts.schema.calendar import read_periods
from etm_graph.features.models.schema.jobs import Job, load_jobs
from etm_graph.features.reports.schema.running import ReportDefinitionInput, definition_of
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.mutations import UserError, mutate
from etm_graph.graphql.scalars import BigInt
from etm_graph.jobs.worker import Worker

describe(
    ExportFormat,
    "How an export is written; amounts are never floating point.",
    {
        "CSV": "Comma-separated, with a header.",
        "JSONL": "An object a line; amounts as decimal text.",
        "PARQUET": "Apache Parquet; amounts as decimals.",
    },
)


@strawberry.input(description="What to export: a forecast of some periods, or a report.")
class BulkExportInput:
    """Input of bulkExport."""

    model_id: strawberry.ID = strawberry.field(description="The model.")
    format: ExportFormat = strawberry.field(description="How it is written.")
    periods: list[str] = strawberry.field(
        default_factory=list, description="Fiscal periods of a forecast grid that do not overlap, at most 40."
    )
    report: ReportDefinitionInput | None = strawberry.field(default=None, description="A report instead.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="A finished export.")
@needs(Act.EXPORT, Kind.EXPORT)
class ExportFile:
    """A row of export_file."""

    name: str = strawberry.field(description="What to call it.")
    media_type: str = strawberry.field(description="Its media type.")
    bytes: BigInt = strawberry.field(description="How large it is.")
    rows: BigInt = strawberry.field(description="How many rows it has.")
    url: str = strawberry.field(
        description="Path on this server, signed; whoever has it can fetch the file until it expires."
    )
    expires_at: datetime = strawberry.field(description="When the link ends.")


@strawberry.type(description="What asking for an export did.")
class BulkExportPayload:
    """Job, or errors."""

    job: Job | None = strawberry.field(description="The job; follow it with `jobProgress`, then ask for its `file`.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@needs(Act.EXPORT, Kind.EXPORT)
async def _files(jobs: Sequence[Job], context: Context) -> list[ExportFile | None]:
    ids = [decode_id(job.id, "Job") for job in jobs]
    found = await exports_by_job(await context.session(), ids)
    answer: list[ExportFile | None] = []
    for number in ids:
        row = found.get(number)
        if row is None or not row.size or row.user_id != context.principal.user_id or row.expires_at <= context.now:
            answer.append(None)
            continue
        answer.append(
            ExportFile(
                name=row.name,
                media_type=row.media_type,
                bytes=BigInt(row.size),
                rows=BigInt(row.rows),
                url=link_of(row),
                expires_at=row.expires_at,
            )
        )
    return answer


extend(
    Job,
    "file",
    ExportFile | None,
    batched(_files, description="What an export of yours has made; null before, after it expired, and of other jobs."),
)


@strawberry.type
class ExportMutation:
    """Root fields that export."""

    @strawberry.mutation(description="Write a forecast or a report, as you may see it, to a file that a link leads to.")
    @needs(Act.EXPORT, Kind.EXPORT)
    async def bulk_export(self, info: Info[Context, None], input: BulkExportInput) -> BulkExportPayload:
        """Ask for an export."""
        context = info.context
        if input.periods and input.report is not None:
            raise Invalid("Give periods or a report, not both.", field=["report"])
        if input.periods:
            await read_periods(context, input.periods)
        wish = ExportWish(
            decode_id(input.model_id, "TerritoryModel", field="modelId"),
            ExportFormat(input.format),
            tuple(input.periods),
            None if input.report is None else definition_of(input.report),
        )
        outcome = await mutate(context, input, lambda work: request_export(work, wish))
        if outcome.result is None:
            return BulkExportPayload(job=None, user_errors=outcome.errors)
        context.services.get(Worker).wake()
        return BulkExportPayload(job=(await load_jobs([outcome.result], context))[0], user_errors=outcome.errors)
