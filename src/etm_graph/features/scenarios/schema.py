"""The GraphQL of clones."""

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind, StateGroup
from etm_graph.core.errors import Invalid
from etm_graph.core.planting import BadRow
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models.schema.jobs import JobPayload, start_job
from etm_graph.features.models.schema.roots import KEY_MEANING, TerritoryModelPayload, model_payload
from etm_graph.features.scenarios import service
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_id, decode_optional_id
from etm_graph.graphql.mutations import mutate


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


@strawberry.input(description="A draft with one territory for each manager, reports as members.")
class TerritoryModelCreateFromHierarchyInput:
    """Input of territoryModelCreateFromHierarchy."""

    developer_name: str = strawberry.field(description="Unique and immutable name of the draft.")
    name: str = strawberry.field(description="The draft's name for people.")
    type_id: strawberry.ID = strawberry.field(description="The type that all territories get.")
    description: str | None = strawberry.field(default=None, description="What the draft is for.")
    top_user_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only this person and who reports to them, directly or not; all when left out."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="A draft out of a CSV text with a row for each territory.")
class TerritoryModelCreateFromCsvInput:
    """Input of territoryModelCreateFromCsv."""

    developer_name: str = strawberry.field(description="Unique and immutable name of the draft.")
    name: str = strawberry.field(description="The draft's name for people.")
    csv: str = strawberry.field(
        description="A header and at most 10000 rows: developerName, name, parent (a developerName of the file), type, "
        "description, forecastManager (a user name), members (user names parted by ;, each with : and a role if it has one)."
    )
    description: str | None = strawberry.field(default=None, description="What the draft is for.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.type(description="A row of a file that cannot be used.")
class RowError:
    """A bad row."""

    line: int = strawberry.field(description="Its line in the file; the header is line 1.")
    column: str | None = strawberry.field(description="The column that is wrong; null for the row as a whole.")
    reason: str = strawberry.field(description="What is wrong with it.")


@strawberry.type(description="The draft that a file made, or every row that stands in its way.")
class TerritoryModelCreateFromCsvPayload(TerritoryModelPayload):
    """Entity and change, or errors."""

    row_errors: list[RowError] = strawberry.field(description="Every bad row; when there is any, nothing was created.")


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

    @strawberry.mutation(
        description="Create a draft out of the users' management hierarchy: one territory for each manager, below that of "
        "the manager's own, with the manager as forecast manager and the reports as members."
    )
    @needs(Act.CREATE, Kind.MODEL)
    async def territory_model_create_from_hierarchy(
        self, info: Info[Context, None], input: TerritoryModelCreateFromHierarchyInput
    ) -> TerritoryModelPayload:
        """Create a draft of managers."""

        async def plant(work: UnitOfWork) -> int:
            top = decode_optional_id(input.top_user_id, "User", field="topUserId")
            type_id = decode_id(input.type_id, "TerritoryType", field="typeId")
            work.viewer.require(Act.CREATE, Kind.MODEL, state=StateGroup.PLANNING)
            planted = await service.read_hierarchy(work.session, type_id, top)
            return await service.plant_model(work, input.developer_name, input.name, input.description, planted)

        return await model_payload(info.context, await mutate(info.context, input, plant))

    @strawberry.mutation(
        description="Create a draft out of a table of territories: all of them, or none and every bad row with its reason."
    )
    @needs(Act.CREATE, Kind.MODEL)
    async def territory_model_create_from_csv(
        self, info: Info[Context, None], input: TerritoryModelCreateFromCsvInput
    ) -> TerritoryModelCreateFromCsvPayload:
        """Create a draft of rows."""
        bad: list[BadRow] = []

        async def plant(work: UnitOfWork) -> int:
            work.viewer.require(Act.CREATE, Kind.MODEL, state=StateGroup.PLANNING)
            planted, found = await service.read_table(work.session, input.csv)
            bad.extend(found)
            if bad or not planted:
                lines = len({row.line for row in bad})
                raise Invalid(
                    f"{lines} rows cannot be used; nothing was created." if bad else "There is no row.", field=["csv"]
                )
            return await service.plant_model(work, input.developer_name, input.name, input.description, planted)

        made = await model_payload(info.context, await mutate(info.context, input, plant))
        return TerritoryModelCreateFromCsvPayload(
            territory_model=made.territory_model,
            change=made.change,
            user_errors=made.user_errors,
            row_errors=[RowError(line=row.line, column=row.column, reason=row.reason) for row in bad],
        )
