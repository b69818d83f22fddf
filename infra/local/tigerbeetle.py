"""One cell's TigerBeetle, when there is a server for it; else the cell's ledger is the embedded engine.

Taken, in this order: replicas that run elsewhere (KOVRA_TIGERBEETLE_ADDRESSES_EU_1), the binary that
KOVRA_TIGERBEETLE_BINARY names, `tigerbeetle` on the PATH.

Invariants: the engine of a home is chosen once and remembered (books do not move by themselves); a data file is
formatted once: a lost one is recovered by people, never formatted again.
"""

import json
import os
import re
import shutil
import signal
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Literal

from infra.local.child import clean_environment, run
from infra.local.errors import LocalError
from infra.local.home import Home, ensure_directory, write_file
from infra.local.part import Part
from infra.local.probes import accepts_tcp

_LIMITS = ("--cache-grid=128MiB",)
"""The default cache (1 GiB) is meant for a machine that does nothing else; three clusters share a laptop."""


@dataclass(frozen=True)
class LedgerChoice:
    """Which engine one cell uses, why, and how to reach it. `binary` is set when we run the server."""

    engine: Literal["tigerbeetle", "postgres"]
    reason: str
    cluster_id: int = 0
    addresses: str = ""
    binary: Path | None = None


async def choose(home: Home, cell: str, number: int, port: int) -> LedgerChoice:
    """The engine of one cell. `number` is the cell's, and its cluster's id. Raises LocalError when the remembered
    engine is not to be had any more."""
    remembered = _remembered(home, cell)
    found = await _available(cell, number, port)
    if remembered is None or remembered == found.engine:
        choice = found
    elif remembered == "postgres":
        choice = LedgerChoice("postgres", "this home's books are in the embedded engine; `make clean` starts anew")
    else:
        raise LocalError(f"the books of {cell} are in TigerBeetle, but {found.reason}")
    ensure_directory(home.cell(cell), 0o755)
    if remembered is None:
        write_file(home.cell(cell) / "ledger.json", json.dumps({"engine": choice.engine}))
    return choice


def _remembered(home: Home, cell: str) -> str | None:
    file = home.cell(cell) / "ledger.json"
    return str(json.loads(file.read_text())["engine"]) if file.exists() else None


async def _available(cell: str, number: int, port: int) -> LedgerChoice:
    suffix = cell.upper().replace("-", "_")
    addresses = os.environ.get(f"KOVRA_TIGERBEETLE_ADDRESSES_{suffix}")
    if addresses:
        cluster = int(os.environ.get(f"KOVRA_TIGERBEETLE_CLUSTER_{suffix}", str(number)))
        return LedgerChoice("tigerbeetle", f"replicas at {addresses}", cluster, addresses)
    named = os.environ.get("KOVRA_TIGERBEETLE_BINARY")
    path = Path(named) if named else shutil.which("tigerbeetle")
    if path is None:
        return LedgerChoice("postgres", "no TigerBeetle server was given or found")
    refusal = await _refusal(Path(path))
    if refusal:
        return LedgerChoice("postgres", refusal)
    return LedgerChoice("tigerbeetle", f"server {path}", number, f"127.0.0.1:{port}", Path(path))


async def _refusal(binary: Path) -> str:
    """Why this server cannot be used; empty when it can. A client must not be newer than its server."""
    try:
        status, output = await run([str(binary), "version"], environment=clean_environment(), timeout_s=10)
    except OSError as error:
        return f"the TigerBeetle server {binary} cannot be run ({error.strerror})"
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", output)
    if status != 0 or found is None:
        return f"the TigerBeetle server {binary} does not tell its version"
    server = tuple(int(part) for part in found.groups())
    client = tuple(int(part) for part in installed_version("tigerbeetle").split(".")[:3])
    if client > server:
        return (
            f"the TigerBeetle server {binary} is {found[0]}, older than the client ({installed_version('tigerbeetle')})"
        )
    return ""


async def _format_once(binary: Path, directory: Path, cluster_id: int) -> None:
    """The data file, at the first start only; `formatted` outlives a lost file, and so guards against a second."""
    ensure_directory(directory, 0o700)
    data, witness = directory / "0_0.tigerbeetle", directory / "formatted"
    if data.exists():
        return
    if witness.exists():
        raise LocalError(f"{data} is lost; it is not formatted again. Restore it, or `make clean` to start anew")
    fresh = directory / "formatting"
    fresh.unlink(missing_ok=True)
    command = [str(binary), "format", f"--cluster={cluster_id}", "--replica=0", "--replica-count=1"]
    if _development():
        command.append("--development")
    status, output = await run([*command, str(fresh)], environment=clean_environment())
    if status != 0:
        raise LocalError(f"tigerbeetle format failed: {output.strip()[-400:]}")
    write_file(witness, "")
    fresh.rename(data)


def _development() -> bool:
    """Development format: for file systems without direct IO; takes 253 events per request at most, not 8,189."""
    return os.environ.get("KOVRA_TIGERBEETLE_DEVELOPMENT") == "1"


def part(home: Home, cell: str, choice: LedgerChoice, port: int) -> Part | None:
    """The server as a part; None when somebody else runs it, or nobody."""
    if choice.binary is None:
        return None
    directory = home.cell(cell) / "tigerbeetle"
    development = ("--development",) if _development() else ()
    return Part(
        cell=cell,
        name="tigerbeetle",
        command=(
            str(choice.binary),
            "start",
            f"--addresses=127.0.0.1:{port}",
            *_LIMITS,
            *development,
            str(directory / "0_0.tigerbeetle"),
        ),
        environment=clean_environment(),
        healthy=partial(accepts_tcp, port),
        port=port,
        prepare=partial(_format_once, choice.binary, directory, choice.cluster_id),
        # It has no shutdown: every acknowledged write is on disk, and recovery is its normal start.
        stop_signal=signal.SIGKILL,
        note=choice.reason,
    )
