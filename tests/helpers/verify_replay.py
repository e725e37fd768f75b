"""The law of the log: snapshot(s) + events(s, t] = snapshot(t), with a replay that is slow and obvious."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import select

from etm_graph.core.changes import ChangeKind, EntityType
from etm_graph.core.facts import Fact, Step
from etm_graph.db.sessions import Database, ReadSession
from etm_graph.events.log import read_all_changes, read_heads
from etm_graph.features.editing.queries import read_history
from etm_graph.features.models.tables import territory_model

Facts = dict[Fact, dict[str, Any]]


def apply(facts: Facts, step: Step) -> None:
    """One event, as a client would apply it."""
    if step.kind is ChangeKind.DELETED:
        del facts[step.fact]
    elif step.kind is ChangeKind.CREATED:
        assert step.fact not in facts
        facts[step.fact] = dict(step.after)
    else:
        assert {name: facts[step.fact][name] for name in step.before} == dict(step.before)
        facts[step.fact].update(step.after)


async def read_head(session: ReadSession, model_id: int) -> int:
    heads = await read_heads(session, [model_id])
    return heads[model_id].head if model_id in heads else 0


async def snapshot(session: ReadSession, model_id: int) -> tuple[int, Facts]:
    """A model's structure with the number that it reflects."""
    now = (await read_history(session, model_id)).now
    return await read_head(session, model_id), {fact: dict(fields) for fact, fields in now.items()}


async def replayed(session: ReadSession, model_id: int, seq: int, facts: Mapping[Fact, Mapping[str, Any]]) -> Facts:
    """A snapshot with the events after it."""
    found: Facts = {fact: dict(fields) for fact, fields in facts.items()}
    changes = await read_all_changes(session, model_id, seq)
    assert [change.seq for change in changes] == list(range(seq + 1, seq + 1 + len(changes)))
    for _, step in (await read_history(session, model_id, seq)).steps:
        if step.fact[0] is not EntityType.MODEL or step.kind is ChangeKind.UPDATED:
            apply(found, step)
    return found


@asynccontextmanager
async def verify_replay(database: Database) -> AsyncIterator[None]:
    """Whatever the block does: every model that was there and still is can be replayed from its events."""
    before: dict[int, tuple[int, Facts]] = {}
    async with database.read() as session:
        for row in await session.rows(select(territory_model.c.id)):
            before[row.id] = await snapshot(session, row.id)
    yield
    async with database.read() as session:
        standing = {row.id for row in await session.rows(select(territory_model.c.id))}
        for model_id in standing & set(before):
            seq, facts = before[model_id]
            _, now = await snapshot(session, model_id)
            assert await replayed(session, model_id, seq, facts) == now
