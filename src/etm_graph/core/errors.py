"""Every expected failure, as one tree.

    ExpectedError               the caller can act on it; never an alarm
    ├── Refused                 belongs at the top of a GraphQL answer
    │   ├── Unauthenticated     UNAUTHENTICATED
    │   │   └── TooManyFailures UNAUTHENTICATED      too many failed sign-ins; says when to come back
    │   ├── Forbidden           FORBIDDEN
    │   ├── LimitExceeded       LIMIT_EXCEEDED       names the limit and its value
    │   ├── RateLimited         RATE_LIMITED         says when to come back
    │   ├── TimedOut            TIMEOUT              names the limit and its value
    │   ├── DocumentNotFound    DOCUMENT_NOT_FOUND
    │   ├── DocumentRequired    DOCUMENT_REQUIRED
    │   ├── DocumentsOff        DOCUMENTS_OFF
    │   ├── BadCursor           BAD_CURSOR
    │   └── ResyncNeeded        RESYNC_REQUIRED
    └── BusinessError           belongs to a mutation's `userErrors`
        ├── NotFound            NOT_FOUND            also for what the caller may not read
        ├── Invalid             INVALID              a field's value is not acceptable
        ├── Taken               TAKEN                a unique name is in use
        ├── InUse               IN_USE               says by what
        ├── Cycle               CYCLE
        ├── BadFilterLogic      BAD_FILTER_LOGIC     points at the character
        ├── Conflict            CONFLICT             base, theirs, yours, who and when
        ├── WrongState          WRONG_STATE          the model's state does not allow it
        ├── Blocked             BLOCKED              a pre-flight check stands in the way
        ├── Busy                BUSY                 somebody else holds the lock; try again
        └── IdempotencyMismatch IDEMPOTENCY_MISMATCH same key, another input

A fault (anything else that is raised) is masked for clients and logged with the request's id.
Each error says what happened and what to do about it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """The stable code of an expected failure."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    TIMEOUT = "TIMEOUT"
    DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
    DOCUMENT_REQUIRED = "DOCUMENT_REQUIRED"
    DOCUMENTS_OFF = "DOCUMENTS_OFF"
    BAD_CURSOR = "BAD_CURSOR"
    RESYNC_REQUIRED = "RESYNC_REQUIRED"
    NOT_FOUND = "NOT_FOUND"
    INVALID = "INVALID"
    TAKEN = "TAKEN"
    IN_USE = "IN_USE"
    CYCLE = "CYCLE"
    BAD_FILTER_LOGIC = "BAD_FILTER_LOGIC"
    CONFLICT = "CONFLICT"
    WRONG_STATE = "WRONG_STATE"
    BLOCKED = "BLOCKED"
    BUSY = "BUSY"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"


class ExpectedError(Exception):
    """Base of every failure that the caller can act on.

    message: what happened and what to do, for a person.
    field: the path into the input that caused it, empty where no single field did.
    details: further data for programs, JSON values only.
    """

    code: ClassVar[ErrorCode]

    def __init__(self, message: str, *, field: Sequence[str] = (), details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = tuple(field)
        self.details: Mapping[str, object] = dict(details or {})


class Refused(ExpectedError):
    """Authentication, authorisation or a limit: a top-level error."""


class Unauthenticated(Refused):
    """No or no valid credentials."""

    code = ErrorCode.UNAUTHENTICATED


class TooManyFailures(Unauthenticated):
    """Too many failed sign-ins from one address; `details["retryAfter"]` says in how many seconds to come back."""


class Forbidden(Refused):
    """The caller may see the object but not do this to it."""

    code = ErrorCode.FORBIDDEN


class LimitExceeded(Refused):
    """A limit was passed; the message names the limit, its value and what was asked."""

    code = ErrorCode.LIMIT_EXCEEDED


class RateLimited(Refused):
    """The caller has used up its budget; `details["retryAfter"]` is how many seconds to wait."""

    code = ErrorCode.RATE_LIMITED


class TimedOut(Refused):
    """The operation took too long and was cancelled, with its statements in the database."""

    code = ErrorCode.TIMEOUT


class DocumentNotFound(Refused):
    """No trusted document has that id."""

    code = ErrorCode.DOCUMENT_NOT_FOUND


class DocumentRequired(Refused):
    """Only trusted documents run, and this one came as text."""

    code = ErrorCode.DOCUMENT_REQUIRED


class DocumentsOff(Refused):
    """A document was asked for by id where none are kept."""

    code = ErrorCode.DOCUMENTS_OFF


class BadCursor(Refused):
    """A page cursor that this server did not issue for this list."""

    code = ErrorCode.BAD_CURSOR


class ResyncNeeded(Refused):
    """A stream cursor that cannot be resumed: read a new snapshot."""

    code = ErrorCode.RESYNC_REQUIRED


class BusinessError(ExpectedError):
    """A failure of the use case itself: an entry of `userErrors`."""


class NotFound(BusinessError):
    """Nothing with that id that the caller may read."""

    code = ErrorCode.NOT_FOUND


class Invalid(BusinessError):
    """A value of the input is not acceptable."""

    code = ErrorCode.INVALID


class Taken(BusinessError):
    """A name that must be unique is in use."""

    code = ErrorCode.TAKEN


class InUse(BusinessError):
    """It cannot be deleted because something refers to it."""

    code = ErrorCode.IN_USE


class Cycle(BusinessError):
    """The move would make a territory its own ancestor."""

    code = ErrorCode.CYCLE


class BadFilterLogic(BusinessError):
    """Filter logic that does not parse; `details["position"]` is the offending character, from 1."""

    code = ErrorCode.BAD_FILTER_LOGIC


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """One field changed by somebody else since the caller read it (docs/domain.md, "Streams, heads and versions")."""

    field: str
    base: object
    theirs: object
    yours: object


class Conflict(BusinessError):
    """The entity changed since `expectedVersion` in a field being set."""

    code = ErrorCode.CONFLICT


class WrongState(BusinessError):
    """The territory model's state does not allow the act."""

    code = ErrorCode.WRONG_STATE


class Blocked(BusinessError):
    """A pre-flight check that policy makes a blocker found something."""

    code = ErrorCode.BLOCKED


class Busy(BusinessError):
    """Another writer holds the lock; nothing was done, try again."""

    code = ErrorCode.BUSY


class IdempotencyMismatch(BusinessError):
    """The idempotency key was used before with another input."""

    code = ErrorCode.IDEMPOTENCY_MISMATCH
