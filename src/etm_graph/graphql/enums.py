"""Enums of the core as GraphQL enums, with a meaning for every value."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import strawberry


def describe(enum: type[Enum], description: str, meanings: Mapping[str, str], *, name: str | None = None) -> None:
    """Make a Python enum a GraphQL enum, so that it can annotate fields; every value must have a meaning."""
    described: Any = strawberry.enum(enum, name=name, description=description)
    values = described.__strawberry_definition__.values
    missing = {value.name for value in values} - set(meanings)
    if missing:
        raise ValueError(f"{enum.__name__}: no meaning for {', '.join(sorted(missing))}")
    for value in values:
        value.description = meanings[value.name]
