"""The broker's layer of the border, attacked with real servers.

Two attackers: one that stole the leaf key of cell id1 and joins the transit as that cell; and one that owns
the transit itself, so that only the cells' own sides stand. Absence is shown by a barrier: on the same
connection an attempt that is allowed follows the forbidden ones, and when it has arrived they would have,
too.
"""

from collections.abc import AsyncIterator

import nats.errors
import pytest
from nats.aio.client import Client

from cells.backends.nats import Outgoing
from residency.links import Corridor
from tests.support.broker_attacks import (
    CELLS,
    EU_ID,
    EU_UK,
    EXPECTED,
    ID_EU,
    UK_EU,
    Spy,
    counts,
    linked,
    message,
    try_api,
)
from tests.support.brokers import TRANSIT, Network, take
from tests.support.links import links
from tests.support.servers import scratch_directory
from tests.support.waiting import until

ROGUE = "rogue"


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network(scratch_directory(), CELLS)
    network.start(*CELLS)
    yield network
    await network.close()


class TestStolenLeafKey:
    """The real id1 is gone; a server of the thief's joined the transit in its place."""

    @pytest.fixture
    async def attacker(self, network: Network) -> Client:
        network.start(TRANSIT)
        network.kill("id1")
        network.rogue(ROGUE, "id1")
        network.start(ROGUE)
        return await network.client(ROGUE)

    async def test_reads_only_what_is_addressed_to_the_stolen_cell(self, network: Network, attacker: Client) -> None:
        origin, uk = await network.bus("eu1"), await network.bus("uk1")
        inbox = await uk.inbox(EU_UK)
        spy = await Spy(attacker).listen(">", EU_UK.delivery, "link.>", "fx.>", EU_UK.messages, EU_ID.delivery)
        await linked(origin, "id1")
        await origin.publish_batch([message(EU_UK, number) for number in range(3)])
        await take(inbox, 3)
        await origin.publish_batch([message(EU_ID, 0)])
        await spy.sees(b"to id1")
        assert spy.bodies() == {b"to id1"}
        assert {one.headers["Nats-Msg-Id"] for one in spy.seen if one.data and one.headers} == {"id1-0"}

    async def test_gets_no_answer_from_the_jetstream_api_and_changes_nothing(
        self, network: Network, attacker: Client
    ) -> None:
        origin = await network.bus("eu1")
        for corridor in (EU_ID, EU_UK):
            await origin.publish_batch([message(corridor, number) for number in range(3)])
        spy = await Spy(attacker).listen(EU_ID.delivery)
        await spy.sees(b"to id1")
        assert await try_api(attacker) == []
        assert await try_api(attacker, b"") == []
        assert await counts(await network.client("eu1", network.workers["eu1"])) == EXPECTED

    async def test_cannot_speak_or_ack_in_another_cells_name(self, network: Network, attacker: Client) -> None:
        origin, uk = await network.bus("eu1"), await network.bus("uk1")
        from_id, from_uk = await origin.inbox(ID_EU), await origin.inbox(UK_EU)
        at_uk = await uk.inbox(EU_UK)
        uk_from_id = await uk.inbox(Corridor("id1", "uk1"))
        await linked(origin, "uk1")
        await origin.publish_batch([message(EU_UK, 0)])
        (pending,) = await at_uk.fetch(1, 10)
        ack = pending._reply

        async def speak(body: bytes) -> None:
            for subject in (
                UK_EU.delivery,
                EU_UK.delivery,
                UK_EU.subject("settled"),
                EU_UK.subject("instructed"),
                ID_EU.subject("settled"),
                ack,
            ):
                await attacker.publish(subject, body)
            await attacker.publish(ID_EU.delivery, body)
            await attacker.publish(Corridor("id1", "uk1").delivery, body)
            await attacker.flush()

        async def heard() -> bool:
            await speak(b"forged")
            return bool(await from_id.fetch(1, 0.2)) and bool(await uk_from_id.fetch(1, 0.2))

        await until(heard, "what the thief says as id1 (admission refuses its signature)")
        assert await from_uk.fetch(1, 0.1) == []
        assert await at_uk.fetch(1, 0.1) == []
        (link,) = await links(origin, "eu1", ["uk1"])
        assert link.unacked == 1, "the ack of another cell's message was not the thief's to give"

    async def test_its_own_acks_delete_nothing(self, network: Network, attacker: Client) -> None:
        origin = await network.bus("eu1")
        await origin.publish_batch([message(EU_ID, number) for number in range(3)])
        await origin.publish_batch([message(EU_UK, number) for number in range(3)])
        spy = await Spy(attacker).listen(EU_ID.delivery)
        await spy.sees(b"to id1")
        for one in [one for one in spy.seen if one.data]:
            await attacker.publish(one.reply, b"+TERM")

        async def acked() -> bool:
            (link,) = await links(origin, "eu1", ["id1"])
            for one in [one for one in spy.seen if one.data]:
                await attacker.publish(one.reply, b"+ACK")
            return (link.waiting, link.unacked) == (0, 0)

        await until(acked, "the origin took the acks")
        assert await counts(await network.client("eu1", network.workers["eu1"])) == EXPECTED

    async def test_is_no_key_for_a_client(self, network: Network) -> None:
        network.start(TRANSIT)
        with pytest.raises(nats.errors.Error):
            await network.client(TRANSIT, network.leaves["id1"])


