"""What only the embedded engine can be asked: several processes on one ledger, durability, and who may touch
its tables.
"""

import asyncio
import secrets
import time
from collections.abc import Callable

import asyncpg
import pytest

from cells.ledger.entry import AccountFlag, PostingFlag, PostingResult
from cells.ledger.postgres import PostgresLedger
from tests.contract.ledger_engines import balances, funded_wallet, open_accounts, posting
from tests.support import servers

R = PostingResult


async def test_several_processes_never_spend_a_balance_twice(ledger_dsn: str) -> None:
    """Four engines, as four processes have them, race for a wallet that suffices for half of what they
    ask.
    """
    engines = [await PostgresLedger.open(ledger_dsn, name=f"racer-{number}") for number in range(4)]
    try:
        house, wallet = await funded_wallet(engines[0], 100)
        batches = [[posting(wallet, house, 1) for _ in range(10)] for _ in range(20)]
        answers = await asyncio.gather(
            *(engines[number % 4].create_postings(batch) for number, batch in enumerate(batches))
        )
        results = [answer for batch in answers for answer in batch]
        assert (results.count(R.CREATED), results.count(R.EXCEEDS_CREDITS)) == (100, 100)
        assert await balances(engines[1], wallet) == [(0, 100, 0, 100)]
        history = await engines[2].account_balances(wallet, limit=1000)
        assert [one.debits_posted for one in history] == list(range(101))
        assert sorted({one.timestamp for one in history}) == [one.timestamp for one in history]
    finally:
        for engine in engines:
            await engine.close()


async def test_one_id_sent_by_several_processes_at_once_counts_once(ledger_dsn: str) -> None:
    engines = [await PostgresLedger.open(ledger_dsn, name=f"twin-{number}") for number in range(3)]
    try:
        house, wallet = await funded_wallet(engines[0], 100)
        event = posting(wallet, house, 7, PostingFlag.PENDING)
        answers = await asyncio.gather(*(engine.create_postings([event]) for engine in engines))
        assert sorted(one.name for (one,) in answers) == ["CREATED", "EXISTS", "EXISTS"]
        assert await balances(engines[0], wallet) == [(7, 0, 0, 100)]
    finally:
        for engine in engines:
            await engine.close()


async def test_the_ledger_outlives_its_process(ledger_dsn: str) -> None:
    first = await PostgresLedger.open(ledger_dsn, name="first")
    house, wallet = await funded_wallet(first, 10)
    burnt = posting(wallet, house, 11)
    hold = posting(wallet, house, 4, PostingFlag.PENDING)
    assert await first.create_postings([burnt, hold]) == [R.EXCEEDS_CREDITS, R.CREATED]
    await first.close()
    second = await PostgresLedger.open(ledger_dsn, name="second")
    try:
        assert await balances(second, wallet) == [(4, 0, 0, 10)]
        assert await second.create_postings([burnt, hold]) == [R.ID_ALREADY_FAILED, R.EXISTS]
    finally:
        await second.close()


async def test_a_thousand_postings_are_one_batch_of_well_under_a_second(ledger_dsn: str) -> None:
    """A guard against work per posting on the wire; the figure itself is measured in the bench."""
    ledger = await PostgresLedger.open(ledger_dsn, name="thousand")
    try:
        house, wallet = await open_accounts(ledger, 0, AccountFlag.HISTORY)
        best_s = 10.0
        for _ in range(3):
            batch = [posting(house, wallet, 1, payment=secrets.randbits(100)) for _ in range(1000)]
            started = time.perf_counter()
            assert set(await ledger.create_postings(batch)) == {R.CREATED}
            best_s = min(best_s, time.perf_counter() - started)
        assert best_s < 0.5
    finally:
        await ledger.close()


async def test_nobody_but_the_ledgers_role_enters_and_nobody_deletes(
    cell_database: Callable[[str], servers.CellDatabase],
) -> None:
    database = cell_database("EU")
    for dsn in (database.api, database.writer):
        connection = await asyncpg.connect(dsn)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("select * from ledger.accounts")
        await connection.close()
    ledger = await PostgresLedger.open(database.ledger, name="grants")
    await funded_wallet(ledger, 10)
    await ledger.close()
    connection = await asyncpg.connect(database.ledger)
    for statement in (
        "delete from ledger.postings",
        "truncate ledger.balances",
        "update ledger.postings set amount = 1",
        "update ledger.accounts set ledger = 1",
        "drop table ledger.burnt_ids",
        "select * from public.tenants",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    # Even its own role cannot write a wallet below zero.
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("update ledger.accounts set debits_posted = 11 where credits_posted = 10")
    await connection.close()
