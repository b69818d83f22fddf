"""The cell's own Postgres: pools by role, and the tenant-bound transaction. The only driver import outside the ledger engine.

Money is bigint, ids are text, u128 numbers are `uuid` columns (16 bytes, ordered), JSON columns carry Python values.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from traceback import walk_tb
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


# What the server, or the driver on its behalf, calls an end of the connection.
_SAID_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
# What connecting, acquiring and committing raise without a server. Raised by the body of a transaction they may be anything: a file
# that is missing is an OSError, and a value that the driver cannot send an InterfaceError.
LOST = (*_SAID_LOST, OSError, TimeoutError, asyncpg.InterfaceError)


def _is_outage(error: Exception, connection: Connection) -> bool:
    """Whether an error of LOST that a body raised is the connection's, and not the body's own bug."""
    if isinstance(error, _SAID_LOST) or _is_gone(connection):
        return True
    return not isinstance(error, asyncpg.InterfaceError) and _is_of_the_driver(error)


def _is_gone(connection: Connection) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # the pool takes a dead connection back at once, and it answers no more
        return True


def _is_of_the_driver(error: Exception) -> bool:
    """Whether it was raised below a call to the driver: its time limit is a bare TimeoutError, and a socket's failure an OSError."""
    return any(frame.f_globals.get("__name__", "").startswith("asyncpg") for frame, _ in walk_tb(error.__traceback__))


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
    """One transaction of the pool's role, committed at the end of the block. Raises StoreUnavailable; what the block raises of its own
    it raises as it is, after a rollback.

    `flushed=False`: the commit does not wait for the disk. A crash of the server may then undo it, never a part of it, and never
    beneath a later commit that did wait: only for what will be found out again and written anew.
    """
    async with _outages_translated(pool) as (connection, body), connection.transaction():
        if not flushed:
            await connection.execute("set local synchronous_commit to off")
        with body:
            yield connection


class _Body:
    """What a caller does with a connection: remembers what it raises of its own, a cancellation among it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.bug: BaseException | None = None

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not (isinstance(error, LOST) and _is_outage(error, self._connection)):
            self.bug = error


@asynccontextmanager
async def _outages_translated(pool: Pool) -> AsyncIterator[tuple[Connection, _Body]]:
    """A connection; whatever it fails in is StoreUnavailable, apart from the bugs of what is done within the body."""
    body: _Body | None = None
    try:
        async with _acquired(pool) as connection:
            body = _Body(connection)
            yield connection, body
    except LOST as error:
        if body is not None and body.bug is not None:
            # It stands, even if the rollback after it failed as well.
            raise body.bug from None
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

    async with _outages_translated(pool) as (connection, body):
        connection.add_termination_listener(heard)
        await connection.add_listener(channel, heard)
        try:
            with body:
                yield connection
        finally:
            if not _is_gone(connection):
                connection.remove_termination_listener(heard)
                await connection.remove_listener(channel, heard)
