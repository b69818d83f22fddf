"""Services, wallet handlers and rail desks for the tests of actors. Importable in a Ray actor's process too."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from actors.runtime import Runtime
from cells.kit.command import Command, Journaled, RailDoor, Reply, StaleEpoch
from cells.kit.metrics import BATCHES
from residency.errors import KovraError


class Refused(KovraError):
    code = "refused"
    status = 422
    title = "Refused"


class Probe:
    """A service that can be looked into. `failing_starts` is how many starts fail first."""

    def __init__(self, failing_starts: int = 0) -> None:
        self.failing_starts = failing_starts
        self.count = 0
        self.seen: list[Any] = []
        self.released = asyncio.Event()
        self.runtime: Runtime | None = None

    async def start(self, runtime: Runtime) -> None:
        self.runtime = runtime
        if self.failing_starts:
            self.failing_starts -= 1
            raise ConnectionRefusedError("not yet")

    async def stop(self) -> None:
        return

    def describe(self) -> Mapping[str, Any]:
        return {"count": self.count}

    async def measure(self) -> None:
        BATCHES.observe(1, "probe")

    async def increment(self) -> int:
        self.count += 1
        return self.count

    async def echo(self, *arguments: Any) -> Any:
        return arguments

    async def append(self, values: list[int]) -> list[int]:
        values.append(len(values))
        return values

    async def refuse(self) -> None:
        raise Refused("No.", pointer="/amount", limit=3)

    async def stumble(self, person: str) -> None:
        raise ValueError(f"no such person: {person}")

    async def hold(self) -> int:
        """Answer when released, and count."""
        await self.released.wait()
        return await self.increment()

    async def release(self) -> None:
        self.released.set()

    async def pid(self) -> int:
        return os.getpid()

    async def ask_other(self, name: str) -> Any:
        """Ask another service through the runtime that hosts this one."""
        assert self.runtime is not None
        handle = await self.runtime.find(name)
        assert handle is not None
        return await handle.ask("increment", deadline_s=10.0)


class FolderHandler:
    """A WalletHandler whose journal is a folder: one file per command id, one per wallet with its epoch. Survives kill -9.

    Replies are `(command name, body, pid that ran it first)`. Command `die` kills its process right after it was journaled.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def activate(self, wallet_ids: Sequence[str]) -> Mapping[str, int]:
        epochs = {}
        for wallet_id in wallet_ids:
            if wallet_id.startswith("unknown"):
                continue
            file = self.folder / f"epoch-{wallet_id}"
            epochs[wallet_id] = int(file.read_text()) + 1 if file.exists() else 1
            file.write_text(str(epochs[wallet_id]))
        return epochs

    async def run(self, batch: Sequence[Command], epochs: Mapping[str, int], journaled: Journaled) -> Sequence[Reply]:
        return [self._reply(command, epochs[command.wallet_id]) for command in batch]

    def _reply(self, command: Command, epoch: int) -> Reply:
        if int((self.folder / f"epoch-{command.wallet_id}").read_text()) != epoch:
            return StaleEpoch()
        entry = self.folder / f"command-{command.command_id}"
        if not entry.exists():
            entry.write_text(str(os.getpid()))
            if command.name == "die":
                os.kill(os.getpid(), 9)
        if command.name == "refuse":
            return Refused()
        return command.name, command.body, int(entry.read_text())

    def counts(self) -> Mapping[str, int]:
        return {}

    async def passivate(self, wallet_ids: Sequence[str]) -> None:
        return

    async def close(self) -> None:
        return


async def open_folder_handler(cell: str, rails: RailDoor) -> FolderHandler:
    """`cell` is the folder."""
    return FolderHandler(Path(cell))


class EchoHandler:
    """A WalletHandler that does nothing, as fast as it can: for measuring the way there and back."""

    async def activate(self, wallet_ids: Sequence[str]) -> Mapping[str, int]:
        return dict.fromkeys(wallet_ids, 1)

    async def run(self, batch: Sequence[Command], epochs: Mapping[str, int], journaled: Journaled) -> Sequence[Reply]:
        return [command.body for command in batch]

    def counts(self) -> Mapping[str, int]:
        return {}

    async def passivate(self, wallet_ids: Sequence[str]) -> None:
        return

    async def close(self) -> None:
        return


async def open_echo_handler(cell: str, rails: RailDoor) -> EchoHandler:
    return EchoHandler()
