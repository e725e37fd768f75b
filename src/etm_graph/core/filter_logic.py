"""Filter logic such as `(1 AND 2) OR NOT 3`: parsed into a tree, never evaluated as code (docs/domain.md, "Rules" 1)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from etm_graph.core.errors import BadFilterLogic, Invalid

NESTING_MAX = 100
"""Deepest nesting of parentheses and NOT."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A criterion's number."""

    number: int


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    term: "Logic"


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    terms: tuple["Logic", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    terms: tuple["Logic", ...]


Logic = Ref | Not | And | Or

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+)|(?P<word>[A-Za-z]+)|(?P<mark>[()])|(?P<other>\S))")


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    position: int


def _wrong(message: str, position: int) -> BadFilterLogic:
    return BadFilterLogic(f"{message} (character {position}).", details={"position": position})


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while found := _TOKEN.match(text, place):
        token = _Token(found[found.lastgroup or 0].upper(), found.start(found.lastgroup or 0) + 1)
        known = found.lastgroup in {"number", "mark"} or token.text in {"AND", "OR", "NOT"}
        if not known:
            raise _wrong(f"{token.text!r} is not expected: use numbers, AND, OR, NOT and parentheses", token.position)
        yield token
        place = found.end()


class _Parser:
    def __init__(self, text: str, numbers: Sequence[int]) -> None:
        self._tokens = [*_tokens(text), _Token("", len(text) + 1)]
        self._place = 0
        self._numbers = frozenset(numbers)
        self.used: set[int] = set()

    def parse(self) -> Logic:
        logic = self._any(0)
        token = self._tokens[self._place]
        if token.text:
            raise _wrong(f"{token.text!r} is not expected here", token.position)
        return logic

    def _take(self, word: str) -> bool:
        if self._tokens[self._place].text == word:
            self._place += 1
            return True
        return False

    def _any(self, depth: int) -> Logic:
        terms = [self._all(depth)]
        while self._take("OR"):
            terms.append(self._all(depth))
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _all(self, depth: int) -> Logic:
        terms = [self._term(depth)]
        while self._take("AND"):
            terms.append(self._term(depth))
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _term(self, depth: int) -> Logic:
        token = self._tokens[self._place]
        if depth > NESTING_MAX:
            raise _wrong(f"Filter logic nests at most {NESTING_MAX} deep", token.position)
        if self._take("NOT"):
            return Not(self._term(depth + 1))
        if self._take("("):
            inner = self._any(depth + 1)
            if not self._take(")"):
                raise _wrong("A closing parenthesis is missing", self._tokens[self._place].position)
            return inner
        if not token.text.isdecimal():
            what = repr(token.text) if token.text else "the end"
            raise _wrong(f"A criterion's number, NOT or ( is expected instead of {what}", token.position)
        self._place += 1
        number = int(token.text)
        if number not in self._numbers:
            raise _wrong(f"There is no criterion {number}", token.position)
        self.used.add(number)
        return Ref(number)


def parse(text: str | None, numbers: Sequence[int]) -> Logic:
    """The tree of a filter logic over the criteria with these numbers; none or blank means all of them.

    Raises `BadFilterLogic` with the character, also when a number is not used, and `Invalid` without criteria.
    """
    if not numbers:
        raise Invalid("A rule needs at least one criterion.", field=["criteria"])
    if text is None or not text.strip():
        return And(tuple(Ref(number) for number in numbers)) if len(numbers) > 1 else Ref(numbers[0])
    parser = _Parser(text, numbers)
    logic = parser.parse()
    unused = sorted(set(numbers) - parser.used)
    if unused:
        listed = ", ".join(str(number) for number in unused)
        raise _wrong(f"The filter logic does not use criterion {listed}", len(text) + 1)
    return logic


def evaluate(logic: Logic, truth: Mapping[int, bool]) -> bool:
    """What the logic says when the criteria are so."""
    match logic:
        case Ref(number):
            return truth[number]
        case Not(term):
            return not evaluate(term, truth)
        case And(terms):
            return all(evaluate(term, truth) for term in terms)
        case Or(terms):
            return any(evaluate(term, truth) for term in terms)


def render(logic: Logic) -> str:
    """Text that parses to the same tree."""
    match logic:
        case Ref(number):
            return str(number)
        case Not(term):
            return f"NOT {_bracketed(term)}"
        case And(terms):
            return " AND ".join(_bracketed(term) for term in terms)
        case Or(terms):
            return " OR ".join(_bracketed(term) for term in terms)


def _bracketed(logic: Logic) -> str:
    return render(logic) if isinstance(logic, Ref | Not) else f"({render(logic)})"
