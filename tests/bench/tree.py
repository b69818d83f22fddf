"""A checkout of Kovra with a stack of its own, used as a stranger would: by its own commands and its public API.

Two trees are measured side by side, so nothing of either is imported here: one may lack what the other has.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import orjson

from infra.local import ports
from infra.local.home import Home
from infra.local.postgres import SUPERUSER, server_for
from tests.bench.client import request
from tests.bench.standing import Part

ROOT = Path(__file__).parents[2]
ORIGIN, DESTINATION = "eu-1", "id-1"
_DEPOSIT_EUR = "1000000.00"
QUOTE = {"source": {"value": "10.00", "currency": "EUR"}, "target_currency": "IDR"}


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a stack."""

    cell: str
    name: str
    pid: int | None


@dataclass(frozen=True, slots=True)
class Tree:
    """A running stack of one checkout, with a partner whose wallet has money. `listen`: where the origin's API answers."""

    label: str
    folder: Path
    home: Path
    listen: tuple[str, int]
    supervisor_pid: int
    parts: Sequence[Part]
    key: str
    recipient_id: str
    payer_id: str

    def post(self, path: str, body: dict[str, Any]) -> bytes:
        """A whole request of the partner's."""
        return request(
            "POST", path, orjson.dumps(body), authorization=f"Bearer {self.key}", idempotency_key=str(uuid4()),
            content_type="application/json",
        )  # fmt: skip

    def quote(self) -> bytes:
        return self.post("/v1/quotes", QUOTE)

    def payment(self, quote_id: str) -> bytes:
        return self.post("/v1/transfers", self.wanted(quote_id))

    def wanted(self, quote_id: str) -> dict[str, Any]:
        """The body of a payment."""
        return {
            "quote_id": quote_id,
            "recipient_id": self.recipient_id,
            "payer_id": self.payer_id,
            "reference": "Invoice 4711",
        }

    def database(self, cell: str) -> str:
        """A connection string of the cell's superuser."""
        numbers = ports.remembered(Home.at(self.home))
        assert numbers is not None, "a home that was started remembers its ports"
        return server_for(Home.at(self.home), cell, numbers[f"{cell}/postgres"]).dsn(SUPERUSER)

    def server_log(self, cell: str) -> Path:
        return Home.at(self.home).logs / f"{cell}-postgres.log"


@contextmanager
def checkout(ref: str) -> Iterator[Path]:
    """A worktree of a git ref with a venv of its own, as its own Makefile makes it. Removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="kovra-against-"))
    try:
        _run(["git", "worktree", "add", "--detach", "--force", str(folder), ref], ROOT)
        _run(["make", "--no-print-directory", "install", f"PYTHON={sys.executable}"], folder)
        yield folder
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(folder)], cwd=ROOT, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def fresh_root() -> Path:
    """A folder for a stack: short, since a socket's path may have 107 bytes, and for every user to traverse."""
    root = Path(tempfile.mkdtemp(prefix="kvb-", dir="/tmp"))
    root.chmod(0o711)
    return root


@asynccontextmanager
async def running(label: str, folder: Path, engine: str) -> AsyncIterator[Tree]:
    """Start the tree's stack on fresh data, provision a partner, hand it out; stop and remove."""
    root = fresh_root()
    home = root / "home"
    command = _Command(folder, home, engine)
    try:
        await command.run("up", "--detach")
        status = json.loads(await command.run("status", "--json"))
        assert status["ledgers"][ORIGIN].startswith(engine), f"{status['ledgers'][ORIGIN]} where {engine} was asked for"
        yield await _prepared(label, folder, home, command, status)
    finally:
        await command.run("down", check=False)
        shutil.rmtree(root, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Command:
    """`kovra` of one tree."""

    folder: Path
    home: Path
    engine: str

    async def run(self, *arguments: str, check: bool = True) -> str:
        """What it printed. Raises AssertionError with what it said when it failed."""
        found = {"KOVRA_HOME": str(self.home), "KOVRA_OPERATOR": "bench"}
        if self.engine == "postgres":
            found["KOVRA_TIGERBEETLE_BINARY"] = "/nonexistent"
        process = await asyncio.create_subprocess_exec(
            str(self.folder / ".venv" / "bin" / "kovra"), *arguments, cwd=self.folder, env={**os.environ, **found},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        if check and process.returncode != 0:
            raise AssertionError(f"kovra {' '.join(arguments)} of {self.folder} failed:\n{errors.decode()}")
        return output.decode()


async def _prepared(label: str, folder: Path, home: Path, command: _Command, status: dict[str, Any]) -> Tree:
    made = json.loads(await command.run("tenants", "create", "Bench", "--tier", "benchmark", "--json"))
    key = made["key"]
    address = {"street": "Storgatan", "town": "Lund", "country": "SE", "post_code": "22350"}
    payer = {
        "name": "Astrid Lind", "address": address, "customer_number": "C1",
        "document": {"type": "passport", "number": "P1", "country": "SE"},
    }  # fmt: skip
    account = {"bank_code": "014", "account_number": "1234567890"}
    recipient = {"currency": "IDR", "name": "Budi Santoso", "account": account}
    async with aiohttp.ClientSession(status["router_url"], headers={"Authorization": f"Bearer {key}"}) as session:
        recipient_id = await _create(session, "/id/v1/recipients", recipient)
        payer_id = await _create(session, "/eu/v1/payers", payer)
        await command.run("sandbox", "deposit", _DEPOSIT_EUR, "EUR", "--url", status["router_url"], "--key", key)
    where = urlsplit(status["api_urls"][ORIGIN])
    assert where.hostname is not None
    assert where.port is not None
    parts = [Process(one["cell"], one.get("part") or one["name"], one["pid"]) for one in status["parts"]]
    return Tree(
        label, folder, home, (where.hostname, where.port), status["supervisor_pid"], parts, key, recipient_id, payer_id
    )


async def _create(session: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> str:
    async with session.post(path, json=body, headers={"Idempotency-Key": str(uuid4())}) as answer:
        found = await answer.json()
        assert answer.status == 201, found
    return str(found["id"])


def _run(command: Sequence[str], folder: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}"
