"""Opaque cursors of a stream.

A cursor is a stream's id, a sequence number and a code that only somebody who knows the stream's epoch can make. So an
altered cursor, one of another stream and one from before a restored back-up are all recognised, and nothing has to be
configured or shared between processes beside the database.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from uuid import UUID

from etm_graph.core.errors import ResyncNeeded

_CODE_BYTES = 9
_NUMBER_BYTES = 8


def _code(epoch: UUID, payload: bytes) -> bytes:
    return blake2b(payload, key=epoch.bytes, digest_size=_CODE_BYTES).digest()


def encode_cursor(epoch: UUID, stream_id: int, seq: int) -> str:
    """The cursor that stands just after change `seq` of a stream."""
    payload = stream_id.to_bytes(_NUMBER_BYTES) + seq.to_bytes(_NUMBER_BYTES)
    return urlsafe_b64encode(payload + _code(epoch, payload)).rstrip(b"=").decode()


def decode_cursor(epoch: UUID, stream_id: int, cursor: str) -> int:
    """The sequence number of a cursor; raises `ResyncNeeded` when it is not one of this stream and epoch."""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (ValueError, UnicodeEncodeError):
        raw = b""
    payload, code = raw[: 2 * _NUMBER_BYTES], raw[2 * _NUMBER_BYTES :]
    genuine = hmac.compare_digest(code, _code(epoch, payload))
    if not genuine or int.from_bytes(payload[:_NUMBER_BYTES]) != stream_id:
        raise ResyncNeeded("The cursor is not one of this stream as it is now; read a new snapshot and use its cursor.")
    return int.from_bytes(payload[_NUMBER_BYTES:])
