"""Anchors: what a thread hangs on (docs/domain.md, "Collaboration on drafts").

A feature that has things to hang threads on tells wiring.py how its kind is resolved, so that threads need not know it.
"""

from dataclasses import dataclass
from enum import StrEnum

from etm_graph.core.access import Kind


class AnchorKind(StrEnum):
    """What a thread hangs on."""

    MODEL = "MODEL"
    TERRITORY = "TERRITORY"
    RULE = "RULE"
    ASSIGNMENT = "ASSIGNMENT"
    FORECAST_CELL = "FORECAST_CELL"
    CHANGE = "CHANGE"


@dataclass(frozen=True, slots=True)
class Anchor:
    """One thing that threads hang on.

    id: the row's id; of a change its number in the model's stream, which is unique in the model only; of an assignment and
    of a forecast cell the territory's.
    part: what else names it: of an assignment the account's id, of a forecast cell the period's key; empty for others.
    """

    kind: AnchorKind
    id: int
    part: str = ""

    @property
    def name(self) -> str:
        """What stands for it in keys."""
        return f"{self.id}.{self.part}" if self.part else str(self.id)


@dataclass(frozen=True, slots=True)
class AnchorPlace:
    """Where an anchor is now.

    path: of the territory that it belongs to, None for the model as a whole; it decides who may read its threads.
    label: its name for people, kept by threads when the anchor is gone.
    kind: what one must be allowed to read in order to hang a thread on it.
    """

    model_id: int
    path: str | None
    label: str
    kind: Kind


def thread_key(anchor: Anchor, thread_id: int, comment_id: int | None = None) -> str:
    """The key of a thread's or comment's changes: KIND/anchor/thread or KIND/anchor/thread/comment."""
    parts = [anchor.kind.value, anchor.name, str(thread_id)]
    return "/".join(parts if comment_id is None else [*parts, str(comment_id)])


def hangs_on(key: str, anchor: Anchor) -> bool:
    """Whether a key made by `thread_key` is of a thread on this anchor."""
    return key.startswith(f"{anchor.kind.value}/{anchor.name}/")
