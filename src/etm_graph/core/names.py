"""Names that people and programs give to things."""

import re

from etm_graph.core.errors import Invalid

DEVELOPER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
NAME_CHARACTERS_MAX = 200


def check_developer_name(value: str, *, field: str = "developerName") -> str:
    """A developer name: unique in its scope and immutable. Raises `Invalid` with the rule."""
    if not DEVELOPER_NAME.fullmatch(value):
        raise Invalid(
            f"{value!r} is no developer name: a letter, then up to 79 letters, digits or underscores.", field=[field]
        )
    return value


def check_name(value: str, *, field: str = "name") -> str:
    """A name for people, trimmed. Raises `Invalid` when it is empty or too long."""
    trimmed = value.strip()
    if not 0 < len(trimmed) <= NAME_CHARACTERS_MAX:
        raise Invalid(f"A name has 1 to {NAME_CHARACTERS_MAX} characters.", field=[field])
    return trimmed
