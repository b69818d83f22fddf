"""Round trips of payments a second through one rail actor: handed over, sent to the simulated scheme over HTTP, answered, recorded, pushed
to their wallet and acknowledged. The actor, its stages, the connector and the scheme are the real ones; the record and the wallet are in
memory, so the figure is the rail's own and not Postgres's (journey.py has both)."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from actors.deployment import Deployment
from actors.in_process import InProcess
from cells.kit.command import Command, Journaled, RailDoor, Reply
from cells.rails.rail import Payout, Rail, Refused
from cells.rails.registry import open_rail, profile_of
from residency.ids import mint
from tests.support.rail_room import Desk, Record
from tests.support.schemes import RunningSchemes, payout, start_schemes, stop_schemes

_ONE, _MANY = "sepa_instant", "faster_payments"
_TRIPS = 2_000
_HANDED_OVER_BY = 100


class _Wallets:
    """A WalletHandler that takes every word at once."""

    async def activate(self, wallet_ids: Sequence[str]) -> Mapping[str, int]:
        return dict.fromkeys(wallet_ids, 1)

    async def run(self, batch: Sequence[Command], epochs: Mapping[str, int], journaled: Journaled) -> Sequence[Reply]:
        journaled()
        return [None] * len(batch)

    async def passivate(self, wallet_ids: Sequence[str]) -> None:
        return

    def counts(self) -> Mapping[str, int]:
        return {}

    async def close(self) -> None:
        return


class _Desk(Desk):
    """The record in memory, before a real scheme's connector."""

    rail: Rail  # type: ignore[assignment]

    def __init__(self, rail: Rail, book: Record) -> None:
        self.rail, self.book = rail, book
        self.done = asyncio.Event()
        self.wanted = 0

    async def prepare(self, transfer_ids: Sequence[str]) -> Sequence[Payout | Refused]:
        return [replace(payout(self.rail.profile), transfer_id=one) for one in transfer_ids]

    async def acknowledge(self, transfer_ids: Sequence[str]) -> None:
        await super().acknowledge(transfer_ids)
        if len(self.book.acknowledged) >= self.wanted:
            self.done.set()

    async def close(self) -> None:
        await self.rail.close()


_desks: dict[str, _Desk] = {}


async def open_handler(cell: str, rails: RailDoor) -> _Wallets:
    """What the wallets' actor builds inside."""
    return _Wallets()


async def open_desk(cell: str, rail: str) -> _Desk:
    """What the rail's actor builds inside."""
    return _desks[rail]


async def rail_trips() -> dict[str, Any]:
    """Payments a second through one actor: of a scheme that takes one a message, and of one that takes many."""
    schemes = await asyncio.to_thread(start_schemes)
    try:
        many = profile_of(_MANY).transactions_per_message
        return {
            "rail_round_trips_per_s": round(await _rate(schemes, _ONE)),
            f"rail_round_trips_per_s_by_{many}": round(await _rate(schemes, _MANY)),
        }
    finally:
        await asyncio.to_thread(stop_schemes, schemes)


async def _rate(schemes: RunningSchemes, rail: str) -> float:
    desk = _desks[rail] = _Desk(open_rail(rail, schemes.connection(rail)), Record())
    deployment = Deployment("bench", handler=f"{__name__}:open_handler", desk=f"{__name__}:open_desk")
    runtime = InProcess()
    try:
        door = deployment.rails(runtime)
        # Once before the clock runs: the actor starts, and the connections open.
        await _trips(desk, door, rail, _HANDED_OVER_BY)
        started = time.perf_counter()
        await _trips(desk, door, rail, _TRIPS)
        taken_s = time.perf_counter() - started
        assert {one.outcome is not None and one.outcome.final for one in desk.book.rows.values()} == {True}
        return _TRIPS / taken_s
    finally:
        await runtime.close()


async def _trips(desk: _Desk, door: RailDoor, rail: str, count: int) -> None:
    ids = [mint("tr", "eu-1") for _ in range(count)]
    desk.wanted += count
    desk.done.clear()
    for start in range(0, count, _HANDED_OVER_BY):
        await door.submit(rail, ids[start : start + _HANDED_OVER_BY])
    await desk.done.wait()


if __name__ == "__main__":
    print(asyncio.run(rail_trips()))
