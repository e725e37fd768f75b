"""Use cases of reviews and challenges."""

from etm_graph.features.reviews.service.challenges import (
    Effect,
    accept_challenge,
    decline_challenge,
    effects_on,
    file_challenge,
)
from etm_graph.features.reviews.service.reviews import (
    Verdict,
    close_review,
    decide_review,
    request_review,
    require_approved,
)

__all__ = [
    "Effect",
    "Verdict",
    "accept_challenge",
    "close_review",
    "decide_review",
    "decline_challenge",
    "effects_on",
    "file_challenge",
    "request_review",
    "require_approved",
]
