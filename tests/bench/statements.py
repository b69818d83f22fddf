"""How many statements and transactions a piece of work takes, counted from the servers' own logs.

While it lasts, each server writes a line for every statement, without its parameters. What the cells do all the time anyway (workers that
look whether there is something) is measured before, for as long as the work takes, and taken off: the figure is exact but for that.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg

_IDLE_S = 5.0
_STATEMENT = re.compile(rb"LOG:  (?:statement|execute [^:]*): (\w+)")
_ENDS = frozenset({b"COMMIT", b"ROLLBACK"})
_SETTLED_S = 0.5

Server = tuple[str, Path]
"""A superuser's connection string, and where the server logs."""


async def statements(servers: Sequence[Server], work: Callable[[], Awaitable[None]]) -> dict[str, float]:
    """`statements` and `transactions` of the work at all servers together, less what they do without it."""
    for dsn, _ in servers:
        await _logging(dsn, on=True)
    try:
        idle = await _counted(servers, lambda: asyncio.sleep(_IDLE_S))
        began = time.perf_counter()
        found = await _counted(servers, work)
        took = time.perf_counter() - began
    finally:
        for dsn, _ in servers:
            await _logging(dsn, on=False)
    return {name: max(0.0, found[name] - idle[name] * took / _IDLE_S) for name in ("statements", "transactions")}


async def _counted(servers: Sequence[Server], work: Callable[[], Awaitable[None]]) -> Counter[str]:
    places = [log.stat().st_size for _, log in servers]
    await work()
    await asyncio.sleep(_SETTLED_S)
    counts: Counter[str] = Counter()
    for (_, log), place in zip(servers, places, strict=True):
        with log.open("rb") as file:
            file.seek(place)
            found = [match.upper() for match in _STATEMENT.findall(file.read())]
        counts["statements"] += len(found)
        counts["transactions"] += sum(one in _ENDS for one in found)
    return counts


async def _logging(dsn: str, *, on: bool) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"alter system set log_statement = '{'all' if on else 'none'}'")
        await connection.execute("select pg_reload_conf()")
    finally:
        await connection.close()
