"""Mentions: the people that a comment names with @, who must be able to read it; and who follows by taking part."""

from collections.abc import Collection

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from etm_graph.access.grants import load_grants_of
from etm_graph.core.access import ORGANISATION_PATH, Act, Grant, Kind
from etm_graph.core.errors import Invalid
from etm_graph.core.markup import MENTIONS_MAX, mentions
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import users_named
from etm_graph.features.models import service as models
from etm_graph.features.threads.tables import comment_mention, thread_follow


def may_read(
    work: UnitOfWork, model: models.ModelHead, user_id: int, grants: tuple[Grant, ...], path: str | None
) -> bool:
    """Whether somebody else may read what is said in a locked model at a path."""
    place = path or ORGANISATION_PATH
    return models.may_as(work, model, user_id, grants, Act.READ, Kind.MODEL, ORGANISATION_PATH) and models.may_as(
        work, model, user_id, grants, Act.READ, Kind.THREAD, place
    )


async def note_mentions(
    work: UnitOfWork, model: models.ModelHead, thread_id: int, comment_id: int, *, path: str | None, body: str, seq: int
) -> None:
    """Keep whom a comment mentions, who follow the thread from then on.

    Raises `Invalid` for a name that is nobody's who may read the thread: whether there is such a person is not told.
    """
    names = mentions(body)
    if len(names) > MENTIONS_MAX:
        raise Invalid(f"A comment mentions at most {MENTIONS_MAX} people; this one {len(names)}.", field=["body"])
    found = {row.user_name: row for row in await users_named(work.session, names)} if names else {}
    grants = await load_grants_of(work.session, [row.id for row in found.values()])
    unreachable = [
        name
        for name in names
        if name not in found
        or found[name].suspended
        or not found[name].active
        or not may_read(work, model, found[name].id, grants.get(found[name].id, ()), path)
    ]
    if unreachable:
        listed = ", ".join(f"@{name}" for name in unreachable)
        raise Invalid(f"{listed}: nobody of that name may read this thread; take the mention out.", field=["body"])
    user_ids = [found[name].id for name in names]
    columns = comment_mention.c
    await work.session.execute(
        delete(comment_mention).where(columns.comment_id == comment_id, columns.user_id.not_in(user_ids))
    )
    if user_ids:
        rows = [{"comment_id": comment_id, "user_id": user_id, "seq": seq} for user_id in user_ids]
        await work.session.execute(insert(comment_mention).on_conflict_do_nothing(), rows)
        await follow_by_taking_part(work, thread_id, user_ids)


async def follow_by_taking_part(work: UnitOfWork, thread_id: int, user_ids: Collection[int]) -> None:
    """Let people follow a thread unless they said that they do not want to."""
    rows = [{"thread_id": thread_id, "user_id": user_id, "following": True} for user_id in user_ids]
    await work.session.execute(insert(thread_follow).on_conflict_do_nothing(), rows)
