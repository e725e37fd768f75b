"""Stream cursors."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.errors import ResyncNeeded
from etm_graph.events.cursors import decode_cursor, encode_cursor

EPOCH, OTHER = UUID(int=1), UUID(int=2)
numbers = st.integers(0, 2**63 - 1)


@given(numbers, numbers)
def test_a_cursor_gives_back_its_number(stream_id: int, seq: int) -> None:
    assert decode_cursor(EPOCH, stream_id, encode_cursor(EPOCH, stream_id, seq)) == seq


@given(numbers, st.data())
def test_an_altered_cursor_is_recognised(seq: int, data: st.DataObject) -> None:
    cursor = encode_cursor(EPOCH, 7, seq)
    place = data.draw(st.integers(0, len(cursor) - 2))
    char = data.draw(st.sampled_from("ABCDEFabcdef0123456789-_"))
    altered = cursor[:place] + char + cursor[place + 1 :]
    if altered != cursor:
        with pytest.raises(ResyncNeeded):
            decode_cursor(EPOCH, 7, altered)


@pytest.mark.parametrize("cursor", ["", "x", "é", encode_cursor(OTHER, 7, 1), encode_cursor(EPOCH, 8, 1)])
def test_a_cursor_of_another_epoch_or_stream_or_none_is_refused(cursor: str) -> None:
    with pytest.raises(ResyncNeeded):
        decode_cursor(EPOCH, 7, cursor)
