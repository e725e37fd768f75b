"""Reading inputs whose fields may be left out."""

from collections.abc import Mapping
from enum import Enum

import strawberry


def given(source: object, *names: str) -> dict[str, object]:
    """The named fields of an input that the caller set, null included."""
    return {name: value for name in names if (value := getattr(source, name)) is not strawberry.UNSET}


def plain(values: Mapping[str, object]) -> dict[str, object]:
    """Values with enums as their texts, as use cases want them."""
    return {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}
