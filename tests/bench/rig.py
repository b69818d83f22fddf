"""A stack of the bench's own, on fresh data, with a partner and the doors of both ends of EUR to IDR."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from actors.deployment import Deployment
from actors.on_ray import OnRay, RayConnection
from actors.wallets import Wallets
from cells.cell import Institution, open_institution
from cells.spec import load_spec
from infra.local import ports
from infra.local.home import Home
from infra.local.record import StackStatus
from infra.local.stack import NotRunning, Stack
from tests.bench.counters import Observed
from tests.bench.partner import Partner, new_partner
from tests.bench.tree import DESTINATION, ORIGIN, ROOT, Tree, fresh_root

ENGINES = ("postgres", "tigerbeetle")


@dataclass(frozen=True, slots=True)
class Rig:
    """`origin` and `destination` have the API's role, `journal` the origin's writer."""

    home: Path
    status: StackStatus
    origin: Institution
    journal: Institution
    destination: Institution
    wallets: Wallets
    observed: list[Observed]
    partner: Partner

    def as_tree(self) -> Tree:
        """The same stack as it looks from outside."""
        listen, pid = self.origin.spec.settings.api, self.status.supervisor_pid
        assert pid is not None, "the bench's stack is running"
        partner = self.partner
        return Tree(
            "here", ROOT, self.home, (listen.host, listen.port), pid, self.status.parts, partner.key, partner.recipient_id,
            partner.payer_id,
        )  # fmt: skip


def engines() -> list[str]:
    """Those that this machine has: TigerBeetle where its server is found."""
    named = os.environ.get("KOVRA_TIGERBEETLE_BINARY") or shutil.which("tigerbeetle")
    return list(ENGINES) if named else [ENGINES[0]]


@asynccontextmanager
async def open_rig(engine: str) -> AsyncIterator[Rig]:
    """Start, hand out, stop, remove."""
    root = fresh_root()
    with _environment(root / "home", engine):
        stack = Stack(root / "home")
        try:
            status = await stack.up_detached(lambda event: print(f"  {event.part} {event.state}", flush=True))
            assert status.ledgers[ORIGIN].startswith(engine), f"{status.ledgers[ORIGIN]} where {engine} was asked for"
            async with _opened(root / "home", status) as rig:
                yield rig
        finally:
            with suppress(NotRunning):
                await stack.down()
            shutil.rmtree(root, ignore_errors=True)


@asynccontextmanager
async def _opened(home: Path, status: StackStatus) -> AsyncIterator[Rig]:
    origin, destination = load_spec(ORIGIN, home), load_spec(DESTINATION, home)
    numbers = ports.remembered(Home.at(home))
    assert numbers is not None, "a home that was started remembers its ports"
    async with AsyncExitStack() as stack:
        opened = [
            await open_institution(spec, role, name="bench", connections_max=4)
            for spec, role in ((origin, "api"), (origin, "writer"), (destination, "api"))
        ]
        for one in opened:
            stack.push_async_callback(one.close)
        runtime = OnRay(RayConnection.of(origin))
        stack.push_async_callback(runtime.close)
        wallets = Deployment.of(origin).wallets(runtime)
        stack.push_async_callback(wallets.close)
        observed = [
            Observed(origin, _monitor(numbers, ORIGIN), runtime),
            Observed(destination, _monitor(numbers, DESTINATION), None),
        ]
        partner = await new_partner(home, opened[0], opened[2], wallets)
        yield Rig(home, status, opened[0], opened[1], opened[2], wallets, observed, partner)


def _monitor(numbers: ports.Ports, cell: str) -> str:
    return f"http://127.0.0.1:{numbers[f'{cell}/nats-monitor']}"


@contextmanager
def _environment(home: Path, engine: str) -> Iterator[None]:
    changes = {"KOVRA_HOME": str(home)}
    if engine == "postgres":
        changes["KOVRA_TIGERBEETLE_BINARY"] = "/nonexistent"
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
