"""Everything in the schema says which act on which kind it needs; a schema in which something does not is not served."""

from collections.abc import Sequence

import pytest
import strawberry
from graphql import GraphQLObjectType, get_named_type
from strawberry.types import Info

from etm_graph.api import make_schema
from etm_graph.core.access import Act, Kind
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import Need, Undeclared, declarations, needs, open_to_callers, require_declared
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import Node
from etm_graph.settings import Settings

SERVED = make_schema(Settings())
NO_MONEY = {
    "Account.latitude",
    "Account.longitude",
    "ExchangeRate.rate",
    "Opportunity.quantity",
    "WorkloadWeights.accounts",
    "WorkloadWeights.effort",
    "WorkloadWeights.pipeline",
    "WorkloadWeights.revenue",
}
"""Numbers with a fraction that tell no amount."""

OPEN = {
    "Mutation.challengeFile",
    "Mutation.notificationMarkRead",
    "Mutation.webhookCreate",
    "Mutation.webhookDelete",
    "Query.draftEffects",
    "Query.myChallenges",
    "Query.node",
    "Query.nodes",
    "Query.notifications",
    "Query.reportSubjects",
    "Query.unreadNotificationCount",
    "Query.viewer",
    "Query.webhooks",
    "Subscription.notifications",
}
"""Root fields that any caller may ask; the list grows only with a reason."""


def objects() -> Sequence[GraphQLObjectType]:
    kinds = SERVED._schema.type_map.items()
    return [kind for name, kind in kinds if isinstance(kind, GraphQLObjectType) and not name.startswith("__")]


def test_every_field_mutation_and_subscription_of_the_schema_is_declared_and_described() -> None:
    found = declarations(SERVED)
    assert found.missing == ()
    every = {f"{kind.name}.{name}" for kind in objects() for name in kind.fields}
    assert set(found.fields) == every
    assert [name for name, wanted in found.fields.items() if not wanted] == []
    assert [
        f"{kind.name}.{name}" for kind in objects() for name, item in kind.fields.items() if not item.description
    ] == []


def test_only_what_is_ones_own_is_open_to_every_caller() -> None:
    found = declarations(SERVED).fields
    opened = {name for name, wanted in found.items() if any(need.kind is None for need in wanted)}
    assert {name for name in opened if name.split(".")[0] in {"Query", "Mutation", "Subscription"}} == OPEN


def test_every_amount_is_declared_as_money() -> None:
    found = declarations(SERVED).fields
    numbers = {
        f"{kind.name}.{name}"
        for kind in objects()
        for name, item in kind.fields.items()
        if get_named_type(item.type).name in {"Decimal", "Float"}
    }
    told = {name for name in numbers if {need.act for need in found[name]} != {Act.READ_MONEY}}
    assert told == NO_MONEY


def test_a_plain_field_has_its_types_declaration_and_a_page_that_of_what_leads_to_it() -> None:
    found = declarations(SERVED).fields
    assert found["Territory.name"] == {Need(Act.READ, Kind.TERRITORY)}
    assert found["Mutation.territoryMove"] == {Need(Act.MOVE, Kind.TERRITORY)}
    assert Need(Act.READ, Kind.CRM) in found["AccountConnection.totalCount"]


@strawberry.type
class Shelf(Node):
    label: str = strawberry.field(description="Label.")


@strawberry.type
@needs(Act.READ, Kind.CRM)
class Book(Node):
    title: str = strawberry.field(description="Title.")


@strawberry.type
class Opened:
    @strawberry.field
    @open_to_callers("a test")
    def book(self, info: Info) -> Book | None:
        return None


def missing(query: type) -> str:
    with pytest.raises(Undeclared) as caught:
        require_declared(strawberry.Schema(query=query))
    return str(caught.value).split(": ", 1)[1].split(". Put", 1)[0]


def test_a_root_field_that_declares_nothing_is_not_served() -> None:
    @strawberry.type(name="Query")
    class Silent:
        @strawberry.field
        def book(self, info: Info) -> Book | None:
            return None

    assert missing(Silent) == "field Query.book"


def test_a_type_with_an_id_that_declares_nothing_is_not_served() -> None:
    @strawberry.type(name="Query")
    class Library(Opened):
        @strawberry.field
        @needs(Act.READ, Kind.CRM)
        def shelf(self, info: Info) -> Shelf | None:
            return None

    assert missing(Library) == "type Shelf"


def test_a_field_added_from_above_that_declares_nothing_is_not_served() -> None:
    @strawberry.type
    @needs(Act.READ, Kind.CRM)
    class Shop(Node):
        name: str = strawberry.field(description="Name.")

    async def silent(shops: Sequence[Shop], context: Context) -> list[int]:
        return [0 for _ in shops]

    extend(Shop, "income", int, batched(silent, description="Income."))

    @strawberry.type(name="Query")
    class Street(Opened):
        @strawberry.field
        @needs(Act.READ, Kind.CRM)
        def shop(self, info: Info) -> Shop | None:
            return None

    assert missing(Street) == "field Shop.income"
