"""A bug in one command of a hundred is answered as a bug, its neighbours as they should be; nothing is half done; an outage stays one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from actors.deployment import Deployment
from actors.in_process import InProcess
from actors.runtime import ActorFailed
from actors.wallet import WalletActor
from cells.backends.postgres import Pool, StoreUnavailable, listening, open_pool, transaction
from cells.credits import book as credits_book
from cells.credits.credit import Deposit
from cells.kit.command import Command, RailDoor, UnknownCommand
from cells.rails import store_collections
from cells.wallets.handler import Saga
from residency.ids import mint
from tests.support.two_cells import HandCell, TwoCells, open_two_cells
from tests.support.waiting import until

_SAGAS: list[Saga] = []
CULPRIT = 50


async def open_saga(cell: str, rails: RailDoor) -> Saga:
    return _SAGAS.pop()


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[TwoCells]:
    async with open_two_cells(cell_database) as opened:
        yield opened


@pytest.fixture
async def pool(cell_database) -> AsyncIterator[Pool]:
    opened = await open_pool(cell_database("EU").writer, size_max=2, name="test-isolated")
    yield opened
    await opened.close()


async def actor_of(cell: HandCell) -> WalletActor:
    _SAGAS.append(cell.saga)
    actor = WalletActor(Deployment(cell.spec.name, handler=f"{__name__}:open_saga"))
    await actor.start(InProcess())
    return actor


async def hundred(cells: TwoCells) -> list[Deposit]:
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    return [
        Deposit(mint("col", "eu-1"), wallet.tenant_id, wallet.wallet_id, "sepa_instant", 100, "EUR") for _ in range(100)
    ]


def asked(deposits: list[Deposit]) -> list[Command]:
    # Ids of their own: they are logged, and a test's report crosses between processes as UTF-8.
    return [Command(f"{place}:deposit", one.wallet_id, "deposit", one) for place, one in enumerate(deposits)]


async def available(cells: TwoCells, actor: WalletActor, wallet_id: str) -> int:
    [reply] = await actor.ask_many([Command(mint("req", "eu-1"), wallet_id, "balance")])
    return reply["available_minor"]


def raise_for(culprit: Deposit, bug: Exception) -> Callable[[Deposit], None]:
    def look(one: Deposit) -> None:
        if one.collection_id == culprit.collection_id:
            raise bug

    return look


async def test_a_value_that_the_driver_cannot_send_spoils_one_of_a_hundred(cells: TwoCells) -> None:
    deposits = await hundred(cells)
    wrong = [*deposits]
    wrong[CULPRIT] = replace(deposits[CULPRIT], collection_id="col_\ud800")
    actor = await actor_of(cells.eu)
    replies = await actor.ask_many(asked(wrong))
    assert [type(one) for one in replies if one is not None] == [ActorFailed]
    assert isinstance(replies[CULPRIT], ActorFailed)
    assert (replies[CULPRIT].code, replies[CULPRIT].retryable) == ("internal", False)
    assert await available(cells, actor, deposits[0].wallet_id) == 9_900
    assert await actor.ask_many(asked(deposits)) == [None] * 100, (
        "asked again, rightly, it is carried out, and no other twice"
    )
    assert await available(cells, actor, deposits[0].wallet_id) == 10_000
    await actor.stop()


@pytest.mark.parametrize("place", ["before the ledger", "after the ledger"])
@pytest.mark.parametrize("bug", [FileNotFoundError("codes.csv"), asyncpg.InterfaceError("a bug"), TimeoutError()])
async def test_an_error_that_looks_like_an_outage_spoils_one_of_a_hundred(
    cells: TwoCells, monkeypatch: pytest.MonkeyPatch, place: str, bug: Exception
) -> None:
    deposits = await hundred(cells)
    look = raise_for(deposits[CULPRIT], bug)
    chains, close = credits_book._chains, store_collections.close

    def stumble(one, account):
        look(one)
        return chains(one, account)

    async def stumble_late(connection, region, collection_ids, state, by):
        for one in deposits:
            if one.collection_id in collection_ids:
                look(one)
        return await close(connection, region, collection_ids, state, by)

    actor = await actor_of(cells.eu)
    with monkeypatch.context() as patched:
        if place == "before the ledger":
            patched.setattr(credits_book, "_chains", stumble)
        else:
            patched.setattr(store_collections, "close", stumble_late)
        replies = await actor.ask_many(asked(deposits))
        assert [number for number, one in enumerate(replies) if one is not None] == [CULPRIT]
        assert isinstance(replies[CULPRIT], ActorFailed)
    assert await actor.ask_many(asked(deposits)) == [None] * 100
    assert await available(cells, actor, deposits[0].wallet_id) == 10_000, "each is credited once"
    await actor.stop()


async def test_an_unknown_command_is_refused_beside_those_that_are_known(cells: TwoCells) -> None:
    deposits = await hundred(cells)
    commands = asked(deposits)
    commands[CULPRIT] = Command("strange", deposits[0].wallet_id, "deposti", deposits[CULPRIT])
    actor = await actor_of(cells.eu)
    replies = await actor.ask_many(commands)
    assert [number for number, one in enumerate(replies) if one is not None] == [CULPRIT]
    assert isinstance(replies[CULPRIT], UnknownCommand)
    assert (await actor.ask_many([Command("s2", deposits[0].wallet_id, "")]))[0].code == "internal"
    await actor.stop()


@pytest.mark.parametrize(
    "bug",
    [FileNotFoundError("x"), PermissionError("x"), ConnectionResetError(), TimeoutError(), asyncpg.InterfaceError("x"), KeyError("x")],
)  # fmt: skip
async def test_what_a_block_raises_of_its_own_is_no_outage(pool: Pool, bug: Exception) -> None:
    for _ in range(4):  # more often than there are connections
        with pytest.raises(type(bug)) as raised:  # noqa: PT012 - how the block ends is what is tested
            async with transaction(pool) as connection:
                await connection.execute("create temporary table never_kept (x int)")
                raise bug
        assert raised.value is bug
        with pytest.raises(type(bug)):
            async with listening(pool, "test", lambda: None):
                raise bug
    async with transaction(pool) as connection:
        assert await connection.fetchval("select to_regclass('never_kept')") is None


async def test_a_value_or_a_use_that_the_driver_refuses_is_no_outage(pool: Pool) -> None:
    with pytest.raises(asyncpg.DataError):
        async with transaction(pool) as connection:
            await connection.fetchval("select $1::bigint", 2**70)
    with pytest.raises(asyncpg.InterfaceError):
        async with transaction(pool) as connection:
            await asyncio.gather(connection.fetchval("select 1"), connection.fetchval("select 2"))
    with pytest.raises(FileNotFoundError):  # noqa: PT012 - how the block ends is what is tested
        async with transaction(pool) as connection:
            await connection.fetchval("select 1")
            Path("/nowhere/at/all").read_text()  # noqa: ASYNC240 - a file that is missing


async def test_a_connection_that_ends_in_the_block_or_at_the_commit_is_an_outage(pool: Pool, cell_database) -> None:
    async def killed(connection) -> None:
        pid = await connection.fetchval("select pg_backend_pid()")
        other = await asyncpg.connect(databases.superuser)
        await other.execute("select pg_terminate_backend($1)", pid)
        await until(lambda: connection._con is None or connection.is_closed())
        await other.close()

    databases = cell_database("EU")
    for query in (True, False):
        with pytest.raises(StoreUnavailable):  # noqa: PT012 - how the block ends is what is tested
            async with transaction(pool) as connection:
                await killed(connection)
                if query:
                    await connection.fetchval("select 1")
    with pytest.raises(StoreUnavailable):
        async with transaction(pool) as connection:
            await connection.fetchval("select pg_sleep(30)", timeout=0.05)
    with pytest.raises(StoreUnavailable):  # noqa: PT012 - how the block ends is what is tested
        async with transaction(pool) as connection:
            connection.terminate()
            raise FileNotFoundError("a bug on a connection that is gone: asked again, it shows")
    async with transaction(pool) as connection:
        assert await connection.fetchval("select 1") == 1


async def test_a_database_that_is_away_is_an_outage() -> None:
    with pytest.raises(StoreUnavailable):
        await open_pool("postgres://nobody@127.0.0.1:1/none", size_max=1, name="test-away")
