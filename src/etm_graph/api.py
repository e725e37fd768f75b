"""The GraphQL schema: which features make it up."""

from typing import Annotated

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types
from strawberry.types import Info
from strawberry.types.base import get_object_definition

import etm_graph.features.alignment.schema.statistics
import etm_graph.features.alignment.schema.types
import etm_graph.features.forecasts.schema.drilling
import etm_graph.features.forecasts.schema.telling
import etm_graph.features.forecasts.schema.types
import etm_graph.features.models.schema.history  # noqa: F401 - these add fields to lower features' types
from etm_graph.features.activation.schema.roots import ActivationMutation
from etm_graph.features.alignment.schema.explaining import ExplainingQuery
from etm_graph.features.alignment.schema.roots import AlignmentMutation
from etm_graph.features.balancing.schema import BalanceMutation, BalanceQuery
from etm_graph.features.comparisons.schema.live import ComparisonSubscription
from etm_graph.features.comparisons.schema.roots import ComparisonQuery
from etm_graph.features.crm.schema.organisation import OrganisationMutation
from etm_graph.features.crm.schema.roots import CrmMutation, CrmQuery
from etm_graph.features.crm.schema.types import load_accounts, load_custom_fields, load_opportunities, load_users
from etm_graph.features.editing.schema.rebasing import RebaseMutation
from etm_graph.features.editing.schema.roots import EditingMutation
from etm_graph.features.exchange.schema import ExportMutation
from etm_graph.features.forecasts.schema.calendar import CalendarQuery
from etm_graph.features.forecasts.schema.kinds import QuotaKindMutation, QuotaKindQuery, load_quota_kinds
from etm_graph.features.forecasts.schema.live import ForecastSubscription
from etm_graph.features.forecasts.schema.people import load_adjustments, load_quotas, load_submissions
from etm_graph.features.forecasts.schema.saying import SayingMutation
from etm_graph.features.governance.schema.audit import AuditMutation, AuditQuery
from etm_graph.features.governance.schema.explaining import ExplainQuery
from etm_graph.features.governance.schema.grants import GrantMutation, GrantQuery, load_grants
from etm_graph.features.governance.schema.keys import KeyMutation, KeyQuery
from etm_graph.features.models.schema.jobs import JobMutation, JobQuery, JobSubscription, load_jobs
from etm_graph.features.models.schema.roots import ModelMutation, ModelQuery, ModelSubscription
from etm_graph.features.models.schema.types import load_models, load_types
from etm_graph.features.notifications.schema.roots import (
    NotificationMutation,
    NotificationQuery,
    NotificationSubscription,
)
from etm_graph.features.notifications.schema.types import load_notifications
from etm_graph.features.presence.schema import PresenceMutation, PresenceSubscription
from etm_graph.features.reports.schema.running import ReportMutation, ReportQuery, load_reports
from etm_graph.features.reports.schema.weights import WeightsMutation, WeightsQuery, load_weights
from etm_graph.features.reviews.schema.roots import ReviewMutation, ReviewQuery
from etm_graph.features.rules.schema.roots import RuleMutation, RuleQuery
from etm_graph.features.rules.schema.types import load_rules
from etm_graph.features.scenarios.schema import ScenarioMutation
from etm_graph.features.territories.schema.roots import TerritoryMutation, TerritoryQuery
from etm_graph.features.territories.schema.types import load_memberships, load_territories
from etm_graph.features.threads.schema.roots import ThreadMutation, ThreadQuery, ThreadSubscription
from etm_graph.features.threads.schema.types import load_comments, load_threads
from etm_graph.graphql.context import BatchFunction, Context
from etm_graph.graphql.declaring import open_to_callers, require_declared
from etm_graph.graphql.ids import Node
from etm_graph.graphql.nodes import load_nodes
from etm_graph.graphql.scalars import SCALARS
from etm_graph.settings import Settings

