"""The cell's own Postgres: pools by role, and the tenant-bound transaction. The only driver import outside the ledger engine.

Money is bigint, ids are text, u128 numbers are `uuid` columns (16 bytes, ordered), JSON columns carry Python values.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import asyncpg
import orjson
from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from residency.errors import KovraError

# asyncpg is typed loosely; these names keep its types in one place.
Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy
Pool: TypeAlias = asyncpg.Pool
Row = TypeVar("Row")

__all__ = [
    "Connection",
    "Pool",
    "Read",
    "Record",
    "StoreUnavailable",
    "fetch_apart",
    "listening",
    "open_pool",
    "tenant_transaction",
    "transaction",
]


_ACQUIRE_TIMEOUT_S = 10.0
_NEVER = 2**62
_STATEMENTS_MAX = 512


class StoreUnavailable(KovraError):
    """The database did not answer. Nothing was committed, or it was and the same request will find it."""

    code = "store-unavailable"
    status = 503
    retryable = True
    title = "This region's record is not reachable just now"


# What a lost or restarting server raises; everything else is a bug and travels up.
LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.TooManyConnectionsError,
)


# What the driver raises over a value that Python cannot hold, or a document that is none.
_UNREADABLE = (OverflowError, ValueError)


# What the database takes back for a reason of the moment: the same again may go through.
_PASSING = (
    asyncpg.TransactionRollbackError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
)


def passing(error: Exception) -> bool:
    """Whether what failed may succeed if it is done again, unchanged: an outage, a deadlock. Else something it holds is at fault."""
    return isinstance(error, _PASSING) or (isinstance(error, KovraError) and error.retryable)


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
        format="binary",
    )


async def _keep(connection: asyncpg.Connection) -> None:
    """Nothing to undo when a connection comes back: every setting of ours is the transaction's own. Spares a round trip each."""


async def open_pool(dsn: str, *, size_max: int, name: str, size_min: int = 1) -> Pool:
    """A pool of prepared connections. `name` shows in pg_stat_activity. Raises StoreUnavailable."""
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=size_min,
            max_size=size_max,
            init=_prepare,
            reset=_keep,
            # A connection lives until it breaks, and keeps its prepared statements as long: both are dear to make again.
            max_queries=_NEVER,
            max_inactive_connection_lifetime=0,
            statement_cache_size=_STATEMENTS_MAX,
            max_cached_statement_lifetime=0,
            command_timeout=30,
            server_settings={"application_name": name},
        )
    except LOST as error:
        raise StoreUnavailable() from error


@asynccontextmanager
async def transaction(pool: Pool, *, flushed: bool = True) -> AsyncIterator[Connection]:
    """One transaction of the pool's role, committed at the end of the block. Raises StoreUnavailable.

    `flushed=False`: the commit does not wait for the disk. A crash of the server may then undo it, never a part of it, and never
    beneath a later commit that did wait: only for what will be found out again and written anew.
    """
    try:
        async with _acquired(pool) as connection, connection.transaction():
            if not flushed:
                await connection.execute("set local synchronous_commit to off")
            yield connection
    except LOST as error:
        # The driver's word for a value that it cannot send (its DataError) is an InterfaceError too, and no outage.
        if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
            raise
        raise StoreUnavailable() from error


class Read(NamedTuple, Generic[Row]):
    """What a query found: `rows`, and by their ids those that could not be read, with what went wrong."""

    rows: list[Row]
    unreadable: Mapping[str, Exception]


async def fetch_apart(
    connection: Connection, make: Callable[[Record], Row], key: str, query: str, *arguments: Any
) -> Read[Row]:
    """The rows of a query, each by `make`; one that cannot be read is left out and named by its `key`, a column of the query, and
    spoils no other. One statement, unless something is unreadable."""
    try:
        records = await connection.fetch(query, *arguments)
        unreadable: dict[str, Exception] = {}
    except _UNREADABLE:
        records, unreadable = await _halved(connection, key, query, arguments)
    rows: list[Row] = []
    for record in records:
        try:
            rows.append(make(record))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one row is said of that row
            unreadable[str(record[key])] = error
    return Read(rows, unreadable)


async def _halved(
    connection: Connection, key: str, query: str, arguments: Sequence[Any]
) -> tuple[list[Record], dict[str, Exception]]:
    """The driver reads an answer whole or not at all: halve it until what it cannot read stands alone."""
    only = f"select q.* from ({query}) as q where q.{key}::text = any (${len(arguments) + 1}::text[])"
    keys = [row[0] for row in await connection.fetch(f"select q.{key}::text from ({query}) as q", *arguments)]
    records: list[Record] = []
    unreadable: dict[str, Exception] = {}
    parts = [keys]
    while parts:
        part = parts.pop()
        try:
            records += await connection.fetch(only, *arguments, part)
        except _UNREADABLE as error:
            if len(part) == 1:
                unreadable[part[0]] = error
            else:
                # The first half is taken next, so that the order is kept.
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]
    return records, unreadable


@asynccontextmanager
async def _acquired(pool: Pool) -> AsyncIterator[Connection]:
    # The driver's own timeout would make a task of every wait.
    async with asyncio.timeout(_ACQUIRE_TIMEOUT_S):
        connection = await pool.acquire()
    try:
        yield connection
    finally:
        await pool.release(connection)


async def ping(pool: Pool) -> None:
    """Ask the database for an answer. Raises StoreUnavailable."""
    async with transaction(pool) as connection:
        await connection.execute("select 1")


@asynccontextmanager
async def tenant_transaction(pool: Pool, tenant_id: str) -> AsyncIterator[Connection]:
    """A transaction of the API's role that sees one tenant's rows and no other's. Raises StoreUnavailable."""
    async with transaction(pool) as connection:
        await connection.execute("select set_config('kovra.tenant', $1, true)", tenant_id)
        yield connection


@asynccontextmanager
async def listening(pool: Pool, channel: str, wake: Callable[[], None]) -> AsyncIterator[Connection]:
    """Call `wake()` at each notification on `channel`, and once if the connection is lost (then it `is_closed()`).

    Raises StoreUnavailable.
    """

    def heard(*_: object) -> None:
        wake()

    try:
        async with _acquired(pool) as connection:
            connection.add_termination_listener(heard)
            await connection.add_listener(channel, heard)
            try:
                yield connection
            finally:
                connection.remove_termination_listener(heard)
                if not connection.is_closed():
                    await connection.remove_listener(channel, heard)
    except LOST as error:
        raise StoreUnavailable() from error
