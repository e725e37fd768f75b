"""Keys of threads name their anchor."""

from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.anchors import Anchor, AnchorKind, hangs_on, thread_key

anchors = st.builds(Anchor, st.sampled_from(AnchorKind), st.integers(1, 10**12))


def test_a_thread_is_named_by_its_anchor_and_number() -> None:
    assert thread_key(Anchor(AnchorKind.TERRITORY, 12), 7) == "TERRITORY/12/7"


def test_a_comment_is_named_below_its_thread() -> None:
    assert thread_key(Anchor(AnchorKind.CHANGE, 3), 7, 90) == "CHANGE/3/7/90"


@given(anchors, anchors, st.integers(1, 10**12), st.none() | st.integers(1, 10**12))
def test_a_key_hangs_on_its_own_anchor_only(
    anchor: Anchor, other: Anchor, thread_id: int, comment_id: int | None
) -> None:
    key = thread_key(anchor, thread_id, comment_id)
    assert hangs_on(key, anchor)
    assert hangs_on(key, other) is (anchor == other)


def test_an_anchor_whose_number_begins_alike_is_another() -> None:
    key = thread_key(Anchor(AnchorKind.RULE, 12), 7)
    assert not hangs_on(key, Anchor(AnchorKind.RULE, 1))
