"""Telling people what happened: a model's log is read once, in order, and what concerns somebody goes into inboxes.

It happens after the writes, so that they do not wait for it, and in the same transaction in which the position in the log
moves on, so that nothing is told twice or not at all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from etm_graph.access.grants import load_grants_of
from etm_graph.access.viewer import Viewer
from etm_graph.core.access import ORGANISATION_PATH, Act
from etm_graph.core.changes import STRUCTURAL, Change, ChangeDraft, ChangeKind, EntityType
from etm_graph.core.hierarchy import is_within
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.events.log import read_actors, read_changes
from etm_graph.events.tables import stream
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import users_by_id
from etm_graph.features.models.queries import KINDS, model_for_system
from etm_graph.features.notifications.queries import NotificationKind, followers_in, user_stream, webhooks_of
from etm_graph.features.notifications.tables import inbox_cursor, notification, webhook_delivery
from etm_graph.features.threads import queries as threads
from etm_graph.identity.principal import AuthMethod, Principal

BATCH = 200
"""Changes told by one transaction."""


@dataclass(frozen=True, slots=True)
class _Item:
    """Something to tell somebody. forced: also to who may not read its kind, such as the rep who filed a challenge."""

    user_id: int
    kind: NotificationKind
    change: Change
    subject: tuple[str, int]
    label: str
    forced: bool = False


async def tell_stream(work: UnitOfWork, model_id: int) -> bool:
    """Tell the next changes of a model; True when there may be more. Somebody else's turn is not waited for."""
    columns = inbox_cursor.c
    await work.session.execute(upsert(inbox_cursor).values(stream_id=model_id, seq=0).on_conflict_do_nothing())
    told = await work.session.scalar(
        select(columns.seq).where(columns.stream_id == model_id).with_for_update(skip_locked=True)
    )
    model = None if told is None else await model_for_system(work.session, model_id)
    if told is None or model is None:
        return False
    changes = await read_changes(work.session, model_id, int(told), BATCH)
    if not changes:
        return False
    items = [item for change in changes for item in await _concerned(work, model, change)]
    items += await _followed(work, model_id, changes)
    await _deliver(work, model, await _readable(work, model, items))
    await work.session.execute(update(inbox_cursor).where(columns.stream_id == model_id).values(seq=changes[-1].seq))
    return len(changes) == BATCH


async def _concerned(work: UnitOfWork, model: Row[Any], change: Change) -> list[_Item]:
    draft = change.draft
    if draft.entity_type is EntityType.COMMENT and draft.kind in {ChangeKind.CREATED, ChangeKind.UPDATED}:
        return await _of_comment(work, change)
    if draft.entity_type is EntityType.REVIEW:
        return _of_review(change, draft)
    if draft.entity_type is EntityType.CHALLENGE:
        return _of_challenge(change, draft, model)
    if draft.kind is ChangeKind.STATE_CHANGED and draft.entity_type is EntityType.MODEL:
        people = {*await read_actors(work.session, model.id, STRUCTURAL), model.created_by} - {None}
        label = f"{model.name} is {draft.after.get('state')}"
        subject = ("TerritoryModel", model.id)
        return [
            _Item(user_id, NotificationKind.STATE_CHANGE, change, subject, label)
            for user_id in sorted(people)
            if user_id != change.actor_id
        ]
    return []


async def _of_comment(work: UnitOfWork, change: Change) -> list[_Item]:
    comment_id = change.draft.entity_id
    row = await threads.comment_for_system(work.session, comment_id)
    if row is None:
        return []
    subject, label = ("Comment", comment_id), row.subject or row.anchor_label
    mentioned = await threads.mentioned_by(work.session, comment_id, change.seq)
    items = [_Item(user_id, NotificationKind.MENTION, change, subject, label) for user_id in mentioned]
    if change.draft.kind is ChangeKind.CREATED:
        followers = await threads.followers_of(work.session, row.thread_id)
        items += [
            _Item(user_id, NotificationKind.REPLY, change, subject, label)
            for user_id in followers
            if user_id not in mentioned
        ]
    return [item for item in items if item.user_id != change.actor_id]


def _numbers(value: object) -> list[int]:
    return [int(str(number)) for number in value] if isinstance(value, list) else []


def _of_review(change: Change, draft: ChangeDraft) -> list[_Item]:
    subject = ("Review", draft.entity_id)
    if draft.kind is ChangeKind.CREATED:
        asked = _numbers(draft.after.get("reviewer_ids"))
        label = str(draft.after.get("note") or "Please review")
        return [_Item(user_id, NotificationKind.REVIEW_REQUEST, change, subject, label) for user_id in asked]
    by = draft.after.get("requested_by")
    label = str(draft.after.get("verdict") or draft.kind.value)
    return [] if by is None else [_Item(int(str(by)), NotificationKind.REVIEW_DECISION, change, subject, label)]


