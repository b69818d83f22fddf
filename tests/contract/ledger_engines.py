"""The ledger engines under test, each real, and what the tests of the ledger are written with.

TigerBeetle takes part when a server is on the PATH, or named by KOVRA_TIGERBEETLE_BINARY; without one its
tests are skipped, and say so. Servers are shared by all tests of a process, so a test makes up its own
accounts and ids.
"""

import asyncio
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from cells.backends.tigerbeetle import Session
from cells.ledger.entry import Account, AccountFlag, AccountResult, Posting, PostingFlag
from cells.ledger.ledger import Ledger
from cells.ledger.memory import MemoryLedger
from cells.ledger.postgres import PostgresLedger
from cells.ledger.tigerbeetle import TigerBeetleLedger
from tests.support import servers

ENGINES = ("memory", "postgres", "tigerbeetle")
OpenLedger = Callable[[], Awaitable[Ledger]]
LEDGER = 978
CODE = 1


def tigerbeetle_binary() -> str | None:
    """The server to test against, or None."""
    return os.environ.get("KOVRA_TIGERBEETLE_BINARY") or shutil.which("tigerbeetle")


@pytest.fixture(scope="session")
def tigerbeetle_addresses() -> Iterator[str]:
    """One development server for this test process; it ends when its standard input does, so it never
    outlives us.
    """
    binary = tigerbeetle_binary()
    if binary is None:
        pytest.skip("no tigerbeetle server on the PATH: engine not exercised")
    directory = servers.scratch_directory()
    data = directory / "0.tigerbeetle"
    shape = ("--cluster=0", "--replica=0", "--replica-count=1", "--development")
    with (directory / "server.log").open("wb") as log:
        subprocess.run([binary, "format", *shape, str(data)], check=True, stderr=log)
        command = [binary, "start", "--addresses=0", "--development", str(data)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        # With port 0 the server writes the port it took once it listens.
        addresses = process.stdout.readline().decode().strip()
        # Held throughout, so that the ledgers of all tests share the process's one session, as in a cell.
        session = Session.open(0, addresses)
        yield addresses
        asyncio.run(session.close())
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def ledger_dsn(postgres_cluster: servers.RunningPostgres) -> Iterator[str]:
    """One migrated database for this test process, as the role kovra_ledger."""
    database = postgres_cluster.database("EU")
    yield database.ledger
    postgres_cluster.drop(database)


@pytest.fixture(params=ENGINES)
def open_ledger(request: pytest.FixtureRequest) -> OpenLedger:
    """How to open a ledger of each engine in turn, on this test process's servers."""
    if request.param == "postgres":
        dsn: str = request.getfixturevalue("ledger_dsn")
        return lambda: PostgresLedger.open(dsn, name="ledger-test", deadline_s=60)
    if request.param == "tigerbeetle":
        addresses: str = request.getfixturevalue("tigerbeetle_addresses")
        return lambda: TigerBeetleLedger.open(0, addresses, deadline_s=60)
    return _open_memory


async def _open_memory() -> Ledger:
    return MemoryLedger()


@pytest.fixture
async def ledger(open_ledger: OpenLedger) -> AsyncIterator[Ledger]:
    """A ledger of each engine in turn."""
    opened = await open_ledger()
    yield opened
    await opened.close()


def fresh_id() -> int:
    """An id that no other test has: time-ordered, as ours are."""
    return time.time_ns() // 1_000_000 << 80 | secrets.randbits(79)


def account(flags: int = 0, *, ledger: int = LEDGER, code: int = CODE, number: int | None = None) -> Account:
    """An account to open."""
    return Account(fresh_id() if number is None else number, ledger, code, int(flags))


def posting(
    debit: int,
    credit: int,
    amount: int,
    flags: int = 0,
    *,
    number: int | None = None,
    pending_id: int = 0,
    timeout_s: int = 0,
    ledger: int = LEDGER,
    code: int = CODE,
    payment: int = 0,
) -> Posting:
    """A posting to send."""
    return Posting(
        id=fresh_id() if number is None else number,
        debit_account_id=debit,
        credit_account_id=credit,
        amount=amount,
        ledger=ledger,
        code=code,
        flags=int(flags),
        pending_id=pending_id,
        timeout_s=timeout_s,
        user_data_128=payment,
    )


def post(hold: Posting, amount: int, flags: int = 0) -> Posting:
    """A posting that posts a hold."""
    return posting(
        hold.debit_account_id,
        hold.credit_account_id,
        amount,
        flags | PostingFlag.POST_PENDING,
        pending_id=hold.id,
    )


def void(hold: Posting, flags: int = 0) -> Posting:
    """A posting that voids a hold."""
    return posting(
        hold.debit_account_id,
        hold.credit_account_id,
        hold.amount,
        flags | PostingFlag.VOID_PENDING,
        pending_id=hold.id,
    )


def link(postings: Sequence[Posting]) -> list[Posting]:
    """Join postings into one chain: all of them or none."""
    joined = [replace(one, flags=one.flags | PostingFlag.LINKED) for one in postings[:-1]]
    return [*joined, postings[-1]]


async def open_accounts(ledger: Ledger, *flags: int) -> list[int]:
    """Open one account per entry of `flags`; answers their ids."""
    accounts = [account(one) for one in flags]
    assert await ledger.create_accounts(accounts) == [AccountResult.CREATED] * len(accounts)
    return [one.id for one in accounts]


async def funded_wallet(ledger: Ledger, amount: int) -> tuple[int, int]:
    """A wallet that may not be overdrawn, holding `amount`, and the account that it was funded from."""
    house, wallet = await open_accounts(ledger, 0, AccountFlag.DEBITS_MUST_NOT_EXCEED_CREDITS | AccountFlag.HISTORY)
    if amount:
        await ledger.create_postings([posting(house, wallet, amount)])
    return house, wallet


async def balances(ledger: Ledger, *ids: int) -> list[tuple[int, int, int, int]]:
    """Of each account (debits pending, debits posted, credits pending, credits posted)."""
    found = await ledger.lookup_accounts(ids)
    return [
        (one.debits_pending, one.debits_posted, one.credits_pending, one.credits_posted)
        for one in (found[number] for number in ids)
    ]
