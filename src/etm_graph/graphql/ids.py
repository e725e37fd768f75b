"""Opaque global ids: a type's name and a row's number (Relay, "Global Object Identification")."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64

import strawberry

from etm_graph.core.errors import NotFound


def encode_id(type_name: str, number: int) -> strawberry.ID:
    """The global id of a row."""
    return strawberry.ID(b64encode(f"{type_name}:{number}".encode()).decode())


def split_id(global_id: str) -> tuple[str, int]:
    """The type's name and the row's number of a global id; raises `NotFound` when it is none."""
    try:
        type_name, _, number = b64decode(global_id, validate=True).decode().partition(":")
        return type_name, int(number)
    except (NotBase64, ValueError) as error:
        raise NotFound(f"There is nothing with the id {global_id!r}.") from error


def decode_id(global_id: str, type_name: str, *, field: str = "id") -> int:
    """The row's number of a global id of one type; raises `NotFound`, pointing at the input field, for any other."""
    try:
        actual, number = split_id(global_id)
    except NotFound as error:
        raise NotFound(error.message, field=[field]) from error
    if actual != type_name:
        raise NotFound(f"There is no {type_name} with the id {global_id!r}.", field=[field])
    return number


def decode_optional_id(global_id: str | None, type_name: str, *, field: str = "id") -> int | None:
    """Like `decode_id`; None stays None."""
    return None if global_id is None else decode_id(global_id, type_name, field=field)


@strawberry.interface(description="An object that can be fetched again by its id.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = strawberry.field(description="The object's global id, opaque and stable.")
