"""The stream of payments that goes on while things break, and the bystanders whose payments must not notice.

Clients of the stream retry under one key until they know. A bystander pays inside one region, tries once, and counts a failure
against the fault that was on at the time, unless that fault is in its own cell.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.history.model import TERMINAL
from tests.chaos.partner import CELLS, Accepted, Order, Partner
from tests.chaos.patience import unless, until

_FOLLOWED_FIRST_S, _FOLLOWED_LAST_S = 0.4, 3.0
# (from, to, how often, the smallest and largest amount in minor units, who is paid)
_FATES = ("plain",) * 14 + ("rejected",) * 3 + ("timeout_settled", "timeout_rejected", "pending")
_ROUTES: Sequence[tuple[str, str, int, int, int]] = (
    ("EUR", "IDR", 4, 1_000, 20_000),
    ("EUR", "EUR", 2, 500, 20_000),
    ("GBP", "IDR", 3, 1_000, 20_000),
    ("IDR", "GBP", 2, 20_000_000, 90_000_000),
)
_BYSTANDERS: dict[str, tuple[int, int]] = {"EUR": (100, 900), "GBP": (100, 900), "IDR": (1_000_000, 9_000_000)}


def draw(chance: random.Random) -> Order:
    """One payment of the stream."""
    source, target, _, least, most = chance.choices(_ROUTES, weights=[route[2] for route in _ROUTES])[0]
    amount = chance.randint(least, most)
    if source == "IDR":
        amount -= amount % 100  # whole rupiah
    return Order(source, target, amount, chance.choice(_FATES))


@dataclass(frozen=True, slots=True)
class Failed:
    """A bystander's payment that failed: in which cell, under which fault, why."""

    cell: str
    fault: str
    why: str


@dataclass
class Traffic:
    """All clients. `touched`: the cells that the fault of the moment is in; `fault`: its name."""

    partner: Partner
    seed: int
    pause_s: float = 1.0
    accepted: list[Accepted] = field(default_factory=list)
    unfinished: dict[str, Accepted] = field(default_factory=dict)
    failed: list[Failed] = field(default_factory=list)
    bystanders: int = 0
    touched: frozenset[str] = frozenset()
    fault: str = ""
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _following: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, clients: int) -> None:
        for number in range(clients):
            self._tasks.append(
                asyncio.create_task(self._stream(f"client-{number}", random.Random(f"{self.seed}/{number}")))
            )
        for currency in CELLS:
            self._tasks.append(asyncio.create_task(self._stand_by(currency, random.Random(f"{self.seed}/{currency}"))))
            self._tasks.append(asyncio.create_task(self._watch(currency)))

    async def stop(self) -> None:
        """No new payments; those under way are followed on. Raises what a client failed with."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        self._stop.set()
        for task in [*self._tasks, *self._following]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._following, return_exceptions=True)

    def took(self, accepted: Accepted | None) -> None:
        """Remember an accepted payment, and follow it to its end."""
        if accepted is None:
            return
        self.accepted.append(accepted)
        self.unfinished[accepted.transfer_id] = accepted
        task = asyncio.create_task(self._follow(accepted))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _stream(self, name: str, chance: random.Random) -> None:
        while not self._stop.is_set():
            self.took(await self.partner.pay(draw(chance), name, within_s=180))
            await unless(self._stop, chance.uniform(0.2, 1.8) * self.pause_s)

    async def _follow(self, accepted: Accepted) -> None:
        pause_s = _FOLLOWED_FIRST_S
        while True:
            status = await self.partner.read(accepted.transfer_id, accepted.order.source, "follower")
            if status in TERMINAL:
                del self.unfinished[accepted.transfer_id]
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.6, _FOLLOWED_LAST_S)

    async def _watch(self, currency: str) -> None:
        """Look at the wallet again and again: a balance that never was must not be seen."""
        while not self._stop.is_set():
            await self.partner.balance(currency, f"auditor-{currency}")
            await unless(self._stop, 2.0 * self.pause_s)

    async def _stand_by(self, currency: str, chance: random.Random) -> None:
        cell, (least, most) = CELLS[currency], _BYSTANDERS[currency]
        while not self._stop.is_set():
            amount = chance.randint(least, most)
            order = Order(currency, currency, amount - amount % 100 if currency == "IDR" else amount)
            before = cell in self.touched
            began, fault = self.partner.history.now, self.fault
            accepted = await self.partner.pay(order, f"bystander-{currency}", within_s=0.0, tries=1)
            self.took(accepted)
            if not before and cell not in self.touched:
                self.bystanders += 1
                if accepted is None:
                    took_s = self.partner.history.now - began
                    self.failed.append(
                        Failed(cell, fault or self.fault, f"not accepted at the first attempt, after {took_s:.1f} s")
                    )
                elif not await self._finishes(accepted) and cell not in self.touched:
                    self.failed.append(
                        Failed(cell, fault or self.fault, f"{accepted.transfer_id} was not finished within 60 s")
                    )
            await unless(self._stop, chance.uniform(0.5, 1.5) * self.pause_s)

    async def _finishes(self, accepted: Accepted) -> bool:
        async def finished() -> bool:
            return accepted.transfer_id not in self.unfinished

        return await until(finished, within_s=60) is not None
