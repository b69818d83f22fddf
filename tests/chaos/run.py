"""One run: a stack, a stream of payments, faults one after another and then at random, and the proof at the end."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from actors.deployment import Deployment
from actors.in_process import InProcess
from cells.kit.command import Command
from infra.local.supervisor import Event
from residency.errors import KovraError
from tests.chaos import partner as partners
from tests.chaos.catalogue import catalogue, cell_of
from tests.chaos.faults import Fault, Room, Skipped
from tests.chaos.history.record import History
from tests.chaos.listener import listening
from tests.chaos.partner import CELLS, REGIONS, Order, Partner
from tests.chaos.patience import unless, until
from tests.chaos.proof import Verdict, prove
from tests.chaos.stack import Broken, Running
from tests.chaos.traffic import Traffic

Say = Callable[[str], None]
_FLOOD = 150
_PROBE_FATE = "plain"


@dataclass(frozen=True)
class Plan:
    """`faults` in the order of the first round, in every one of which the cell is drawn; then `random_s` seconds of any, overlapping.

    `recovery_max_s`: after healing, a fault may cost no more than this. `pause_s` stretches the clients' pauses.
    """

    seed: int
    faults: Sequence[str]
    random_s: float = 60.0
    clients: int = 4
    hold_s: float = 6.0
    recovery_max_s: float = 180.0
    pause_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Recovered:
    """One fault, in seconds: how long it was held, then until a payment was accepted there, until one was completed, and until
    everything that was accepted before had ended. None: not in time."""

    fault: str
    where: str
    held_s: float = 0.0
    accepts_s: float | None = None
    completes_s: float | None = None
    settled_s: float | None = None
    note: str = ""

    @property
    def recovered(self) -> bool:
        return bool(self.note) or None not in (self.accepts_s, self.completes_s, self.settled_s)


@dataclass
class Result:
    seed: int
    recovered: list[Recovered] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    ledgers: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return all(one.recovered for one in self.recovered) and all(one.holds for one in self.verdicts)


@dataclass
class Chaos:
    """The run on a stack that is up."""

    plan: Plan
    stack: Running
    partner: Partner
    traffic: Traffic
    say: Say
    chance: random.Random
    result: Result

    async def rounds(self) -> None:
        faults = catalogue()
        room = Room(self.stack, self.plan.hold_s, self._flood, self._two_copies)
        for name in self.plan.faults:
            fault = faults[name]
            self.result.recovered.append(await self._measured(room, fault, self._draw_cell()))
        await self._at_random(room, [faults[name] for name in self.plan.faults])

    def _draw_cell(self) -> str:
        return self.chance.choice(self.stack.cells)

    def _touch(self, fault: Fault, cell: str) -> None:
        self.traffic.fault = f"{fault.name} in {cell_of(fault, cell)}"
        if fault.where == "cell":
            self.traffic.touched |= {cell}
        elif fault.where == "router":
            # With the router gone a cell still serves who comes to it.
            self.partner.direct |= set(CELLS.values())

    def _untouch(self) -> None:
        self.traffic.touched, self.traffic.fault = frozenset(), ""
        self.partner.direct.clear()

    async def _measured(self, room: Room, fault: Fault, cell: str) -> Recovered:
        """Inject, then wait until all is well again."""
        where = cell_of(fault, cell)
        if any(part not in self.stack.parts(cell) for part in fault.parts):
            return Recovered(fault.name, where, note=f"skipped: no {fault.parts[0]} here")
        self._touch(fault, cell)
        self.say(f"{fault.name} in {where}")
        began = time.monotonic()
        try:
            await fault.inject(room, where)
        except Skipped as why:
            self._untouch()
            return Recovered(fault.name, where, note=f"skipped: {why}")
        healed = time.monotonic()
        before = self._prompt()
        accepts_s, completes_s = await self._probe(cell, healed)
        settled_s = await self._settled(before, healed)
        await until(self.stack.well, within_s=self.plan.recovery_max_s, every_s=0.5)
        self._untouch()
        return Recovered(fault.name, where, healed - began, accepts_s, completes_s, settled_s)

    async def _probe(self, cell: str, healed: float) -> tuple[float | None, float | None]:
        """Seconds until a payment out of this cell was accepted, and until it had crossed a border and was completed."""
        currency = next(code for code, name in CELLS.items() if name == cell)
        target = "GBP" if currency == "IDR" else "IDR"
        order = Order(
            currency, target, {"IDR": 25_000_000}.get(currency, 1_500) + self.chance.randrange(90) * 100, _PROBE_FATE
        )
        accepted = await self.partner.pay(order, "probe", within_s=self.plan.recovery_max_s)
        if accepted is None:
            return None, None
        accepts_s = time.monotonic() - healed
        self.traffic.took(accepted)

        async def ended() -> bool:
            return accepted.transfer_id not in self.traffic.unfinished

        done = await until(ended, within_s=self.plan.recovery_max_s)
        return accepts_s, None if done is None else time.monotonic() - healed

    def _prompt(self) -> set[str]:
        """What is under way and is not slow by its scheme's own doing: that says nothing of the fault, and is proven at the end."""
        return {one.transfer_id for one in self.traffic.unfinished.values() if one.order.fate in ("plain", "rejected")}

    async def _settled(self, before: set[str], healed: float) -> float | None:
        async def none_left() -> bool:
            return not before & self.traffic.unfinished.keys()

        done = await until(none_left, within_s=self.plan.recovery_max_s)
        return None if done is None else time.monotonic() - healed

    async def _at_random(self, room: Room, faults: Sequence[Fault]) -> None:
        """Any fault anywhere, the next one before the last is over; measured as one."""
        if self.plan.random_s <= 0:
            return
        until_s, names = time.monotonic() + self.plan.random_s, list[str]()
        began = time.monotonic()
        while time.monotonic() < until_s:
            fault, cell = self.chance.choice(faults), self._draw_cell()
            if any(part not in self.stack.parts(cell) for part in fault.parts):
                continue
            self._touch(fault, cell)
            self.say(f"at random: {fault.name} in {cell_of(fault, cell)}")
            try:
                await fault.inject(room, cell_of(fault, cell))
                names.append(fault.name)
            except (Skipped, Broken, KovraError) as why:
                self.say(f"at random: {fault.name} was not made: {why}")
            await unless(asyncio.Event(), self.chance.uniform(0.0, 8.0))
        healed = time.monotonic()
        before = self._prompt()
        probes = [await self._probe(cell, healed) for cell in self.stack.cells]
        settled_s = await self._settled(before, healed)
        await until(self.stack.well, within_s=self.plan.recovery_max_s, every_s=0.5)
        self._untouch()
        slowest = [None if None in column else max(column) for column in zip(*probes, strict=True)]
        name = f"{len(names)} at random"
        self.result.recovered.append(Recovered(name, "anywhere", healed - began, slowest[0], slowest[1], settled_s))

    async def _flood(self, cell: str) -> None:
        """One wallet, many payments at the same moment."""
        currency = next(code for code, name in CELLS.items() if name == cell)
        amounts = [100 * (number + 1) for number in range(_FLOOD)]
        if currency == "IDR":
            amounts = [amount * 10_000 for amount in amounts]
        orders = [Order(currency, currency, amount) for amount in amounts]
        paying = (self.partner.pay(order, f"flood-{number}", within_s=120) for number, order in enumerate(orders))
        for accepted in await asyncio.gather(*paying):
            self.traffic.took(accepted)

    async def _two_copies(self, cell: str) -> None:
        """A second copy of the cell's hosting actor, which takes the wallets over whenever it is asked, as a stale one would."""
        currency = next(code for code, name in CELLS.items() if name == cell)
        wallet_id, spec, runtime = self.partner.wallets[currency], self.stack.spec(cell), InProcess()
        wallets = Deployment.of(spec).wallets(runtime)
        stop = time.monotonic() + self.plan.hold_s
        number = 0
        try:
            while time.monotonic() < stop:
                moving = [one.transfer_id for one in self.traffic.unfinished.values() if one.order.source == currency]
                number += 1
                await wallets.ask_many(
                    [Command(f"chaos:{number}:{one}", wallet_id, "resume", one) for one in moving]
                    + [Command(f"chaos:{number}:balance", wallet_id, "balance")]
                )
                await asyncio.sleep(0.05)
        finally:
            await wallets.close()
            await runtime.close()


