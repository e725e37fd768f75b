"""Who reacts to what, which engines and jobs a process has: the one file that knows everything."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import polars as pl
from sqlalchemy import Row

from etm_graph.access.grants import load_grants
from etm_graph.access.snapshot import default_policy_folder
from etm_graph.analytics.copies import Copy, Delta, Source
from etm_graph.analytics.preparing import column_of, prepare
from etm_graph.core.access import Kind
from etm_graph.core.anchors import Anchor, AnchorKind, AnchorPlace
from etm_graph.core.approvals import load_policy
from etm_graph.core.calendar import parse_period
from etm_graph.core.criteria import DataType, FieldDef
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import Database, ReadSession
from etm_graph.events.unit_of_work import Reactions, UnitOfWork, Writer
from etm_graph.features.activation.jobs import ActivationJobs
from etm_graph.features.activation.service import CHECKS, Preflight
from etm_graph.features.activation.service.requests import RUN
from etm_graph.features.alignment.service import Engine, realign_opportunities, reassign_accounts, release_deleted
from etm_graph.features.alignment.service.statistics import RuleAudits
from etm_graph.features.comparisons.schema.exporting import export_comparison
from etm_graph.features.comparisons.service import Books, Impacts, Live
from etm_graph.features.crm import queries as crm
from etm_graph.features.crm.service import (
    AccountsChanged,
    CalendarChanging,
    CustomFieldDeleting,
    OpportunitiesChanged,
    RatesChanged,
    UsersChanged,
)
from etm_graph.features.exchange.jobs import ExportJobs
from etm_graph.features.forecasts.service import ForecastCube, carry_over, refuse_calendar_in_use
from etm_graph.features.governance.service import note_users
from etm_graph.features.models.queries import active_model_id, archived_at
from etm_graph.features.models.service import ModelActivating, StateChanged
from etm_graph.features.notifications.jobs import Sender, Teller
from etm_graph.features.presence.queries import Board
from etm_graph.features.reports.service import refuse_effort_field
from etm_graph.features.reviews.service import require_approved
from etm_graph.features.rules import queries as rules
from etm_graph.features.rules.service import refuse_field_in_use, unlink_deleted
from etm_graph.features.scenarios.jobs import CloneJobs
from etm_graph.features.territories import queries as territories
from etm_graph.features.territories.service import TerritoriesDeleting
from etm_graph.features.threads.service import AnchorRegistry
from etm_graph.identity.authenticate import Directory, Subject
from etm_graph.identity.principal import AuthMethod, Principal
from etm_graph.jobs.queue import enqueue
from etm_graph.jobs.worker import Worker
from etm_graph.settings import Settings
from etm_graph.transport.download import Maker


def _subject(row: Row[Any] | None) -> Subject | None:
    return None if row is None else Subject(row.id, row.user_name, row.active, row.suspended, row.subject is not None)


async def _by_name(session: ReadSession, user_name: str) -> Subject | None:
    return _subject(await crm.find_user(session, user_name))


async def _by_id(session: ReadSession, user_id: int) -> Subject | None:
    return _subject((await crm.users_by_id(session, [user_id])).get(user_id))


async def _by_subject(session: ReadSession, subject: str) -> Subject | None:
    return _subject(await crm.find_user_of_subject(session, subject))


async def _principal(session: ReadSession, user_id: int) -> Principal | None:
    """A user as a job acts for them, with the rights of this moment; None when they may not sign in."""
    subject = await _by_id(session, user_id)
    if subject is None or not subject.active:
        return None
    grants = await load_grants(session, user_id)
    return Principal(subject.user_id, subject.name, grants, subject.suspended, AuthMethod.SYSTEM)


DIRECTORY = Directory(_by_name, _by_id, load_grants, _by_subject)
"""How callers are found."""


async def _accounts_signature(session: ReadSession) -> str:
    return await crm.facts_signature(session, await crm.account_fields(session))


def _shaping(fields: Mapping[str, FieldDef]) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Facts in the shape in which the copy keeps them: what rules compare, and what is summed up."""
    kept = [
        *crm.ALWAYS,
        "annual_revenue",
        *(column_of(f.name) for f in fields.values() if f.data_type != DataType.LOCATION),
    ]
    return lambda frame: prepare(frame, fields.values()).select(kept)