LOADERS: dict[str, BatchFunction] = {
    "TerritoryModel": load_models,
    "TerritoryType": load_types,
    "Territory": load_territories,
    "TerritoryMembership": load_memberships,
    "AssignmentRule": load_rules,
    "Account": load_accounts,
    "Opportunity": load_opportunities,
    "CustomField": load_custom_fields,
    "Thread": load_threads,
    "Comment": load_comments,
    "Notification": load_notifications,
    "Job": load_jobs,
    "User": load_users,
    "RoleGrant": load_grants,
    "QuotaKind": load_quota_kinds,
    "Quota": load_quotas,
    "ForecastAdjustment": load_adjustments,
    "ForecastSubmission": load_submissions,
    "WorkloadWeights": load_weights,
    "SavedReport": load_reports,
}
"""How the objects behind global ids are fetched, by type name."""


@strawberry.type
class NodeQuery:
    """Relay's root fields."""

    @strawberry.field(description="One object by its global id; null when there is none that you may read.")
    @open_to_callers("every type decides for itself who may fetch it")
    async def node(
        self,
        info: Info[Context, None],
        id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")],
    ) -> Node | None:
        """One object."""
        return (await load_nodes(LOADERS, [id], info.context))[0]

    @strawberry.field(description="Objects by their global ids, in that order; null for those that you may not read.")
    @open_to_callers("every type decides for itself who may fetch it")
    async def nodes(
        self,
        info: Info[Context, None],
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Their global ids, at most 200.")],
    ) -> list[Node | None]:
        """Several objects."""
        return await load_nodes(LOADERS, ids, info.context)


Query = merge_types(
    "Query",
    (
        NodeQuery,
        CrmQuery,
        ModelQuery,
        TerritoryQuery,
        RuleQuery,
        ThreadQuery,
        ReviewQuery,
        NotificationQuery,
        ComparisonQuery,
        ExplainingQuery,
        JobQuery,
        GrantQuery,
        KeyQuery,
        AuditQuery,
        ExplainQuery,
        CalendarQuery,
        QuotaKindQuery,
        WeightsQuery,
        ReportQuery,
        BalanceQuery,
    ),
)
Mutation = merge_types(
    "Mutation",
    (
        CrmMutation,
        OrganisationMutation,
        QuotaKindMutation,
        SayingMutation,
        WeightsMutation,
        ReportMutation,
        ExportMutation,
        BalanceMutation,
        ModelMutation,
        TerritoryMutation,
        RuleMutation,
        AlignmentMutation,
        EditingMutation,
        RebaseMutation,
        PresenceMutation,
        ReviewMutation,
        NotificationMutation,
        ScenarioMutation,
        ActivationMutation,
        JobMutation,
        ThreadMutation,
        GrantMutation,
        KeyMutation,
        AuditMutation,
    ),
)
Subscription = merge_types(
    "Subscription",
    (
        ModelSubscription,
        PresenceSubscription,
        NotificationSubscription,
        ThreadSubscription,
        ForecastSubscription,
        ComparisonSubscription,
        JobSubscription,
    ),
)


def _describe_roots() -> None:
    """Say what the roots are, and of each mutation's one argument that its fields explain themselves."""
    texts = {
        Query: "What can be read.",
        Mutation: "What can be changed. Each takes one `input`; what it refuses is in its `userErrors`.",
        Subscription: "What can be followed live.",
    }
    for root, text in texts.items():
        get_object_definition(root, strict=True).description = text
    for field in get_object_definition(Mutation, strict=True).fields:
        for argument in field.arguments:
            argument.description = argument.description or "What to do, and with what."


_describe_roots()


def _build(*, sort: bool) -> strawberry.Schema:
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=StrawberryConfig(scalar_map=dict(SCALARS), sort_schema=sort),
    )
    return require_declared(schema)


def make_schema(settings: Settings) -> strawberry.Schema:  # noqa: ARG001 - every caller has them, fields may come to need them
    """The executable schema."""
    return _build(sort=False)


def print_schema() -> str:
    """The text of schema.graphql, sorted. A sorted schema is not executed: Strawberry cannot resolve unions in one."""
    return _build(sort=True).as_str() + "\n"
