"""GraphQL of the audit: what was done and refused, by whom, under which policy."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

import strawberry
from sqlalchemy import Row
from strawberry.types import Info

from etm_graph.access.sealing import entry_json
from etm_graph.core.errors import LimitExceeded
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.governance import queries, service
from etm_graph.features.governance.schema.vocabulary import Act, Kind
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_optional_id
from etm_graph.graphql.mutations import mutate
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]
EXPORT_MAX = 10_000


async def _users(entries: "Sequence[AuditEntry]", context: Context) -> list[User | None]:
    return await load_users([entry.user_key for entry in entries], context)


async def _models(entries: "Sequence[AuditEntry]", context: Context) -> list[TerritoryModel | None]:
    return await load_models([entry.model_key for entry in entries], context)


@strawberry.type(description="One act that changed something, or was refused; append-only and sealed into a chain.")
@needs(Act.READ, Kind.AUDIT)
class AuditEntry:
    """A row of audit_entry."""

    user_key: strawberry.Private[int]
    model_key: strawberry.Private[int | None]
    number: BigInt = strawberry.field(description="Its number, in the order of writing.")
    at: datetime = strawberry.field(description="When.")
    act: str = strawberry.field(description="What was done, or tried.")
    kind: str = strawberry.field(description="What it was done to.")
    allowed: bool = strawberry.field(description="Whether it was done; false for a refusal.")
    code: str | None = strawberry.field(description="The code of the refusal.")
    method: str = strawberry.field(description="How the caller signed in: JWT, API_KEY, DEV, SYSTEM.")
    key_id: str | None = strawberry.field(description="The public id of the API key that was used.")
    roles: list[str] = strawberry.field(description="The roles that counted there.")
    policy_version: str = strawberry.field(description="The policy under which it was decided.")
    path: str | None = strawberry.field(description="The territory's path that it was about; / for the whole.")
    change_set: str | None = strawberry.field(description="The id that the changes it made share.")
    seal: str | None = strawberry.field(description="Position and hash in the chain; null for some seconds.")
    user: User | None = batched(_users, description="Who; null for the system, and for users who are gone.")
    territory_model: TerritoryModel | None = batched(_models, description="The model that it was about.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The entry of a row."""
        details = row.details
        return cls(
            user_key=row.user_id,
            model_key=details.get("model"),
            number=BigInt(row.id),
            at=row.at,
            act=row.act,
            kind=details["kind"],
            allowed=row.allowed,
            code=row.code,
            method=row.method,
            key_id=details.get("key"),
            roles=row.roles,
            policy_version=row.policy_version,
            path=details.get("path"),
            change_set=row.change_set,
            seal=None if row.position is None else f"{row.position}:{bytes(row.hash).hex()}",
        )


@strawberry.input(description="Which entries of the audit; all conditions must hold.")
class AuditFilter:
    """Conditions on entries."""

    user_id: strawberry.ID | None = strawberry.field(default=None, description="Of this user.")
    act: Act | None = strawberry.field(default=None, description="This act.")
    kind: Kind | None = strawberry.field(default=None, description="Done to this kind.")
    model_id: strawberry.ID | None = strawberry.field(default=None, description="In this model.")
    allowed: bool | None = strawberry.field(default=None, description="true: what was done; false: refusals.")
    since: datetime | None = strawberry.field(default=None, description="At this moment or later.")
    until: datetime | None = strawberry.field(default=None, description="Before this moment.")


FilterArgument = Annotated[AuditFilter | None, strawberry.argument(description="Which entries.")]


def _wanted(source: AuditFilter | None) -> queries.AuditFilter:
    given = source or AuditFilter()
    return queries.AuditFilter(
        decode_optional_id(given.user_id, "User", field="userId"),
        None if given.act is None else Act(given.act),
        None if given.kind is None else Kind(given.kind),
        decode_optional_id(given.model_id, "TerritoryModel", field="modelId"),
        given.allowed,
        given.since,
        given.until,
    )


async def _count(filters: Sequence[queries.AuditFilter], context: Context) -> list[int]:
    session = await context.session()
    return [await queries.count_audit(session, context.viewer, wanted) for wanted in filters]


@strawberry.type(description="A part of the audit to be kept elsewhere.")
@needs(Act.EXPORT, Kind.AUDIT)
class AuditExport:
    """Lines of JSON."""

    lines: list[str] = strawberry.field(description="One entry each, as JSON, oldest first.")
    last: BigInt = strawberry.field(description="Number of the last entry; go on with `afterNumber`.")
    head: str = strawberry.field(description="Position and hash of the chain's end, to verify against later.")


@strawberry.type
class AuditQuery:
    """Root fields that read the audit."""

    @strawberry.field(description="What was done and refused, newest first; FORBIDDEN for who may not read the audit.")
    @needs(Act.READ, Kind.AUDIT)
    async def audit_entries(
        self,
        info: ContextInfo,
        filter: FilterArgument = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[AuditEntry]:
        """A page of the audit."""
        wanted = _wanted(filter)
        page = make_page(info.context, first, after, last, before)
        rows = await queries.list_audit(await info.context.session(), info.context.viewer, wanted, page)
        return connect(rows, queries.NEWEST, page, AuditEntry.of, (_count, wanted, {}))


@strawberry.input(description="Which part of the audit to export. It changes nothing, so it has no idempotency key.")
class AuditExportInput:
    """Input of auditExport."""

    filter: AuditFilter | None = strawberry.field(default=None, description="Which entries.")
    after_number: BigInt = strawberry.field(default=BigInt(0), description="Only entries after this number.")
    first: int = strawberry.field(default=1_000, description="How many at most; up to 10,000.")


@strawberry.type
class AuditMutation:
    """Root fields that take the audit out; a mutation, because every export is an entry itself."""

    @strawberry.mutation(description="Export entries of the audit as lines of JSON; the export is audited, too.")
    @needs(Act.EXPORT, Kind.AUDIT)
    async def audit_export(self, info: ContextInfo, input: AuditExportInput) -> AuditExport:
        """Export."""
        if not 0 < input.first <= EXPORT_MAX:
            raise LimitExceeded(f"An export has 1 to {EXPORT_MAX} entries at a time; {input.first} were asked for.")
        wanted = _wanted(input.filter)

        async def export(work: UnitOfWork) -> service.Exported:
            return await service.export_audit(work, wanted, after=input.after_number, most=input.first)

        outcome = await mutate(info.context, input, export)
        found: service.Exported = outcome.result
        last = found.rows[-1].id if found.rows else input.after_number
        lines = [entry_json(row).decode() for row in found.rows]
        return AuditExport(lines=lines, last=BigInt(last), head=str(found.head))
