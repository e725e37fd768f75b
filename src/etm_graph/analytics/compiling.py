"""From criteria to terms: what a criterion asks is answered for the distinct values of its field."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from etm_graph.analytics.arrays import Ints, Truths, runs
from etm_graph.analytics.preparing import SEPARATOR
from etm_graph.analytics.segments import Column, Segment
from etm_graph.analytics.terms import CircleTerm, CodedTerm, Term
from etm_graph.core.criteria import NEGATIVE, CompiledCriterion, DataType, Operator, PostalRange, Value, postal_shape

Stretch = tuple[int, int]
"""Places of values, the second exclusive."""

_CONTAINING = frozenset({Operator.CONTAINS, Operator.NOT_CONTAINS})
SEARCHED_ALONE_MAX = 8
"""Up to so many texts are looked for one by one, which is faster than all in one pass."""

HITS_ONE_BY_ONE_MAX = 50_000

_KEPT_MAX = 50_000
"""Terms that a segment remembers."""


def _plain(value: Value) -> Any:  # noqa: ANN401 - what the column holds
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return float(value)
    return value


def _equal(values: Sequence[Any], wanted: Value) -> Stretch:
    plain = _plain(wanted)
    low = bisect_left(values, plain)
    return low, low + (low < len(values) and values[low] == plain)


def _prefix(values: Sequence[Any], prefix: str) -> Stretch:
    low = bisect_left(values, prefix)
    return low, bisect_left(values, True, low, key=lambda value: not value.startswith(prefix))


def _part_above(values: Sequence[Any], bound: str) -> int:
    """The first place whose value, cut to the bound's length, is above the bound."""
    return bisect_left(values, True, key=lambda value: value[: len(bound)] > bound)


