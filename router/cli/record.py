"""The command line's two ways to a cell's own record: to read it, and to change it with an entry on the audit trail.

Invariants: what reads cannot write (the database refuses it); what is changed commits together with an entry of the trail that names
who acted, or not at all.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from cells.audit import store as audit
from cells.audit.entry import Entry
from cells.backends.postgres import Connection, Pool, open_pool, transaction
from cells.cell import Institution, open_institution
from cells.spec import CellSpec
from router.cli.deeds import ACTIONS

_NAME = "kovra-cli"


@dataclass
class Change:
    """A transaction that changes something. `actor`: as the trail names who acts; `unchanged`: everything was as asked already."""

    connection: Connection
    spec: CellSpec
    actor: str
    unchanged: bool = False

    async def record(self, action: str, resource_id: str, *, tenant_id: str | None = "", outcome: str = "done") -> None:
        """One entry of the trail, in this transaction. `action` is one of router.cli.deeds."""
        assert action in ACTIONS, f"{action} is in no row of router.cli.deeds"
        entry = Entry(datetime.now(UTC), self.actor, tenant_id or "", action, resource_id, outcome, "")
        await audit.append(self.connection, self.spec.region, self.spec.name, [entry])

    async def recorded(self) -> bool:
        """Whether this transaction has an entry on the trail."""
        return await audit.appended_here(self.connection, self.spec.region, self.spec.name)


class _Undone(Exception):
    """Nothing is to be kept of the transaction."""


@asynccontextmanager
async def reading(spec: CellSpec) -> AsyncIterator[Connection]:
    """A transaction of a cell's writer that can only read. Raises StoreUnavailable."""
    async with pool_of(spec) as pool, reading_of(pool) as connection:
        yield connection


@asynccontextmanager
async def changing(spec: CellSpec, actor: str) -> AsyncIterator[Change]:
    """A transaction of a cell's writer, committed with what it records of itself. Raises StoreUnavailable."""
    async with pool_of(spec) as pool, changing_of(pool, spec, actor) as change:
        yield change


@asynccontextmanager
async def reading_of(pool: Pool) -> AsyncIterator[Connection]:
    """As `reading`, of an open pool."""
    async with transaction(pool) as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield connection


@asynccontextmanager
async def changing_of(pool: Pool, spec: CellSpec, actor: str) -> AsyncIterator[Change]:
    """As `changing`, of an open pool."""
    try:
        async with transaction(pool) as connection:
            change = Change(connection, spec, actor)
            yield change
            if change.unchanged:
                raise _Undone
            if not await change.recorded():
                raise AssertionError("a command changed something and recorded nothing: it is undone")
    except _Undone:
        pass


@asynccontextmanager
async def pool_of(spec: CellSpec) -> AsyncIterator[Pool]:
    """A pool of one connection of a cell's writer. Raises StoreUnavailable."""
    pool = await open_pool(spec.settings.postgres.writer, size_max=1, name=_NAME)
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def institution_of(spec: CellSpec) -> AsyncIterator[Institution]:
    """A cell with its keys and its vault, over one connection of its writer. Raises KeysInvalid, StoreUnavailable."""
    institution = await open_institution(spec, "writer", name=_NAME, connections_max=1)
    try:
        yield institution
    finally:
        await institution.close()
