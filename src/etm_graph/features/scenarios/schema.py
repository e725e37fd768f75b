"""The GraphQL of clones."""

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.features.models.schema.roots import KEY_MEANING, TerritoryModelPayload, model_payload
from etm_graph.features.scenarios import service
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.mutations import mutate


@strawberry.input(description="A model to copy into a new draft.")
class TerritoryModelCloneInput:
    """Input of territoryModelClone."""

    id: strawberry.ID = strawberry.field(description="The model to copy: a draft, the active or an archived one.")
    developer_name: str = strawberry.field(description="Unique and immutable name of the draft.")
    name: str = strawberry.field(description="The draft's name for people.")
    description: str | None = strawberry.field(default=None, description="What the draft is for.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.type
class ScenarioMutation:
    """Root fields that make scenarios."""

    @strawberry.mutation(description="Copy a model with territories, members, rules and decisions into a new draft.")
    @needs(Act.CLONE, Kind.MODEL)
    async def territory_model_clone(
        self,
        info: Info[Context, None],
        input: TerritoryModelCloneInput,
    ) -> TerritoryModelPayload:
        """Clone a model."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.clone_model(
                work, decode_id(input.id, "TerritoryModel"), input.developer_name, input.name, input.description
            ),
        )
        return await model_payload(info.context, outcome)
