"""The receiving end of a link believes nothing that a transit could have made up."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from cells.backends.inbox import UNACKED_MAX, Inbox
from residency.links import Corridor

REPLY = "$JS.ACK.FX_OUT_eu1.LINK_id1_eu1.2.7.9.1795219461862257282.0"


@dataclass
class Carried:
    reply: str = REPLY
    subject: str = "fx.id1.eu1.settled"
    data: bytes = b"body"
    headers: Mapping[str, str] | None = None


class Publisher:
    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []

    async def __call__(self, subject: str, payload: bytes) -> None:
        self.published.append((subject, payload))


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
def inbox(publisher: Publisher) -> Inbox:
    return Inbox(Corridor("id1", "eu1"), publisher)


async def test_answers_go_to_the_origins_consumer(inbox: Inbox, publisher: Publisher) -> None:
    await inbox.receive(Carried(headers={"Nats-Msg-Id": "m1"}))
    (arrived,) = await inbox.fetch(10, 1)
    assert (arrived.message_id, arrived.sequence, arrived.deliveries) == ("m1", 7, 2)
    await arrived.ack()
    await arrived.nak(1.5)
    await arrived.term()
    assert publisher.published == [
        (REPLY, b"+ACK"),
        (REPLY, b'-NAK {"delay": 1500000000}'),
        (REPLY, b"+TERM"),
    ]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "$JS.API.STREAM.DELETE.FX_OUT_uk1",
        "fx.eu1.uk1.instructed",
        "$JS.ACK.FX_OUT_uk1.LINK_eu1_uk1.1.7.7.1.0",
        "$JS.ACK.FX_OUT_eu1.LINK_id1_eu1.1.7.7.1",
        "$JS.ACK.FX_OUT_eu1.LINK_id1_eu1.*.7.7.1.0",
        REPLY + ".>",
        REPLY + "\r\n",
        "x" + REPLY,
    ],
)
async def test_any_other_reply_is_never_published_to(inbox: Inbox, publisher: Publisher, reply: str) -> None:
    await inbox.receive(Carried(reply))
    (arrived,) = await inbox.fetch(10, 1)
    assert (arrived.sequence, arrived.deliveries, arrived.body) == (0, 1, b"body")
    await arrived.ack()
    await arrived.nak(1)
    await arrived.term()
    assert publisher.published == []


async def test_a_batch_is_what_has_gathered(inbox: Inbox) -> None:
    for _ in range(5):
        await inbox.receive(Carried())
    assert [len(await inbox.fetch(3, 1)) for _ in range(2)] == [3, 2]
    assert await inbox.fetch(3, 0.01) == []


async def test_a_heartbeat_is_heard_and_is_no_message(inbox: Inbox) -> None:
    assert inbox.silent_s is None
    await inbox.receive(Carried(headers={"Status": "100"}))
    assert inbox.silent_s is not None
    assert await inbox.fetch(1, 0.01) == []


async def test_a_flood_is_dropped_and_not_kept(inbox: Inbox) -> None:
    for _ in range(5 * UNACKED_MAX):
        await inbox.receive(Carried(reply=""))
    assert len(await inbox.fetch(10 * UNACKED_MAX, 1)) == 4 * UNACKED_MAX