async def _load_accounts(session: ReadSession) -> pl.DataFrame:
    fields = await crm.account_fields(session)
    return await crm.all_account_facts(session, fields, _shaping(fields))


async def _accounts_since(session: ReadSession, seq: int) -> Delta:
    fields = await crm.account_fields(session)
    changed, deleted = await crm.account_facts_since(session, fields, seq)
    return Delta(_shaping(fields)(changed), deleted)


ACCOUNTS = Source(_accounts_signature, _load_accounts, _accounts_since)
"""Accounts as the columnar copy has them."""


async def _opportunities_since(session: ReadSession, seq: int) -> Delta:
    changed, deleted = await crm.opportunity_facts_since(session, seq)
    return Delta(changed, deleted)


OPPORTUNITIES = Source(crm.rates_signature, crm.opportunity_facts, _opportunities_since)
"""Opportunities as the columnar copy has them."""


async def _deals_since(session: ReadSession, seq: int) -> Delta:
    changed, deleted = await crm.deals_since(session, seq)
    return Delta(changed, deleted)


DEALS = Source(crm.deals_signature, crm.deals, _deals_since)
"""Opportunities as forecasts have them: to the cent, with all that is counted by."""


async def _carry_forecasts(work: UnitOfWork, happening: StateChanged) -> None:
    if happening.after is ModelState.ACTIVE:
        former = await archived_at(work.session, work.now)
        restored = happening.before is ModelState.ARCHIVED
        await carry_over(work, happening.model_id, former, restored=restored)


async def _reconvert(work: UnitOfWork, happening: RatesChanged) -> None:  # noqa: ARG001 - any account may have it
    model_id = await active_model_id(work.session)
    if model_id is not None:
        await enqueue(work.session, RUN, {}, now=work.now, model_id=model_id, created_by=work.principal.user_id)


async def _need_approvals(work: UnitOfWork, happening: ModelActivating) -> None:
    await require_approved(work, happening.model, load_policy(work.access.folder))


def make_reactions(engine: Engine) -> Reactions:
    """What follows from what, in the same transaction."""

    async def reassign(work: UnitOfWork, happening: AccountsChanged) -> None:
        await reassign_accounts(work, engine, happening.account_ids)

    async def realign(work: UnitOfWork, happening: OpportunitiesChanged) -> None:
        await realign_opportunities(work, engine, happening.opportunity_ids)

    async def keep_field(work: UnitOfWork, happening: CustomFieldDeleting) -> None:
        if happening.object_type == "ACCOUNT":
            await refuse_field_in_use(work, happening.developer_name)
            await refuse_effort_field(work, happening.developer_name)

    async def forget_users(work: UnitOfWork, happening: UsersChanged) -> None:
        await note_users(work, happening.user_ids)

    return {
        AccountsChanged: [reassign],
        ModelActivating: [_need_approvals],
        OpportunitiesChanged: [realign],
        CustomFieldDeleting: [keep_field],
        TerritoriesDeleting: [release_deleted, unlink_deleted],
        UsersChanged: [forget_users],
        RatesChanged: [_reconvert],
        CalendarChanging: [refuse_calendar_in_use],
        StateChanged: [_carry_forecasts],
    }


@dataclass(frozen=True, slots=True)
class Engines:
    """What a process computes with."""

    engine: Engine
    reactions: Reactions


def make_engines() -> Engines:
    """The engines of one process."""
    engine = Engine(Copy(ACCOUNTS))
    return Engines(engine, make_reactions(engine))


@lru_cache(maxsize=2)
def make_cube(engine: Engine) -> ForecastCube:
    """The forecasts of one process, the same for requests and jobs."""
    return ForecastCube(Copy(DEALS), engine)


