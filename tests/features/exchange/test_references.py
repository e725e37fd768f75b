"""Which rows of a file cannot be put below what they name."""

from time import process_time

from hypothesis import given
from hypothesis import strategies as st

from etm_graph.features.exchange.service.references import unlinked

KEYS = st.sampled_from("ABCDEF")
LINKS = st.dictionaries(KEYS, st.none() | KEYS)


def reference(links: dict[str, str | None], there: dict[str, str | None], known: frozenset[str]) -> set[str]:
    """Refuse every row whose way up meets itself or something unknown, until nothing more is refused."""
    left = dict(links)
    while True:
        above = {**there, **left}
        bad = set()
        for key, wanted in left.items():
            if wanted is not None and wanted not in left and wanted not in known:
                bad.add(key)
            here, steps = wanted, 0
            while here is not None and here != key and steps < 20:
                here, steps = above.get(here), steps + 1
            if here == key:
                bad.add(key)
        if not bad:
            return set(links) - set(left)
        left = {key: wanted for key, wanted in left.items() if key not in bad}


@given(LINKS, LINKS, st.frozensets(KEYS))
def test_the_same_rows_are_refused_as_by_walking_up_from_each(
    links: dict[str, str | None], there: dict[str, str | None], known: frozenset[str]
) -> None:
    stored = {key: above for key, above in there.items() if key in known}
    assert set(unlinked(links, stored, known)) == reference(links, stored, known)


def test_a_hundred_thousand_links_are_checked_in_linear_time() -> None:
    links: dict[str, str | None] = {f"A-{number}": f"A-{number // 2}" for number in range(1, 100_000)}
    links["A-0"] = None
    began = process_time()
    assert unlinked(links, {}, frozenset()) == {}
    assert process_time() - began < 5
