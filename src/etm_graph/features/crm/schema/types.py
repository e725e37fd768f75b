"""GraphQL types of the CRM."""

from collections.abc import Sequence
from typing import Any, Optional, Self

import strawberry
from sqlalchemy import Row

from etm_graph.features.crm import queries
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.ids import Node, encode_id
from etm_graph.graphql.scalars import BigInt


async def load_users(ids: Sequence[int | None], context: Context) -> "list[User | None]":
    """Users by id, None for unknown ones and for None."""
    found = await queries.users_by_id(await context.session(), {number for number in ids if number is not None})
    return [User.of(found[number]) if number in found else None for number in ids]


async def _managers(users: "Sequence[User]", context: Context) -> "list[User | None]":
    return await load_users([user.manager_key for user in users], context)


@strawberry.type(description="A person who signs in, owns records or is a member of territories.")
class User(Node):
    """A row of app_user."""

    key: strawberry.Private[int]
    manager_key: strawberry.Private[int | None]
    user_name: str = strawberry.field(description="The unique name to sign in with.")
    name: str = strawberry.field(description="The name for people.")
    email: str = strawberry.field(description="Where mail reaches the person.")
    time_zone: str = strawberry.field(description="IANA time zone.")
    locale: str = strawberry.field(description="BCP 47 language tag.")
    active: bool = strawberry.field(description="Whether the person works here now.")
    suspended: bool = strawberry.field(description="Whether everything is denied to the person.")
    version: BigInt = strawberry.field(description="Goes up with every change; send it as `expectedVersion`.")
    manager: Optional["User"] = batched(_managers, description="Whom the person reports to in the management hierarchy.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The user of a row."""
        return cls(
            id=encode_id("User", row.id),
            key=row.id,
            manager_key=row.manager_id,
            user_name=row.user_name,
            name=row.name,
            email=row.email,
            time_zone=row.time_zone,
            locale=row.locale,
            active=row.active,
            suspended=row.suspended,
            version=BigInt(row.version),
        )
