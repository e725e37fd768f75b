"""Who reacts to what, which engines a process has: the one file that knows everything."""

from sqlalchemy import Row

from etm_graph.access.grants import load_grants
from etm_graph.db.sessions import ReadSession
from etm_graph.events.unit_of_work import Reactions
from etm_graph.features.crm import queries as crm
from etm_graph.identity.authenticate import Directory, Subject

REACTIONS: Reactions = {}
"""What follows from what, in the same transaction."""


def _subject(row: "Row[tuple[object, ...]] | None") -> Subject | None:
    return None if row is None else Subject(row.id, row.user_name, row.active, row.suspended)


async def _by_name(session: ReadSession, user_name: str) -> Subject | None:
    return _subject(await crm.find_user(session, user_name))


async def _by_id(session: ReadSession, user_id: int) -> Subject | None:
    return _subject((await crm.users_by_id(session, [user_id])).get(user_id))


DIRECTORY = Directory(_by_name, _by_id, load_grants)
"""How callers are found."""