async def test_a_thief_beside_the_real_cell_neither_speaks_to_it_nor_hears_it_speak(network: Network) -> None:
    network.start(TRANSIT)
    network.rogue(ROGUE, "id1")
    network.start(ROGUE)
    attacker = await network.client(ROGUE)
    spy = await Spy(attacker).listen(">", ID_EU.delivery)
    eu, real = await network.bus("eu1"), await network.bus("id1")
    at_eu, at_real = await eu.inbox(ID_EU), await real.inbox(EU_ID)

    async def heard() -> bool:
        await attacker.publish(EU_ID.delivery, b"forged")
        await attacker.publish(ID_EU.delivery, b"forged")
        await attacker.flush()
        return bool(await at_eu.fetch(1, 0.2))

    async def both_listen() -> bool:
        return at_real.silent_s is not None

    await until(heard, "what the thief says as id1 (admission refuses its signature)")
    await until(both_listen, "the real cell hears the origin's heartbeat")
    await eu.publish_batch([message(EU_ID, 0)])
    await spy.sees(b"to id1")
    assert [one.body for one in await take(at_real, 1)] == [b"to id1"]
    await real.publish_batch([message(ID_EU, 0)])
    arrived: list[bytes] = []
    while b"to eu1" not in arrived:
        arrived += [one.body for one in await at_eu.fetch(10, 10)]
    await eu.publish_batch([Outgoing(EU_ID.subject("settled"), "last", b"last")])
    await spy.sees(b"last")
    assert b"to eu1" not in spy.bodies()


class TestCorruptTransit:
    """Every leaf and the attacker share one account without permissions: only the cells guard themselves."""

    @pytest.fixture
    async def attacker(self, network: Network) -> Client:
        owner = network.corrupt_transit()
        network.start(TRANSIT)
        return await network.client(TRANSIT, owner)

    async def test_gets_no_answer_from_the_jetstream_api_and_changes_nothing(
        self, network: Network, attacker: Client
    ) -> None:
        origin = await network.bus("eu1")
        for corridor in (EU_ID, EU_UK):
            await origin.publish_batch([message(corridor, number) for number in range(3)])
        spy = await Spy(attacker).listen(EU_ID.delivery)
        await spy.sees(b"to id1")
        assert await try_api(attacker) == []
        assert await try_api(attacker, b"") == []
        assert await counts(await network.client("eu1", network.workers["eu1"])) == EXPECTED

    async def test_nothing_leaves_a_cell_but_what_its_consumers_push(self, network: Network, attacker: Client) -> None:
        origin = await network.bus("eu1")
        spy = await Spy(attacker).listen(">", EU_ID.delivery, EU_UK.delivery, "fx.>", "secret.>", "$JS.>", "_INBOX.>")
        await linked(origin, "id1")
        worker = await network.client("eu1", network.workers["eu1"])
        for subject in (
            "secret.names",
            "fx.eu1.id1.too.deep",
            "fx.eu1.zz1.instructed",
            "fx.uk1.id1.settled",
            "link.eu1.id1.other",
            EU_ID.delivery,
            EU_UK.delivery,
            "$JS.EVENT.ADVISORY.leak",
            "_INBOX.leak",
        ):
            await worker.publish(subject, b"by hand")
        await worker.flush()
        await worker.request("$JS.API.STREAM.LIST", b"{}", timeout=5)
        await origin.publish_batch([message(EU_ID, 0), message(EU_UK, 0)])
        await spy.sees(b"to id1")
        await spy.sees(b"to uk1")
        assert spy.bodies() == {b"to id1", b"to uk1"}

    async def test_nothing_enters_a_cell_but_deliveries_and_acks(self, network: Network, attacker: Client) -> None:
        origin = await network.bus("eu1")
        inside = await network.client("eu1", network.workers["eu1"])
        inbox = await origin.inbox(ID_EU)
        spy = await Spy(inside).listen("_INBOX.>", ID_EU.delivery, UK_EU.delivery)

        async def arrives() -> bool:
            for subject in (
                "_INBOX.forged",
                EU_ID.subject("instructed"),
                EU_UK.subject("settled"),
                EU_ID.delivery,
            ):
                await attacker.publish(subject, b"forged")
            await attacker.publish(ID_EU.delivery, b"delivered")
            await attacker.flush()
            return bool(await inbox.fetch(1, 0.2))

        await until(arrives, "a delivery (admission refuses its signature)")
        await spy.sees(b"delivered")
        assert spy.bodies() == {b"delivered"}
        assert (await counts(inside))[EU_ID.stream] == 0

    async def test_an_ack_goes_nowhere_but_to_the_origins_consumer(self, network: Network, attacker: Client) -> None:
        origin = await network.bus("eu1")
        inside = await network.client("eu1", network.workers["eu1"])
        inbox = await origin.inbox(ID_EU)
        await origin.publish_batch([message(corridor, number) for corridor in (EU_ID, EU_UK) for number in range(3)])

        async def trap() -> bool:
            for call in ("DELETE", "PURGE"):
                await attacker.publish(ID_EU.delivery, b"trap", reply=f"$JS.API.STREAM.{call}.{EU_UK.stream}")
            await attacker.publish(ID_EU.delivery, b"trap")
            trapped = await inbox.fetch(10, 0.2)
            for one in trapped:
                assert one.sequence == 0
                await one.ack()
                await one.nak(0.1)
                await one.term()
            return bool(trapped)

        await until(trap, "the worker meets the trap")
        await origin.ping()
        assert await counts(inside) == EXPECTED
