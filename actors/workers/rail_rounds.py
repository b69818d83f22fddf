"""Going round the rails of a cell: one that cannot be spoken to now holds up no other, and is tried again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from actors.workers.worker import sleep_unless
from cells.cell import Institution
from cells.rails import registry
from cells.rails.archive import VaultArchive
from cells.rails.rail import Rail
from residency.errors import place_of

_log = logging.getLogger("kovra.rail_rounds")


async def go_round(
    stop: asyncio.Event, institution: Institution, visit: Callable[[str], Awaitable[None]], *, every_s: float, what: str,
    after: Callable[[], Awaitable[None]],
) -> None:  # fmt: skip
    """Visit each rail in turn, every `every_s` seconds until `stop`. `what`: told in the log when a visit fails; `after`: called after a
    round in which none did."""
    while not stop.is_set():
        failed = False
        for rail in institution.spec.settings.schemes:
            try:
                await visit(rail)
            except Exception as error:  # noqa: BLE001 - an outage or a bug, with one rail: the others have their turn
                _log.warning("%s over %s wait: %s", what, rail, place_of(error))
                failed = True
        if not failed:
            await after()
        await sleep_unless(stop, every_s)


@asynccontextmanager
async def opened(institution: Institution, rail: str) -> AsyncIterator[Rail]:
    """A connector to the rail's scheme that keeps what it says and hears, closed at the end of the block."""
    spec = institution.spec
    archive = VaultArchive(institution.pool, institution.vault)
    connector = registry.open_rail(rail, registry.connection_of(spec, rail), archive)
    try:
        yield connector
    finally:
        await connector.close()