def _of_challenge(change: Change, draft: ChangeDraft, model: Row[Any]) -> list[_Item]:
    subject = ("Challenge", draft.entity_id)
    if draft.kind is ChangeKind.CREATED:
        label = str(draft.after.get("reason"))
        owner = model.created_by
        return [] if owner is None else [_Item(owner, NotificationKind.CHALLENGE, change, subject, label)]
    by, label = draft.after.get("filed_by"), str(draft.after.get("state"))
    if by is None:
        return []
    return [_Item(int(str(by)), NotificationKind.CHALLENGE_DECISION, change, subject, label, forced=True)]


async def _followed(work: UnitOfWork, model_id: int, changes: Sequence[Change]) -> list[_Item]:
    """What happened in followed territories: one notification a change set, territory and follower."""
    followers = await followers_in(work.session, model_id)
    items: dict[tuple[Any, ...], _Item] = {}
    for change in changes if followers else ():
        path = change.draft.path
        if path is None or change.draft.entity_type not in STRUCTURAL:
            continue
        for row in followers:
            if row.user_id != change.actor_id and is_within(path, row.path):
                what = f"{change.draft.kind.value} {change.draft.entity_type.value} {change.draft.key}"
                item = _Item(
                    row.user_id,
                    NotificationKind.TERRITORY_CHANGE,
                    change,
                    ("Territory", row.territory_id),
                    change.message or what,
                )
                items.setdefault((row.user_id, row.territory_id, change.change_set), item)
    return list(items.values())


async def _readable(work: UnitOfWork, model: Row[Any], items: Iterable[_Item]) -> list[_Item]:
    """Without those whom the policy does not let read what they would be told of, now."""
    found = list(items)
    ids = {item.user_id for item in found}
    if not ids:
        return []
    users = await users_by_id(work.session, ids)
    grants = await load_grants_of(work.session, ids)
    group = GROUP_OF[ModelState(model.state)]
    kept = []
    for item in found:
        user = users.get(item.user_id)
        if user is None or user.suspended or not user.active:
            continue
        principal = Principal(
            user.id, user.user_name, grants.get(user.id, ()), suspended=False, method=AuthMethod.SYSTEM
        )
        viewer = Viewer(work.access, principal, work.now)
        draft = item.change.draft
        may = viewer.may(
            Act.READ,
            KINDS[draft.entity_type],
            state=group,
            model_id=model.id,
            path=draft.path or ORGANISATION_PATH,
            own=model.created_by == user.id,
        )
        if may or item.forced:
            kept.append(item)
    return kept


async def _deliver(work: UnitOfWork, model: Row[Any], items: Sequence[_Item]) -> None:
    """Into inboxes, their streams, and the outbox of webhooks."""
    if not items:
        return
    people = sorted({item.user_id for item in items}, key=user_stream)
    rows = [{"id": user_stream(user_id)} for user_id in people]
    await work.session.execute(upsert(stream).on_conflict_do_nothing(), rows)
    for user_id in people:
        await work.lock_stream(user_stream(user_id))
    hooks = await webhooks_of(work.session, people)
    outgoing = []
    for item in items:
        values = {
            "user_id": item.user_id,
            "kind": item.kind.value,
            "model_id": model.id,
            "seq": item.change.seq,
            "actor_id": item.change.actor_id,
            "subject_type": item.subject[0],
            "subject_id": item.subject[1],
            "label": item.label,
            "at": item.change.at,
        }
        number = int(await work.session.scalar(insert(notification).values(**values).returning(notification.c.id)))
        told = {**values, "at": item.change.at.isoformat()}
        draft = ChangeDraft(EntityType.NOTIFICATION, ChangeKind.CREATED, number, str(number), after=told)
        work.record(user_stream(item.user_id), draft)
        body = {"type": "notification.created", "timestamp": item.change.at.isoformat()}
        body |= {"data": {"id": number, "model": model.developer_name, **told}}  # type: ignore[dict-item]  # JSON
        outgoing += [
            {"webhook_id": hook.id, "body": body, "created_at": work.now, "next_at": work.now, "attempts": 0}
            for hook in hooks.get(item.user_id, ())
            if hook.active
        ]
    if outgoing:
        await work.session.execute(insert(webhook_delivery), outgoing)
