"""Who is told what: mentions, replies, reviews, states, followed territories; read marks, the live stream, webhooks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.factories.asking import Asking, make_asking
from tests.factories.world import make_model, make_territory, make_type, make_user

from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database
from etm_graph.features.notifications.jobs import Sender, Teller
from etm_graph.features.notifications.queries import user_stream
from etm_graph.features.notifications.service.outbox import Message, is_public
from etm_graph.features.notifications.tables import notification, webhook_delivery
from etm_graph.features.territories.service import update_territory
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal

THREAD = """mutation($on: ThreadAnchorInput!, $body: String!) { threadCreate(input: {anchor: $on, body: $body}) {
  thread { id } userErrors { code message } } }"""
ADD = "mutation($id: ID!, $body: String!) { commentAdd(input: {threadId: $id, body: $body}) { userErrors { code } } }"
INBOX = """query($unread: Boolean! = false) { notifications(unreadOnly: $unread) { totalCount nodes {
  id kind label readAt actor { userName } model { developerName } } } }"""
READ = """mutation($ids: [ID!]) { notificationMarkRead(input: {ids: $ids}) { markedCount unreadCount userErrors { code } } }"""
FOLLOW = "mutation($id: ID!) { territoryFollow(input: {id: $id}) { territory { isFollowed } userErrors { code } } }"
HOOK = """mutation($url: String!) { webhookCreate(input: {url: $url}) { secret webhook { id url } userErrors { code message } } }"""
HOOKS = "{ webhooks { isActive deliveries { messageId attempts deliveredAt nextAt error } } }"


@dataclass
class Office:
    """A draft with World/Europe, and people."""

    asking: Asking
    teller: Teller
    model_id: int
    europe: int
    planner: Principal
    other: Principal
    far: Principal

    async def tell(self) -> None:
        while await self.teller.once():
            pass

    async def kinds(self, who: Principal) -> list[tuple[str, str]]:
        found = await self.asking.get(who, INBOX)
        return [(node["kind"], node["label"]) for node in found["nodes"]]


@pytest.fixture
async def office(database: Database) -> Office:
    asking = make_asking(database)
    world = asking.world
    planner = await make_user(database, "planner", Role.PLANNER, Role.ADMIN)
    other = await make_user(database, "other", Role.PLANNER)
    far = await make_user(database, "far", grants=(Grant(Role.PLANNER, None, "/World/Asia/"),))
    type_id, model_id = await make_type(world, planner), await make_model(world, planner)
    root = await make_territory(world, planner, model_id, type_id, "World")
    europe = await make_territory(world, planner, model_id, type_id, "Europe", root)
    office = Office(asking, Teller(database, world.writer, every_s=1), model_id, europe, planner, other, far)
    await office.tell()
    return office


async def test_mentions_and_replies_reach_those_whom_they_concern_once(office: Office) -> None:
    on = {"territoryId": encode_id("Territory", office.europe)}
    thread = (await office.asking.get(office.planner, THREAD, on=on, body="Hello @other"))["thread"]["id"]
    await office.tell()
    assert await office.kinds(office.other) == [("MENTION", "Europe")]
    await office.asking.get(office.other, ADD, id=thread, body="Yes")
    await office.asking.get(office.planner, ADD, id=thread, body="Good")
    await office.tell()
    await office.tell()
    assert await office.kinds(office.planner) == [("REPLY", "Europe")]
    assert await office.kinds(office.other) == [("REPLY", "Europe"), ("MENTION", "Europe")]
    assert await office.kinds(office.far) == []


async def test_a_followed_territory_is_told_once_a_change_set_and_only_to_who_may_still_read_it(office: Office) -> None:
    territory = encode_id("Territory", office.europe)
    assert (await office.asking.get(office.other, FOLLOW, id=territory))["territory"] == {"isFollowed": True}
    assert await office.asking.code(office.far, FOLLOW, id=territory) == "NOT_FOUND"
    async with office.asking.world.writer.unit_of_work(office.planner, message="Larger") as work:
        await update_territory(work, office.europe, 3, {"name": "EMEA"})
        await update_territory(work, office.europe, 4, {"description": "and Africa"})
    await office.tell()
    assert await office.kinds(office.other) == [("TERRITORY_CHANGE", "Larger")]
    assert await office.kinds(office.planner) == []


async def test_marking_read_is_ones_own_and_an_event_of_the_inbox(office: Office) -> None:
    on = {"territoryId": encode_id("Territory", office.europe)}
    for number in range(3):
        await office.asking.get(office.planner, THREAD, on=on, body=f"{number} @other")
    await office.tell()
    nodes = (await office.asking.get(office.other, INBOX))["nodes"]
    assert await office.asking.code(office.planner, READ, ids=[nodes[0]["id"]]) == "NOT_FOUND"
    done = await office.asking.get(office.other, READ, ids=[nodes[0]["id"]])
    assert (done["markedCount"], done["unreadCount"]) == (1, 2)
    assert (await office.asking.get(office.other, INBOX, unread=True))["totalCount"] == 2
    assert (await office.asking.get(office.other, READ))["markedCount"] == 2
    feed = office.asking.services.feed
    async with feed.follow(user_stream(office.other.user_id)) as follower:
        changes = (await follower.after(0, timeout_s=1)).changes
    assert [change.draft.kind.value for change in changes] == ["CREATED"] * 3 + ["UPDATED"] * 3
    assert [change.seq for change in changes] == [1, 2, 3, 4, 5, 6]
    await feed.stop()


@asynccontextmanager
async def receiver(statuses: list[int]) -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A web server that answers with these statuses in turn and keeps what it got."""
    import asyncio

    import uvicorn

    got: list[tuple[dict[str, str], bytes]] = []

    async def take(request: Request) -> Response:
        got.append((dict(request.headers), await request.body()))
        return Response(status_code=statuses.pop(0) if statuses else 204)

    app = Starlette(routes=[Route("/hook", take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/hook", got
    server.should_exit = True
    await task


def sender(office: Office, *, private: bool = True) -> Sender:
    return Sender(office.asking.database, every_s=1, timeout_s=5, private_allowed=private)


async def make_due(office: Office) -> None:
    async with office.asking.database.write() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        where = webhook_delivery.c.next_at.is_not(None)
        await session.execute(update(webhook_delivery).where(where).values(next_at=past))


async def test_a_webhook_is_signed_tried_again_and_off_when_gone(office: Office) -> None:
    settings = office.asking.services.settings.model_copy(update={"webhook_private_allowed": True})
    object.__setattr__(office.asking.services, "settings", settings)
    on = {"territoryId": encode_id("Territory", office.europe)}
    async with receiver([500, 204, 410]) as (url, got):
        made = await office.asking.get(office.other, HOOK, url=url)
        assert made["secret"].startswith("whsec_")
        await office.asking.get(office.planner, THREAD, on=on, body="@other")
        await office.tell()
        await sender(office).once()
        (first,) = (await office.asking.get(office.other, HOOKS))[0]["deliveries"]
        assert (first["attempts"], first["error"], first["deliveredAt"]) == (1, "The receiver answered 500.", None)
        await sender(office).once()
        assert len(got) == 1  # it is not due yet
        await make_due(office)
        await sender(office).once()
        (again,) = (await office.asking.get(office.other, HOOKS))[0]["deliveries"]
        assert (again["attempts"], again["error"], again["nextAt"]) == (2, None, None)
        headers, body = got[1]
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        async with office.asking.database.read() as session:
            number = await session.scalar(select(webhook_delivery.c.id))
        message = Message(number, 0, url, made["secret"], body, 1)
        assert headers["webhook-signature"] == message.headers(at)["webhook-signature"]
        assert got[0][0]["webhook-id"] == headers["webhook-id"] == again["messageId"]
        await office.asking.get(office.planner, THREAD, on=on, body="@other again")
        await office.tell()
        await sender(office).once()
    (hook,) = await office.asking.get(office.other, HOOKS)
    assert hook["isActive"] is False


async def test_webhooks_never_go_to_private_addresses_unless_configured(office: Office) -> None:
    assert await office.asking.code(office.other, HOOK, url="http://example.com") == "INVALID"
    assert await office.asking.code(office.other, HOOK, url="https://user@example.com") == "INVALID"
    await office.asking.get(office.other, HOOK, url="https://localhost/hook")
    on = {"territoryId": encode_id("Territory", office.europe)}
    await office.asking.get(office.planner, THREAD, on=on, body="@other")
    await office.tell()
    await sender(office, private=False).once()
    (delivery,) = (await office.asking.get(office.other, HOOKS))[0]["deliveries"]
    assert "localhost is not an address of the open internet" in delivery["error"]
    assert delivery["deliveredAt"] is None


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("fd00::1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
    ],
)
def test_which_addresses_are_of_the_open_internet(address: str, *, public: bool) -> None:
    assert is_public(address) is public


async def test_inboxes_are_kept_once_when_two_processes_tell(office: Office) -> None:
    import asyncio

    on = {"territoryId": encode_id("Territory", office.europe)}
    await office.asking.get(office.planner, THREAD, on=on, body="@other")
    second = Teller(office.asking.database, office.asking.world.writer, every_s=1)
    await asyncio.gather(office.teller.once(), second.once(), office.teller.once())
    async with office.asking.database.read() as session:
        rows = await session.rows(select(notification.c.kind))
    assert [row.kind for row in rows] == ["MENTION"]
