"""Reading reviews, decisions and challenges."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, select

from etm_graph.db.paging import Order
from etm_graph.db.sessions import ReadSession
from etm_graph.features.reviews.tables import challenge, review, review_decision

NEWEST_CHALLENGES = Order("challenges", (challenge.c.id,), descending=True)


async def reviews_of(session: ReadSession, model_ids: Collection[int]) -> Mapping[int, Sequence[Row[Any]]]:
    """The reviews of models, latest first, by model; whoever may read the models' reviews."""
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    statement = select(review).where(review.c.model_id.in_(model_ids)).order_by(review.c.id.desc())
    for row in await session.rows(statement):
        grouped[row.model_id].append(row)
    return grouped


async def review_by_id(session: ReadSession, review_id: int) -> Row[Any] | None:
    """A review, whoever asks."""
    return await session.row(select(review).where(review.c.id == review_id))


async def has_open_review(session: ReadSession, model_id: int) -> bool:
    """Whether a draft is in review."""
    statement = select(review.c.id).where(review.c.model_id == model_id, review.c.closed_at.is_(None))
    return await session.scalar(statement) is not None


async def decisions_of(session: ReadSession, review_ids: Collection[int]) -> Mapping[int, Sequence[Row[Any]]]:
    """The decisions of reviews, oldest first, by review."""
    columns = review_decision.c
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    statement = select(review_decision).where(columns.review_id.in_(review_ids)).order_by(columns.id)
    for row in await session.rows(statement):
        grouped[row.review_id].append(row)
    return grouped


async def latest_decisions(session: ReadSession, model_id: int) -> Sequence[Row[Any]]:
    """Everybody's latest word on a draft."""
    columns = review_decision.c
    latest = select(func.max(columns.id)).where(columns.model_id == model_id).group_by(columns.user_id)
    return await session.rows(select(review_decision).where(columns.id.in_(latest)).order_by(columns.user_id))


async def challenges_of(session: ReadSession, model_ids: Collection[int]) -> Mapping[int, Sequence[Row[Any]]]:
    """The challenges of models, latest first, by model."""
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    statement = select(challenge).where(challenge.c.model_id.in_(model_ids)).order_by(challenge.c.id.desc())
    for row in await session.rows(statement):
        grouped[row.model_id].append(row)
    return grouped


async def challenge_by_id(session: ReadSession, challenge_id: int) -> Row[Any] | None:
    """A challenge, whoever asks."""
    return await session.row(select(challenge).where(challenge.c.id == challenge_id))


async def challenges_by(session: ReadSession, user_id: int) -> Sequence[Row[Any]]:
    """The challenges that somebody filed, latest first."""
    return await session.rows(select(challenge).where(challenge.c.filed_by == user_id).order_by(challenge.c.id.desc()))
