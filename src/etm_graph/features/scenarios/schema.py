"""The GraphQL of clones."""

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.features.models.schema.jobs import JobPayload, start_job
from etm_graph.features.models.schema.roots import KEY_MEANING
from etm_graph.features.scenarios import service
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_id


@strawberry.input(description="What comes along with territories, rules, links and type priorities, which always do.")
class TerritoryModelCloneOptions:
    """Part of the input of territoryModelClone."""

    members: bool = strawberry.field(default=True, description="Members of territories and forecast managers.")
    manual_assignments: bool = strawberry.field(default=True, description="Accounts assigned by hand.")
    exclusions: bool = strawberry.field(default=True, description="Accounts kept out of territories.")
    open_threads: bool = strawberry.field(
        default=False, description="Threads that are not resolved, with their comments and who wrote them."
    )


@strawberry.input(description="A model to copy into a new draft.")
class TerritoryModelCloneInput:
    """Input of territoryModelClone."""

    id: strawberry.ID = strawberry.field(description="The model to copy: a draft, the active or an archived one.")
    developer_name: str = strawberry.field(description="Unique and immutable name of the draft.")
    name: str = strawberry.field(description="The draft's name for people.")
    description: str | None = strawberry.field(default=None, description="What the draft is for.")
    options: TerritoryModelCloneOptions | None = strawberry.field(
        default=None, description="What comes along; when left out all but threads."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.type
class ScenarioMutation:
    """Root fields that make scenarios."""

    @strawberry.mutation(
        description="Copy a model with territories, members, rules and decisions into a new draft. "
        "The draft is CLONING until it is whole; a small one is when this answers."
    )
    @needs(Act.CLONE, Kind.MODEL)
    async def territory_model_clone(
        self,
        info: Info[Context, None],
        input: TerritoryModelCloneInput,
    ) -> JobPayload:
        """Clone a model."""
        wanted = input.options or TerritoryModelCloneOptions()
        options = service.CloneOptions(
            wanted.members, wanted.manual_assignments, wanted.exclusions, wanted.open_threads
        )
        return await start_job(
            info.context,
            input,
            lambda work: service.request_clone(
                work,
                decode_id(input.id, "TerritoryModel"),
                input.developer_name,
                input.name,
                input.description,
                options,
            ),
            short=True,
        )