async def run_on(stack: Running, plan: Plan, say: Say) -> Result:
    """Stream, break, heal, prove, on a stack that is up. Raises Broken when the stack cannot be made ready."""
    partners.UNRESOLVED.clear()
    result = Result(plan.seed, ledgers=dict(stack.ledgers))
    history = History()
    async with listening(stack.webhook_port) as heard, partners.opened(stack, history, heard.url) as partner:
        traffic = Traffic(partner, plan.seed, plan.pause_s)
        try:
            opening = {
                partner.wallets[currency]: await partner.balance(currency, "opening") or 0 for currency in REGIONS
            }
            say("the stream begins")
            traffic.start(plan.clients)
            chaos = Chaos(plan, stack, partner, traffic, say, random.Random(plan.seed), result)
            await chaos.rounds()
            say("healed; the stream ends, and the proof begins")
            await traffic.stop()
            result.verdicts += await prove(partner, traffic, heard, opening, within_s=plan.recovery_max_s)
            history.write(stack.home / "history.jsonl")
        finally:
            await traffic.close()
    return result


def log_event(say: Say) -> Callable[[Event], None]:
    """The supervisor's events as lines."""

    def note(event: Event) -> None:
        say(f"  {event.part} {event.state} {event.detail[:120]}".rstrip())

    return note
