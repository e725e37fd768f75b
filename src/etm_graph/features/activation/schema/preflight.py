"""The GraphQL of pre-flight: what an activation would mean, before it is asked for."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Optional, Self

import strawberry

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import EntityType
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.features.activation.service.dropping import Dropped
from etm_graph.features.activation.service.preflight import Examination, Finding, Preflight, Severity, Subject
from etm_graph.features.alignment.service import Engine
from etm_graph.features.crm.schema.types import Account, load_accounts
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.extending import extend
from etm_graph.graphql.scalars import BigInt

SHOWN_MAX = 200
"""Most subjects of a finding, and most things that would be dropped, in one answer."""


ACTIVATABLE = frozenset({ModelState.PLANNING, ModelState.ACTIVATING_FAILED})
"""States from which a model can be activated."""


class FindingSeverity(StrEnum):
    """What a finding means for an activation; those that policy switches off are not told."""

    BLOCKER = "BLOCKER"
    WARNING = "WARNING"


describe(
    FindingSeverity,
    "What it means for an activation when a check finds something.",
    {"BLOCKER": "The activation is refused.", "WARNING": "The activation goes on."},
)


@strawberry.type(description="One thing that a pre-flight check found.")
class PreflightSubject:
    """A subject of a finding."""

    territory_key: strawberry.Private[int | None]
    account_key: strawberry.Private[int | None]
    key: str = strawberry.field(description="Its name that survives cloning.")
    label: str = strawberry.field(description="Its name for people, or what is wrong with it.")
    territory: Territory | None = batched(
        lambda found, context: load_territories([item.territory_key for item in found], context),
        description="The territory, when it is one.",
    )
    account: Account | None = batched(
        lambda found, context: load_accounts([item.account_key for item in found], context),
        description="The account, when it is one that you may read.",
    )

    @classmethod
    def of(cls, subject: Subject) -> Self:
        """The GraphQL form."""
        return cls(
            key=subject.key, label=subject.label, territory_key=subject.territory_id, account_key=subject.account_id
        )


@strawberry.type(description="A pre-flight check and what it found.")
class PreflightCheck:
    """A finding, as its reader may see it."""

    found: strawberry.Private[Sequence[Subject]]
    code: str = strawberry.field(description="Which check it is; stable, for programs.")
    severity: FindingSeverity = strawberry.field(description="What it means for an activation when it finds something.")
    meaning: str = strawberry.field(description="What it is that was found.")
    count: int = strawberry.field(description="How many it found that you may read; 0 when all is well.")

    @strawberry.field(description="What it found, in order.")
    def subjects(
        self,
        first: Annotated[int, strawberry.argument(description=f"How many from the start, at most {SHOWN_MAX}.")] = 50,
    ) -> list[PreflightSubject]:
        """The first subjects."""
        return [PreflightSubject.of(subject) for subject in self.found[: max(0, min(first, SHOWN_MAX))]]


@strawberry.type(description="Something of the active model that a draft does not know of.")
class DroppedChange:
    """Something that would be dropped."""

    key: str = strawberry.field(description="What `acknowledgeDropped` names.")
    entity_type: EntityType = strawberry.field(description="What it is about.")
    change: str = strawberry.field(description="ADDED, REMOVED, or the fields that were changed, joined by commas.")

    @classmethod
    def of(cls, dropped: Dropped) -> Self:
        """The GraphQL form."""
        item = dropped.difference
        change = "ADDED" if item.before is None else "REMOVED" if item.after is None else ", ".join(item.fields)
        return cls(key=dropped.key, entity_type=item.entity_type, change=change)


@strawberry.type(description="What an activation of a model would meet, at this moment.")
@needs(Act.READ, Kind.MODEL)
class PreflightReport:
    """An examination, as its reader may see it."""

    active_key: strawberry.Private[int | None]
    dropped_all: strawberry.Private[Sequence[Dropped]]
    structure_head: BigInt = strawberry.field(description="The structure that was examined; activation names it.")
    is_blocked: bool = strawberry.field(description="Whether something would refuse the activation.")
    checks: list[PreflightCheck] = strawberry.field(description="Every check that policy does not switch off.")
    dropped_count: int = strawberry.field(description="How many changes of the active model would be dropped.")
    active_model: TerritoryModel | None = batched(
        lambda reports, context: load_models([report.active_key for report in reports], context),
        description="The active model, which it would replace; null when there is none that you may read.",
    )

    @strawberry.field(
        description="Changes of the active model that the draft does not know of: made since it was cloned, or, if it is no "
        "clone of it, its territories without a namesake."
    )
    def dropped(
        self,
        first: Annotated[int, strawberry.argument(description="How many from the start, at most 10000.")] = 200,
    ) -> list[DroppedChange]:
        """What would be dropped."""
        return [DroppedChange.of(item) for item in self.dropped_all[: max(0, min(first, 10_000))]]


def report_of(context: Context, examination: Examination, model: TerritoryModel) -> PreflightReport:
    """What a reader may see of an examination."""

    def reads(path: str | None) -> bool:
        return path is None or context.viewer.may(
            Act.READ, Kind.TERRITORY, state=GROUP_OF[model.model_state], model_id=model.key, path=path
        )

    def told(finding: Finding) -> PreflightCheck:
        found = [subject for subject in finding.subjects if reads(subject.path)]
        severity = FindingSeverity.BLOCKER if finding.severity is Severity.BLOCKER else FindingSeverity.WARNING
        return PreflightCheck(
            found=found, code=finding.check.code, severity=severity, meaning=finding.check.meaning, count=len(found)
        )

    dropped = [item for item in examination.dropped if reads(item.path)]
    return PreflightReport(
        active_key=examination.active_id,
        dropped_all=dropped,
        structure_head=BigInt(examination.structure_head),
        is_blocked=bool(examination.blockers),
        checks=[told(finding) for finding in examination.findings],
        dropped_count=len(dropped),
    )


async def examine(context: Context, model_id: int, state: ModelState) -> Examination:
    """Examine a model in the operation's snapshot."""
    services = context.services
    return await services.get(Preflight).examine(await context.session(), services.get(Engine), model_id, state)


async def _reports(models: Sequence[TerritoryModel], context: Context) -> list[PreflightReport | None]:
    return [
        report_of(context, await examine(context, model.key, model.model_state), model)
        if model.model_state in ACTIVATABLE
        else None
        for model in models
    ]


extend(
    TerritoryModel,
    "preflight",
    Optional[PreflightReport],
    batched(
        _reports,
        description="What its activation would meet now; null for a model that cannot be activated.",
    ),
)
