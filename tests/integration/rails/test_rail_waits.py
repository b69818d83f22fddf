"""Payments that wait for their rail, over the real API, actors and simulated schemes: a full queue, a closed scheme, an open circuit.
Each is paid once in the end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from actors.deployment import Deployment
from actors.workers.sweep import Sweep
from cells.backends.postgres import transaction
from cells.rails import store_routing
from cells.rails.console import SchemeConsole
from cells.rails.rail import end_to_end_id
from tests.integration.api.test_api_payment import pay, until_final, wish
from tests.integration.api.test_api_suspense import host_of
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.schemes import RunningSchemes
from tests.support.servers import free_port
from tests.support.waiting import until

INSTANT, CREDIT_TRANSFER = "sepa_instant", "sepa_credit_transfer"
FRIDAY_EVENING = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
MONDAY_MORNING = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
Opened = Callable[..., Any]


class Clock:
    """The rails' clock of these tests."""

    at: datetime = MONDAY_MORNING


def clock() -> datetime:
    return Clock.at


@pytest.fixture
def opened(cell_database, schemes: RunningSchemes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Opens the cell where the scheme expects it; `rails`: more settings of its schemes."""
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    Clock.at = MONDAY_MORNING

    @asynccontextmanager
    async def opening(**rails: Any) -> AsyncIterator[ApiCell]:
        async with open_api_cell(tmp_path, cell_database("EU"), schemes, rails=rails) as cell:
            server = uvicorn.Server(
                uvicorn.Config(cell.app, port=schemes.gateway_port, log_level="warning", lifespan="off")
            )
            serving = asyncio.create_task(server.serve())
            try:
                yield cell
            finally:
                server.should_exit = True
                await serving

    return opening


async def spawn(cell: ApiCell, rail: str, **bounds: Any) -> None:
    """The rail's actor, as the cell would spawn it, by this test's clock and with these bounds."""
    deployment = replace(Deployment.of(cell.spec), clock=f"{__name__}:clock", rail_bounds=tuple(sorted(bounds.items())))
    await cell.runtime.spawn(deployment.rail_service(rail))


async def asked_of(schemes: RunningSchemes, rail: str, transfer_id: str) -> tuple[int, int]:
    """How often the scheme was asked for the payment, and how often it paid it."""
    async with SchemeConsole(schemes.connection(rail)) as console:
        found = await console.payments(end_to_end_id(transfer_id))
    return found.asked, found.paid


async def submissions(cell: ApiCell) -> list[tuple[str, str]]:
    async with transaction(cell.parts.writer) as connection:
        rows = await connection.fetch("select rail, state from submissions order by transfer_id")
    return [(row["rail"], row["state"]) for row in rows]


def in_ten_days() -> str:
    return (datetime.now(UTC) + timedelta(days=10)).isoformat().replace("+00:00", "Z")


async def test_what_a_full_rail_refuses_comes_back_through_the_sweep(opened: Opened, schemes: RunningSchemes) -> None:
    async with opened() as cell:
        await cell.fund()
        await spawn(cell, INSTANT, queue_max=0)
        made = [(await pay(cell, await wish(cell), key=f"pay-{place}")).json()["id"] for place in range(3)]
        sweep, stop = Sweep(host_of(cell), cell.parts.wallets), asyncio.Event()
        sweeping = asyncio.create_task(sweep.run(stop))

        async def swept() -> bool:
            return sweep.health()["standing_still"] == 3

        await until(swept)
        assert await submissions(cell) == [], "refused whole: nothing is on record there"
        await cell.runtime.stop(f"rail-{INSTANT}")
        await spawn(cell, INSTANT)
        for one in made:
            assert (await until_final(cell, one))["status"] == "COMPLETED"
            assert await asked_of(schemes, INSTANT, one) == (1, 1)
        stop.set()
        await sweeping


async def test_a_payment_waits_for_the_opening_of_its_rail(opened: Opened, schemes: RunningSchemes) -> None:
    async with opened() as cell:
        await cell.fund()
        Clock.at = FRIDAY_EVENING
        await spawn(cell, CREDIT_TRANSFER, closed_last_s=0.05)
        made = (await pay(cell, await wish(cell, deadline=in_ten_days()))).json()["id"]

        async def waiting() -> bool:
            return await submissions(cell) == [(CREDIT_TRANSFER, "queued")]

        await until(waiting)
        assert await asked_of(schemes, CREDIT_TRANSFER, made) == (0, 0)
        # The wait is on the record, not in memory.
        await cell.runtime.crash(f"rail-{CREDIT_TRANSFER}")
        Clock.at = MONDAY_MORNING

        assert (await until_final(cell, made))["status"] == "COMPLETED"
        assert await asked_of(schemes, CREDIT_TRANSFER, made) == (1, 1)


@pytest.mark.parametrize("deadline", [True, False])
async def test_an_open_circuit_lets_a_payment_that_was_never_asked_leave_by_another_rail(
    opened: Opened, schemes: RunningSchemes, deadline: bool
) -> None:
    away = {"url": f"http://127.0.0.1:{free_port()}/nowhere"}
    rail = CREDIT_TRANSFER if deadline else INSTANT
    async with opened(**{rail: away}) as cell:
        await cell.fund()
        await spawn(cell, rail, retry_first_s=0.01, retry_last_s=0.02)
        wanted = {"deadline": in_ten_days()} if deadline else {}
        made = (await pay(cell, await wish(cell, **wanted))).json()["id"]

        async def opened_circuit() -> bool:
            async with transaction(cell.parts.writer) as connection:
                state = await connection.fetchval("select breaker from rail_standing where rail = $1", rail)
            return bool(state == "open")

        await until(opened_circuit)
        if not deadline:
            # The other takes days: it waits for the circuit, and so does the next payment.
            assert await submissions(cell) == [(INSTANT, "queued")]
            return
        assert (await until_final(cell, made))["status"] == "COMPLETED"
        assert await asked_of(schemes, INSTANT, made) == (1, 1)
        assert await asked_of(schemes, CREDIT_TRANSFER, made) == (0, 0)
        async with transaction(cell.parts.writer) as connection:
            choices = await store_routing.choices(connection, "EU", made)
        assert [(one["cause"], one["rail"]) for one in choices] == [
            ("accepted", CREDIT_TRANSFER),
            ("fallback", INSTANT),
        ]
        assert (await cell.client.get(f"/v1/transfers/{made}")).json()["rail"] == INSTANT
