"""Reading inputs whose fields may be left out."""

import strawberry


def given(source: object, *names: str) -> dict[str, object]:
    """The named fields of an input that the caller set, null included."""
    return {name: value for name in names if (value := getattr(source, name)) is not strawberry.UNSET}