def _stretches(found: Iterable[Stretch]) -> tuple[Ints, Ints]:
    """Stretches ascending and apart from each other."""
    ends: list[list[int]] = []
    for low, high in sorted(stretch for stretch in found if stretch[0] < stretch[1]):
        if ends and low <= ends[-1][1]:
            ends[-1][1] = max(ends[-1][1], high)
        else:
            ends.append([low, high])
    pairs = np.array(ends, np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _of_format(column: Column, stretch: Stretch, bound: str) -> list[Stretch]:
    """The parts of a stretch whose postal codes begin in the format of the bound."""
    low, high = stretch
    if low >= high:
        return []
    alike = column.of_format(postal_shape(bound))[low:high]
    if alike.all():
        return [stretch]
    lows, highs = runs(alike)
    return [(low + first, low + last) for first, last in zip(lows.tolist(), highs.tolist(), strict=True)]


def _postal_range(column: Column, bounds: PostalRange) -> list[Stretch]:
    stretch = (bisect_left(column.ordered, bounds.low), _part_above(column.ordered, bounds.high))
    return _of_format(column, stretch, bounds.low)


def _any_equal(column: Column, criterion: CompiledCriterion) -> list[Stretch]:
    found: list[Stretch] = []
    for value in criterion.values:
        if isinstance(value, PostalRange):
            found += _postal_range(column, value)
        else:
            found.append(_equal(column.ordered, value))
    return found


def _ordered(column: Column, criterion: CompiledCriterion) -> list[Stretch]:
    values, bound = column.ordered, _plain(criterion.values[0])
    below, above = bisect_left(values, bound), bisect_right(values, bound)
    if criterion.data_type is DataType.POSTAL_CODE:
        above = _part_above(values, bound)
    stretch = {
        Operator.LESS: (0, below),
        Operator.LESS_OR_EQUAL: (0, above),
        Operator.GREATER: (above, len(values)),
        Operator.GREATER_OR_EQUAL: (below, len(values)),
    }[criterion.operator]
    return _of_format(column, stretch, bound) if criterion.data_type is DataType.POSTAL_CODE else [stretch]


def _between(column: Column, criterion: CompiledCriterion) -> list[Stretch]:
    if criterion.data_type is DataType.POSTAL_CODE:
        return _any_equal(column, criterion)
    low, high = (_plain(value) for value in criterion.values)
    return [(bisect_left(column.ordered, low), bisect_right(column.ordered, high))]


def _starts_with(column: Column, criterion: CompiledCriterion) -> list[Stretch]:
    return [_prefix(column.ordered, str(value)) for value in criterion.values]


def _where(truths: Truths) -> list[Stretch]:
    lows, highs = runs(truths)
    return list(zip(lows.tolist(), highs.tolist(), strict=True))


def _includes(column: Column, criterion: CompiledCriterion) -> list[Stretch]:
    wanted = [str(value) for value in criterion.values]
    held = column.values.str.split(SEPARATOR).to_frame("held")
    found = held.select(pl.col("held").list.eval(pl.element().is_in(wanted)).list.any())
    return _where(found["held"].to_numpy())


_POSITIVE: Mapping[Operator, Callable[[Column, CompiledCriterion], list[Stretch]]] = {
    Operator.EQUALS: _any_equal,
    Operator.NOT_EQUAL: _any_equal,
    Operator.IN: _any_equal,
    Operator.NOT_IN: _any_equal,
    Operator.STARTS_WITH: _starts_with,
    Operator.BETWEEN: _between,
    Operator.INCLUDES: _includes,
    Operator.EXCLUDES: _includes,
    Operator.LESS: _ordered,
    Operator.LESS_OR_EQUAL: _ordered,
    Operator.GREATER: _ordered,
    Operator.GREATER_OR_EQUAL: _ordered,
}
"""The places of the values that satisfy the positive form of each operator."""


def _coded(column: Column, found: Iterable[Stretch], *, negative: bool) -> CodedTerm:
    lows, highs = _stretches(found)
    term = CodedTerm(column, lows + 1, highs + 1)
    return term.opposite() if negative else term


def _circle(segment: Segment, criterion: CompiledCriterion) -> Term:
    places = segment.places
    if criterion.operator is Operator.IS_NULL:
        return CodedTerm(places.cells, np.zeros(1, np.int64), np.ones(1, np.int64))
    latitude, longitude, limit = (float(str(value)) for value in criterion.values)
    return CircleTerm(places, latitude, longitude, limit)


def _compile(segment: Segment, criterion: CompiledCriterion) -> Term:
    if criterion.data_type is DataType.LOCATION:
        return _circle(segment, criterion)
    column = segment.column(criterion.field)
    if criterion.operator is Operator.IS_NULL:
        return CodedTerm(column, np.zeros(1, np.int64), np.ones(1, np.int64))
    found = _POSITIVE[criterion.operator](column, criterion)
    return _coded(column, found, negative=criterion.operator in NEGATIVE)


def _search_together(column: Column, texts: list[str]) -> Mapping[str, Ints]:
    """One pass for all texts (Aho-Corasick), half of the values on each of two threads."""
    numbered = pl.LazyFrame({"place": np.arange(len(column.values)), "value": column.values})
    half = len(column.values) // 2 + 1
    parts = [numbered.slice(0, half), numbered.slice(half)]
    asked = pl.col("value").str.extract_many(texts, overlapping=True).alias("text")
    hits = pl.collect_all(
        [part.select("place", asked).filter(pl.col("text").list.len() > 0).explode("text").unique() for part in parts]
    )
    by_text = pl.concat(hits).partition_by("text", as_dict=True, include_key=False)
    return {str(key[0]): found["place"].to_numpy() for key, found in by_text.items()}


def _search_one(column: Column, text: str) -> Ints:
    """The places of the values that contain one text; one of very many hits is left to a scan of all values."""
    whole, starts, sought = column.joined, column.joined_starts, text.encode()
    hits: list[int] = []
    at = whole.find(sought)
    while at >= 0 and len(hits) < HITS_ONE_BY_ONE_MAX:
        hits.append(at)
        at = whole.find(sought, at + 1)
    if at < 0:
        return np.unique(np.searchsorted(starts, np.array(hits, np.int64), side="right") - 1)
    return np.flatnonzero(column.values.str.contains(text, literal=True).to_numpy())


def _search_texts(column: Column, texts: list[str]) -> Mapping[str, Ints]:
    """The places of the values that contain each text."""
    if len(texts) > SEARCHED_ALONE_MAX:
        return _search_together(column, texts)
    return {text: _search_one(column, text) for text in texts}


def _contain(segment: Segment, field: str, criteria: list[CompiledCriterion]) -> Iterable[Term]:
    column = segment.column(field)
    patterns = sorted({str(value) for criterion in criteria for value in criterion.values})
    places = _search_texts(column, patterns) if column.joined else {}
    for criterion in criteria:
        truths = np.zeros(len(column.values), np.bool_)
        for value in criterion.values:
            if str(value) in places:
                truths[places[str(value)]] = True
        yield _coded(column, _where(truths), negative=criterion.operator in NEGATIVE)


TermKey = tuple[str, Operator, tuple[Value, ...]]


def _key(criterion: CompiledCriterion) -> TermKey:
    return criterion.field, criterion.operator, criterion.values


def term_of(segment: Segment, criterion: CompiledCriterion) -> Term:
    """The rows of the segment that satisfy the criterion; remembered by the segment."""
    key = _key(criterion)
    if key not in segment.terms:
        compile_all(segment, [criterion])
    found: Term = segment.terms[key]
    return found


def compile_all(segment: Segment, criteria: Iterable[CompiledCriterion]) -> None:
    """Make the terms of all criteria at once; texts that are looked for inside values share one pass for each field."""
    terms = segment.terms
    if len(terms) > _KEPT_MAX:
        terms.clear()
    searching: dict[str, dict[TermKey, CompiledCriterion]] = {}
    for criterion in criteria:
        key = _key(criterion)
        if key in terms:
            continue
        if criterion.operator in _CONTAINING:
            searching.setdefault(criterion.field, {})[key] = criterion
        else:
            terms[key] = _compile(segment, criterion)
    for field, wanted in searching.items():
        terms.update(zip(wanted, _contain(segment, field, list(wanted.values())), strict=True))