def make_worker(
    database: Database,
    writer: Writer,
    engine: Engine,
    *,
    lease_s: float,
    on_event: Callable[[int, int], None] = lambda _job, _seq: None,
) -> Worker:
    """The worker of one process, with every kind of job."""
    activation = ActivationJobs(writer, engine, PREFLIGHT, _principal)
    exports = ExportJobs(writer, engine, make_cube(engine))
    kinds = {**activation.kinds(), **CloneJobs(writer).kinds(), **exports.kinds()}
    return Worker(database, kinds, lease_s=lease_s, on_event=on_event)


Places = Mapping[Anchor, AnchorPlace]


async def _nodes(session: ReadSession, anchors: Collection[Anchor]) -> Mapping[int, Row[Any]]:
    rows = await territories.places_of(session, {anchor.id for anchor in anchors})
    return {row.id: row for row in rows}


async def _territory_places(session: ReadSession, anchors: Collection[Anchor]) -> Places:
    nodes = await _nodes(session, anchors)
    return {
        anchor: AnchorPlace(node.model_id, node.path, node.name, Kind.TERRITORY)
        for anchor in anchors
        if (node := nodes.get(anchor.id)) is not None
    }


async def _rule_places(session: ReadSession, anchors: Collection[Anchor]) -> Places:
    rows = {row.id: row for row in await rules.places_of(session, {anchor.id for anchor in anchors})}
    return {
        anchor: AnchorPlace(row.model_id, None, row.name, Kind.RULE)
        for anchor in anchors
        if (row := rows.get(anchor.id)) is not None
    }


async def _assignment_places(session: ReadSession, anchors: Collection[Anchor]) -> Places:
    nodes = await _nodes(session, anchors)
    names = await crm.account_names(session, {int(anchor.part) for anchor in anchors})
    return {
        anchor: AnchorPlace(node.model_id, node.path, f"{names[int(anchor.part)]} in {node.name}", Kind.ASSIGNMENT)
        for anchor in anchors
        if (node := nodes.get(anchor.id)) is not None and int(anchor.part) in names
    }


async def _forecast_places(session: ReadSession, anchors: Collection[Anchor]) -> Places:
    nodes = await _nodes(session, anchors)
    return {
        anchor: AnchorPlace(node.model_id, node.path, f"{node.name}, {period.key}", Kind.FORECAST)
        for anchor in anchors
        if (node := nodes.get(anchor.id)) is not None and (period := parse_period(anchor.part, 1)).key == anchor.part
    }


ANCHORS = AnchorRegistry(
    {
        AnchorKind.TERRITORY: _territory_places,
        AnchorKind.RULE: _rule_places,
        AnchorKind.ASSIGNMENT: _assignment_places,
        AnchorKind.FORECAST_CELL: _forecast_places,
    }
)
"""What threads can hang on, beside models and their changes."""


PREFLIGHT = Preflight.load(default_policy_folder(), CHECKS)
"""What is looked at before an activation; features that have more to look at add their checks here."""


DOWNLOADS: Mapping[str, Maker] = {"comparison": export_comparison}
"""What can be downloaded at /download/<name>."""


class Background(Protocol):
    """What a process does beside answering."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""


def make_background(database: Database, writer: Writer, settings: Settings) -> Sequence[Background]:
    """What a process does beside answering: telling people, and sending webhooks."""
    every_s = settings.head_poll_s
    return [
        Teller(database, writer, every_s=every_s),
        Sender(
            database,
            every_s=every_s,
            timeout_s=settings.webhook_timeout_s,
            private_allowed=settings.webhook_private_allowed,
        ),
    ]


def extras(engine: Engine, worker: Worker) -> Mapping[type, Any]:
    """What resolvers ask their context for."""
    impacts = Impacts(Books(engine, Copy(OPPORTUNITIES)))
    return {
        Engine: engine,
        ForecastCube: make_cube(engine),
        Preflight: PREFLIGHT,
        Worker: worker,
        AnchorRegistry: ANCHORS,
        Impacts: impacts,
        Live: Live(impacts),
        RuleAudits: RuleAudits(engine),
        Board: Board(),
    }
