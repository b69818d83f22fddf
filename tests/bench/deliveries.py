"""Webhook deliveries a second: one worker process, a database of its own that waits for the disk, a listener on loopback.

Each is signed three ways, sent over HTTP, and its attempt written down. The worker and the listener are processes of their own, so that
the listener's cost is not the worker's.
"""

import asyncio
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

import psutil

from actors.workers.webhooks import opened_webhooks
from cells.backends.postgres import open_pool, tenant_transaction, transaction
from cells.backends.vault import Vault
from cells.webhooks.endpoints import create_endpoint
from tests.support.emitting import an_event, emit
from tests.support.eu_cell import CELL, open_eu_cell
from tests.support.http_listener import open_listener
from tests.support.servers import scratch_directory, start_postgres

_DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
_BATCH = 100
_SPAWN = multiprocessing.get_context("spawn")
# The listener is on a port that the kernel picks.
_PORTS = range(1, 65_536)


def deliveries(count: int = 3_000) -> dict[str, Any]:
    """Deliveries a second to one endpoint, and spread over eight; the worker's CPU for each."""
    directory = scratch_directory()
    server = start_postgres(directory, _DURABLE)
    try:
        one, cpu_us = asyncio.run(_measure(server.database, count, endpoints=1))
        many, _ = asyncio.run(_measure(server.database_async, count, endpoints=8))
    finally:
        server.process.terminate()
        server.process.wait()
        shutil.rmtree(directory, ignore_errors=True)
    return {
        "webhook_deliveries_per_s": round(many),
        "webhook_deliveries_per_s_to_one_endpoint": round(one),
        "cpu_us_per_webhook_delivery": round(cpu_us),
    }


async def _measure(database: Callable[[str], Any], count: int, *, endpoints: int) -> tuple[float, float]:
    """Deliveries a second from a backlog of `count`, and the worker's CPU microseconds for each."""
    found = database(CELL.region)
    described = await found if asyncio.iscoroutine(found) else found
    vault_key = os.urandom(32)
    async with open_eu_cell(described) as cell:
        urls = _SPAWN.Queue()
        listener = _SPAWN.Process(target=_listen, args=(urls,), daemon=True)
        listener.start()
        url = await asyncio.to_thread(urls.get, timeout=30)
        vault = Vault(CELL.region, {"k1": vault_key}, "k1")
        async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
            for _ in range(endpoints):
                await create_endpoint(
                    connection, vault, CELL.name, cell.tenant.tenant_id, url=url, loopback_ports=_PORTS
                )
        for _ in range(count // endpoints // _BATCH):
            async with transaction(cell.writer) as connection:
                await emit(connection, *(an_event(cell) for _ in range(_BATCH)))
        worker = _SPAWN.Process(target=_work, args=(described.writer, vault_key), daemon=True)
        worker.start()
        try:
            return await _drained(
                cell.writer, psutil.Process(worker.pid), count // endpoints // _BATCH * _BATCH * endpoints
            )
        finally:
            for process in (worker, listener):
                process.terminate()
                process.join()


async def _drained(pool: Any, worker: psutil.Process, whole: int) -> tuple[float, float]:
    """From the first tenth, when the worker has started, to the last of `whole` deliveries."""
    query = "select count(*) from webhook_deliveries where state = 'delivered'"
    begun: tuple[float, float, int] | None = None
    while True:
        async with transaction(pool) as connection:
            done = await connection.fetchval(query)
        at, cpu = time.perf_counter(), sum(worker.cpu_times()[:2])
        if begun is None and done >= whole / 10:
            begun = at, cpu, done
        if done == whole:
            assert begun is not None
            sent = done - begun[2]
            return sent / (at - begun[0]), (cpu - begun[1]) / sent * 1e6
        await asyncio.sleep(0.02)


def _work(dsn: str, vault_key: bytes) -> None:
    async def run() -> None:
        pool = await open_pool(dsn, size_max=4, name="bench-webhooks")
        vault = Vault(CELL.region, {"k1": vault_key}, "k1")
        async with opened_webhooks(pool, vault, _PORTS) as worker:
            await worker.run(asyncio.Event())

    asyncio.run(run())


def _listen(urls: Any) -> None:
    async def run() -> None:
        async with open_listener() as listener:
            urls.put(listener.url)
            await asyncio.Event().wait()

    asyncio.run(run())


if __name__ == "__main__":
    print(deliveries())
