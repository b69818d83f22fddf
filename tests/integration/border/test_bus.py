"""The bus over real brokers: what crosses, what waits, what comes back."""

from collections.abc import AsyncIterator

import pytest

from cells.backends.nats import Bus, BusUnavailable, Outgoing
from residency.links import MESSAGE_MAX_BYTES, Corridor
from tests.support.brokers import TRANSIT, Network, take
from tests.support.links import links
from tests.support.servers import scratch_directory
from tests.support.waiting import until

EU_ID = Corridor("eu1", "id1")


def burst(count: int, first: int = 0, corridor: Corridor = EU_ID) -> list[Outgoing]:
    numbers = range(first, first + count)
    return [Outgoing(corridor.subject("instructed"), f"m{number}", b"body %d" % number) for number in numbers]


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network(scratch_directory(), ["eu1", "id1"])
    network.start(TRANSIT, "eu1", "id1")
    yield network
    await network.close()


async def listening(bus: Bus, wanted: bool = True) -> None:
    async def check() -> bool:
        (link,) = await links(bus, "eu1", ["id1"])
        return link.listening is wanted

    await until(check, f"the destination is {'' if wanted else 'not '}listening")


async def test_a_burst_crosses_whole_in_order_and_is_acked(network: Network) -> None:
    origin, destination = await network.bus("eu1"), await network.bus("id1")
    assert await origin.publish_batch(burst(3000), deadline_s=20) == list(range(1, 3001))
    arrived = await take(await destination.inbox(EU_ID), 3000)
    assert [(message.message_id, message.body) for message in arrived] == [
        (f"m{number}", b"body %d" % number) for number in range(3000)
    ]
    assert {message.subject for message in arrived} == {"fx.eu1.id1.instructed"}

    async def settled() -> bool:
        (link,) = await links(origin, "eu1", ["id1"])
        return (link.waiting, link.unacked) == (0, 0)

    await until(settled, "every ack came back")


async def test_the_same_message_id_is_stored_once(network: Network) -> None:
    origin, destination = await network.bus("eu1"), await network.bus("id1")
    assert await origin.publish_batch(burst(1)) == [1]
    assert await origin.publish_batch(burst(2)) == [1, 2]
    inbox = await destination.inbox(EU_ID)
    assert [message.message_id for message in await take(inbox, 2)] == ["m0", "m1"]


async def test_the_largest_message_crosses(network: Network) -> None:
    origin, destination = await network.bus("eu1"), await network.bus("id1")
    body = b"x" * MESSAGE_MAX_BYTES
    assert await origin.publish_batch([Outgoing(EU_ID.subject("instructed"), "m" * 200, body)]) == [1]
    (arrived,) = await take(await destination.inbox(EU_ID), 1)
    assert arrived.body == body


async def test_nak_brings_it_again_and_term_does_not(network: Network) -> None:
    origin, destination = await network.bus("eu1"), await network.bus("id1")
    inbox = await destination.inbox(EU_ID)
    await origin.publish_batch(burst(1))
    (first,) = await inbox.fetch(10, 10)
    await first.nak(0.05)
    (second,) = await inbox.fetch(10, 5)
    assert (second.message_id, first.deliveries, second.deliveries) == ("m0", 1, 2)
    await second.term()

    async def forgotten() -> bool:
        (link,) = await links(origin, "eu1", ["id1"])
        return link.unacked == 0

    await until(forgotten, "the origin was told")


async def test_publishing_goes_on_without_the_transit_and_all_arrives_when_it_is_back(
    network: Network,
) -> None:
    origin, destination = await network.bus("eu1"), await network.bus("id1")
    inbox = await destination.inbox(EU_ID)
    await listening(origin)
    network.kill(TRANSIT)
    await listening(origin, False)
    assert None not in await origin.publish_batch(burst(200))
    network.start(TRANSIT)
    assert [message.message_id for message in await take(inbox, 200)] == [f"m{number}" for number in range(200)]
    silent_s = inbox.silent_s
    assert silent_s is not None
    assert silent_s < 5


async def test_messages_wait_for_a_destination_that_is_not_there_yet(network: Network) -> None:
    network.kill("id1")
    origin = await network.bus("eu1")
    assert None not in await origin.publish_batch(burst(5))
    network.start("id1")
    inbox = await (await network.bus("id1")).inbox(EU_ID)
    assert [message.message_id for message in await take(inbox, 5)] == [f"m{number}" for number in range(5)]


async def test_a_wiped_store_is_made_again(network: Network) -> None:
    origin, destination = await network.bus("eu1"), await network.bus("id1")
    inbox = await destination.inbox(EU_ID)
    await origin.publish_batch(burst(3))
    await take(inbox, 3)
    assert origin.reconnects == 0
    network.kill("eu1")
    network.wipe("eu1")
    network.start("eu1")

    async def back() -> bool:
        return origin.connected and origin.reconnects > 0

    await until(back, "the bus reconnects by itself, and says so")
    assert await origin.publish_batch(burst(2, first=3), deadline_s=1) == [None, None]
    await origin.ensure_streams("eu1", ["id1"])
    assert await origin.publish_batch(burst(2, first=3)) == [1, 2]
    assert [message.message_id for message in await take(inbox, 2)] == ["m3", "m4"]


async def test_purging_deletes_the_copies_through_that_sequence_only(network: Network) -> None:
    origin, destination = await network.bus("eu1"), await network.bus("id1")
    sequences = await origin.publish_batch(burst(5))
    assert sequences[2] is not None
    await origin.purge_through(EU_ID, sequences[2])
    arrived = await take(await destination.inbox(EU_ID), 2)
    assert [message.sequence for message in arrived] == [4, 5]


async def test_an_absent_broker_is_said_to_be_unavailable(network: Network) -> None:
    origin = await network.bus("eu1")
    network.kill("eu1")

    async def lost() -> bool:
        return not origin.connected

    await until(lost, "the bus notices")
    with pytest.raises(BusUnavailable) as caught:
        await origin.publish_batch(burst(1))
    assert caught.value.retryable
    with pytest.raises(BusUnavailable):
        await origin.ping()


async def test_ensuring_streams_again_while_they_are_used_changes_nothing(network: Network) -> None:
    origin, destination = await network.bus("eu1"), await network.bus("id1")
    inbox = await destination.inbox(EU_ID)
    await origin.publish_batch(burst(1))
    await take(inbox, 1)
    await origin.ensure_streams("eu1", ["id1"])
    await destination.ensure_streams("id1", ["eu1"])
    await origin.publish_batch(burst(1, first=1))
    assert [message.message_id for message in await take(inbox, 1)] == ["m1"]
