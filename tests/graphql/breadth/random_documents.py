"""Random valid documents for a random schema."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.graphql.breadth.random_worlds import LEAVES, Spec


@dataclass
class Document:
    text: str
    variables: dict[str, Any]


@dataclass
class Writer:
    spec: Spec
    random: Random
    fragments: list[tuple[str, str]] = field(default_factory=list)
    budget: int = 40

    def document(self) -> Document:
        operation = self.random.choice(["query", "query", "query", "mutation"])
        for number in range(self.random.randint(0, 3)):
            on = self.random.choice([*self.spec.objects, *self.spec.interfaces])
            body = self.selection(on, 2)
            self.fragments.append((f"F{number}", f"fragment F{number} on {on} {body}"))
        body = self.selection(operation.title(), 4, least=4)
        declared = "($v0: Int, $v1: Int = 4, $v2: Int!, $c0: Boolean!, $c1: Boolean! = true, $bag: Bag)"
        text = "\n".join([f"{operation} Q{declared} {body}", *(text for _, text in self.fragments)])
        variables: dict[str, Any] = {"v2": self.random.randint(0, 3), "c0": self.random.random() < 0.5}
        if self.random.random() < 0.5:
            variables["v0"] = self.random.choice([None, 0, 2])
        if self.random.random() < 0.5:
            variables["c1"] = False
        if self.random.random() < 0.3:
            variables["bag"] = {"b": 1}
        return Document(text, variables)

    def selection(self, on: str, depth: int, least: int = 1) -> str:
        parts = [self.part(on, depth) for _ in range(self.random.randint(least, 5))]
        return "{ " + " ".join(parts) + " }"

    def part(self, on: str, depth: int) -> str:
        luck = self.random.random()
        if luck < 0.08 or (on in self.spec.unions and luck < 0.3):
            return "__typename"
        if luck < 0.2 or on in self.spec.unions:
            return self.fragment(on, depth)
        names = self.names(on)
        candidates = [name for name in names if depth > 0 or self.spec.fields[name].named in LEAVES]
        if not candidates or self.budget <= 0:
            return "__typename"
        self.budget -= 1
        return self.field(self.random.choice(candidates), depth)

    def names(self, on: str) -> list[str]:
        if on in {"Query", "Mutation"}:
            return list(self.spec.fields)
        return self.spec.objects.get(on) or self.spec.interfaces[on][0]

    def field(self, name: str, depth: int) -> str:
        spec = self.spec.fields[name]
        alias, arguments = "", ""
        if spec.arguments and self.random.random() < 0.6:
            key, arguments = self.random.choice(
                [
                    ("n2", "(n: 2)"),
                    ("v0", "(n: $v0)"),
                    ("v1", "(n: $v1, must: $v2)"),
                    ("bag", "(bag: {b: 2})"),
                    ("bagv", "(bag: $bag)"),
                    ("bagn", "(bag: {a: $v0}, n: null)"),
                ]
            )
            alias = f"{name}_{key}: "
        elif self.random.random() < 0.1:
            alias = f"other_{name}: "
        body = "" if spec.named in LEAVES else " " + self.selection(spec.named, depth - 1)
        return f"{alias}{name}{arguments}{self.condition()}{body}"

    def fragment(self, on: str, depth: int) -> str:
        if self.random.random() < 0.4 and self.fragments:
            fitting = [name for name, text in self.fragments if self.overlap(on, text.split()[3])]
            if fitting:
                return f"...{self.random.choice(fitting)}{self.condition()}"
        fitting = [name for name in [*self.spec.objects, *self.spec.interfaces] if self.overlap(on, name)]
        if not fitting or (on not in self.spec.unions and self.random.random() < 0.3):
            return f"...{self.condition()} {self.selection(on, depth)}"
        chosen = self.random.choice(fitting)
        return f"... on {chosen}{self.condition()} {self.selection(chosen, depth)}"

    def overlap(self, one: str, other: str) -> bool:
        def possible(name: str) -> set[str]:
            return set(self.spec.members.get(name, [name]))

        return bool(possible(one) & possible(other))

    def condition(self) -> str:
        if self.random.random() < 0.9:
            return ""
        return " " + self.random.choice(
            ["@include(if: $c0)", "@skip(if: $c0)", "@include(if: $c1)", "@skip(if: false)", "@include(if: false)",
             "@skip(if: $c0) @include(if: $c1)"]
        )  # fmt: skip
