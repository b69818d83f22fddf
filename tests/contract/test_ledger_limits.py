"""How much goes into one request: batches are split at chain boundaries, chains never; and what silence
means.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from cells.backends.tigerbeetle import ClientAsync, RequestTooLarge, Session, Transfer
from cells.ledger.batching import split
from cells.ledger.entry import Posting, PostingResult
from cells.ledger.ledger import ChainTooLong, Ledger, LedgerUnknown
from cells.ledger.memory import MemoryLedger
from cells.ledger.postgres import PostgresLedger
from cells.ledger.tigerbeetle import TigerBeetleLedger
from tests.contract.ledger_engines import OpenLedger, balances, funded_wallet, link, open_accounts, posting

R = PostingResult


async def test_a_batch_larger_than_the_limit_is_split_and_answered_in_order(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 1)
    many = ledger.batch_limit + 3
    # Some fail, at both ends and in the middle, so that an answer out of its place would show.
    events = [posting(house, wallet, 1, code=0 if index % 100 == 0 else 1) for index in range(many)]
    expected = [R.CODE_MUST_NOT_BE_ZERO if index % 100 == 0 else R.CREATED for index in range(many)]
    assert await ledger.create_postings(events) == expected
    assert (await balances(ledger, wallet))[0][3] == 1 + expected.count(R.CREATED)


async def test_a_chain_across_the_limit_stays_whole(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 0)
    singles = [posting(house, wallet, 1) for _ in range(ledger.batch_limit - 1)]
    chain = link([posting(house, wallet, 1), posting(house, wallet, 1), posting(house, house, 1)])
    answers = await ledger.create_postings([*singles, *chain])
    assert answers[-3:] == [R.LINKED_EVENT_FAILED, R.LINKED_EVENT_FAILED, R.ACCOUNTS_MUST_BE_DIFFERENT]
    assert await balances(ledger, wallet) == [(0, 0, 0, ledger.batch_limit - 1)]


async def test_a_chain_of_exactly_the_limit_is_taken_and_a_longer_one_refused_unsent(ledger: Ledger) -> None:
    house, wallet = await open_accounts(ledger, 0, 0)
    limit = ledger.batch_limit
    longest = link([posting(house, wallet, 1) for _ in range(limit)])
    assert set(await ledger.create_postings(longest)) == {R.CREATED}
    first = posting(house, wallet, 1)
    too_long = link([posting(house, wallet, 1) for _ in range(limit + 1)])
    with pytest.raises(ChainTooLong) as refusal:
        await ledger.create_postings([first, *too_long])
    assert refusal.value.extra == {"length": limit + 1, "limit": limit}
    assert await ledger.lookup_postings([first.id, too_long[0].id]) == {}


async def test_the_limit_of_a_tigerbeetle_server_is_learnt(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    try:
        if not isinstance(ledger, TigerBeetleLedger):
            assert ledger.batch_limit == 8189
            return
        session = ledger._session
        assert session is not None
        await session.request(ClientAsync.create_transfers, [Transfer()] * ledger.batch_limit, deadline_s=10)
        with pytest.raises(RequestTooLarge):
            await session.request(ClientAsync.create_transfers, [Transfer()] * (ledger.batch_limit + 1), deadline_s=10)
        # A server replaced by one that takes less: the refusal is definite, so the same batch goes out in
        # smaller parts.
        ledger.batch_limit = 8189
        house, wallet = await open_accounts(ledger, 0, 0)
        answers = await ledger.create_postings([posting(house, wallet, 1) for _ in range(300)])
        assert answers == [R.CREATED] * 300
    finally:
        await ledger.close()


async def test_a_process_shares_one_session(tigerbeetle_addresses: str) -> None:
    first, second = Session.open(0, tigerbeetle_addresses), Session.open(0, tigerbeetle_addresses)
    assert first is second
    await first.close()
    # The other share still works.
    assert list(await second.request(ClientAsync.lookup_transfers, [1], deadline_s=10)) == []
    await second.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


async def test_a_silent_tigerbeetle_is_unknown_within_the_deadline(silent_port: int) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(LedgerUnknown) as unknown:
            await TigerBeetleLedger.open(0, str(silent_port), deadline_s=0.2)
    assert unknown.value.retryable


async def test_a_postgres_ledger_that_cannot_go_on_is_unknown_and_then_definite(ledger_dsn: str) -> None:
    """Another process holds the ledger: our batch misses its deadline, and the same ids are applied once it
    lets go.
    """
    holder = await PostgresLedger.open(ledger_dsn, name="holder")
    ledger = await PostgresLedger.open(ledger_dsn, name="waiter", deadline_s=0.3)
    try:
        house, wallet = await open_accounts(holder, 0, 0)
        event = posting(house, wallet, 5)
        async with holder._pool.acquire() as connection, connection.transaction():
            await connection.execute("select from ledger.clock for update")
            with pytest.raises(LedgerUnknown):
                await ledger.create_postings([event])
        async with asyncio.timeout(5):
            assert await ledger.create_postings([event]) in ([R.CREATED], [R.EXISTS])
        assert await balances(ledger, wallet) == [(0, 0, 0, 5)]
    finally:
        await ledger.close()
        await holder.close()


def test_requests_are_cut_between_chains_only() -> None:
    def lengths(*chains: int, limit: int) -> list[int]:
        events: list[Posting] = []
        for length in chains:
            events += link([posting(1, 2, 1) for _ in range(length)])
        cut = split(events, limit)
        assert [event for request in cut for event in request] == events
        return [len(request) for request in cut]

    assert lengths(1, 1, 1, limit=2) == [2, 1]
    assert lengths(1, 3, 2, limit=4) == [4, 2]
    assert lengths(3, 3, limit=5) == [3, 3]
    assert lengths(limit=5) == []
    with pytest.raises(ChainTooLong):
        lengths(1, 6, limit=5)


async def test_a_smaller_limit_may_be_set_for_an_embedded_ledger() -> None:
    ledger = MemoryLedger(batch_limit=2)
    house, wallet = await open_accounts(ledger, 0, 0)
    assert await ledger.create_postings([posting(house, wallet, 1) for _ in range(5)]) == [R.CREATED] * 5
