"""Mutations: one unit of work each, expected failures as `userErrors`, repetition made safe by a key."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

import orjson
import strawberry
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from etm_graph.core.errors import BusinessError, ErrorCode, FieldConflict, IdempotencyMismatch, Invalid
from etm_graph.events.tables import idempotency
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.graphql.context import Context
from etm_graph.graphql.enums import describe

KEY_CHARACTERS_MAX = 200

describe(
    ErrorCode,
    "What kind of failure it was; stable, for programs.",
    {
        "UNAUTHENTICATED": "No or no valid credentials.",
        "FORBIDDEN": "You may see the object but not do this to it.",
        "LIMIT_EXCEEDED": "A limit was passed; the message names it and its value.",
        "RATE_LIMITED": "Your budget is used up; come back after `retryAfter` seconds.",
        "TIMEOUT": "The operation took too long and was cancelled.",
        "DOCUMENT_NOT_FOUND": "No trusted document has that id.",
        "DOCUMENT_REQUIRED": "Only trusted documents run here.",
        "DOCUMENTS_OFF": "No trusted documents are kept here.",
        "BAD_CURSOR": "A page cursor that was not issued for this list.",
        "RESYNC_REQUIRED": "A stream cursor that cannot be resumed.",
        "NOT_FOUND": "Nothing with that id that you may read.",
        "INVALID": "A value is not acceptable.",
        "TAKEN": "A name that must be unique is in use.",
        "IN_USE": "It cannot be deleted because something refers to it.",
        "CYCLE": "The move would make a territory its own ancestor.",
        "BAD_FILTER_LOGIC": "Filter logic that does not parse; the message names the character.",
        "CONFLICT": "Somebody else changed it since you read it.",
        "WRONG_STATE": "The model's state does not allow it.",
        "BLOCKED": "A pre-flight check stands in the way; `preflight` of the model says which.",
        "BUSY": "Somebody else holds the lock; try again.",
        "IDEMPOTENCY_MISMATCH": "The idempotency key was used with another input.",
    },
)


@strawberry.type(description="A field that somebody else changed since you read it.")
class Conflicting:
    """One field of a conflict."""

    field: str = strawberry.field(description="The field's name.")
    base: str | None = strawberry.field(description="Its value at your `expectedVersion`, as JSON.")
    theirs: str | None = strawberry.field(description="Its value now, as JSON.")
    yours: str | None = strawberry.field(description="The value that you sent, as JSON.")


@strawberry.type(description="Why a mutation was refused; nothing was changed.")
class UserError:
    """An expected failure."""

    field: list[str] = strawberry.field(
        description="Path into the input that caused it; empty when no single field did."
    )
    message: str = strawberry.field(description="What happened and what to do about it.")
    code: ErrorCode = strawberry.field(description="What kind of failure it was.")
    conflicts: list[Conflicting] = strawberry.field(description="With CONFLICT: the fields, their values and yours.")


def _text(value: object) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()


def user_error(error: BusinessError) -> UserError:
    """The GraphQL form of a business error."""
    found = error.details.get("conflicts", ())
    conflicts = [item for item in found if isinstance(item, FieldConflict)] if isinstance(found, list | tuple) else []
    return UserError(
        field=list(error.field),
        message=error.message,
        code=error.code,
        conflicts=[
            Conflicting(field=item.field, base=_text(item.base), theirs=_text(item.theirs), yours=_text(item.yours))
            for item in conflicts
        ],
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a mutation did.

    result: what the use case returned (ids), None when it was refused. changes: (stream, number) of what it recorded.
    """

    result: Any = None
    changes: Sequence[tuple[int, int]] = ()
    errors: list[UserError] = field(default_factory=list)


def _fingerprint(given: object) -> str:
    def plain(value: object) -> object:
        if value is strawberry.UNSET:
            return "<unset>"
        if isinstance(value, StrEnum):
            return value.value
        return str(value)

    return sha256(orjson.dumps(given, default=plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def mutate(
    context: Context,
    given: Any,  # noqa: ANN401 - any input type
    use_case: Callable[[UnitOfWork], Awaitable[Any]],
    *,
    message: str | None = None,
) -> Outcome:
    """Run a use case in one unit of work.

    given: the mutation's input; its `idempotency_key`, when it has one, makes a repetition give the first answer again.
    Business errors come back in the outcome; everything else is raised. The operation's snapshot is renewed.
    """
    key: str | None = getattr(given, "idempotency_key", None)
    try:
        async with context.services.writer.unit_of_work(context.principal, message=message) as work:
            outcome = await _once(work, key, given, use_case)
    except BusinessError as error:
        outcome = Outcome(errors=[user_error(error)])
    await context.release()
    return outcome


async def _once(
    work: UnitOfWork,
    key: str | None,
    given: Any,  # noqa: ANN401 - any input type
    use_case: Callable[[UnitOfWork], Awaitable[Any]],
) -> Outcome:
    if key is None:
        return Outcome(await use_case(work), work.touched)
    if not 0 < len(key) <= KEY_CHARACTERS_MAX:
        raise Invalid(f"An idempotency key has 1 to {KEY_CHARACTERS_MAX} characters.", field=["idempotencyKey"])
    fingerprint = _fingerprint([type(given).__name__, given])
    claim = insert(idempotency).values(
        user_id=work.principal.user_id, key=key, input_hash=fingerprint, reply={}, at=work.now
    )
    claimed = await work.session.execute(claim.on_conflict_do_nothing())
    where = (idempotency.c.user_id == work.principal.user_id) & (idempotency.c.key == key)
    if claimed.rowcount == 0:
        first = await work.session.row(select(idempotency.c.input_hash, idempotency.c.reply).where(where))
        if first is None or first.input_hash != fingerprint:
            raise IdempotencyMismatch("This idempotency key was used with another input.", field=["idempotencyKey"])
        return Outcome(first.reply["result"], [(stream, seq) for stream, seq in first.reply["changes"]])
    result = await use_case(work)
    reply = {"result": result, "changes": work.touched}
    await work.session.execute(idempotency.update().where(where).values(reply=reply))
    return Outcome(result, work.touched)
