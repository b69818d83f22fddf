"""From the directory of cells to the parts of one laptop: ports, keys, settings files, and the list of parts.

Writes what a process of a cell reads: the overlay `directory.json` (addresses and public keys, the same for all), each
cell's `cell.json` (0600: connection strings), its scheme simulator's `schemes.json` (0600), and the router's `router.json` (0600).
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.local import brokers, keys, ports, postgres, processes, ray, redis, tigerbeetle
from infra.local.errors import LocalError
from infra.local.home import SHARED, Home, ensure_directory, remembered_secret, write_file
from infra.local.part import Part
from residency.directory import OVERLAY, CellEntry, Directory, load_directory

_SHARED_PORTS = ("router", "router-operator", "transit", "transit-leaf", "transit-monitor")
_CELL_PORTS = (
    "api",
    "operator",
    "inbound",
    "host",
    "schemes",
    "postgres",
    "redis",
    "nats",
    "nats-monitor",
    "ray",
    "ray-client",
    "tigerbeetle",
)
_LOOPBACK = "127.0.0.1"
# What a sandbox may wait for a scheme that is silent on purpose, in seconds, instead of the scheme's own times.
_SHORTER = {"answer_time_s": "KOVRA_SANDBOX_ANSWER_S", "finality_time_s": "KOVRA_SANDBOX_FINALITY_S"}
# A sandbox's rails are open at all hours, as its schemes are, unless this says `own`.
_HOURS = "KOVRA_SANDBOX_HOURS"
# Rates of how many banking days ago a sandbox prices by at most; without it of any age, since they come with the release.
_RATE_AGE = "KOVRA_SANDBOX_RATE_AGE_MAX_DAYS"
# As many as a cell takes at once (cells/spec.py).
_ROUTER_SECRETS_MAX = 3
# Pay.UK's tables for the modulus check, which an operator installs: both, or none and no such check.
_MODULUS = {"weights_path": "KOVRA_MODULUS_WEIGHTS", "substitutions_path": "KOVRA_MODULUS_SUBSTITUTIONS"}


@dataclass(frozen=True)
class Layout:
    """All parts, and what to tell people: the router's address and each cell's ledger engine with the reason."""

    parts: tuple[Part, ...]
    router_url: str
    api_urls: dict[str, str]
    ledgers: dict[str, str]


def port_keys(directory: Directory) -> list[str]:
    """Every port a stack needs, in the order they are dealt out."""
    cells = sorted(directory.cells.values(), key=lambda cell: cell.number)
    return [f"{SHARED}/{name}" for name in _SHARED_PORTS] + [
        f"{cell.name}/{name}" for cell in cells for name in _CELL_PORTS
    ]


async def lay_out(
    home: Home, chosen: ports.Ports, *, servers_only: bool = False, webhook_ports: Sequence[int] = ()
) -> Layout:
    """Build the parts and write the settings they read. Idempotent; keys are born here. `webhook_ports`: of this machine, those that the
    sandboxes send webhooks to."""
    directory = load_directory()
    shared = {name: chosen[f"{SHARED}/{name}"] for name in _SHARED_PORTS}
    overlay: dict[str, Any] = {}
    parts: list[Part] = []
    ledgers: dict[str, str] = {}
    for cell in directory.cells.values():
        numbers = {name: chosen[f"{cell.name}/{name}"] for name in _CELL_PORTS}
        ensure_directory(home.cell(cell.name), 0o755)
        overlay[cell.name] = {
            "addresses": {"api": f"http://{_LOOPBACK}:{numbers['api']}"},
            "keys": keys.ensure_keys(home, cell.name, datetime.now(UTC)),
        }
        ledger = await tigerbeetle.choose(home, cell.name, cell.number, numbers["tigerbeetle"])
        ledgers[cell.name] = f"{ledger.engine}: {ledger.reason}"
        servers = _Servers(home, cell, numbers, ledger)
        peers = [peer.name for peer in directory.peers_of(cell.name)]
        started = servers.parts(peers, shared["transit-leaf"])
        parts += started
        schemes = _write_schemes(home, cell, numbers)
        write_file(
            home.cell(cell.name) / "cell.json",
            json.dumps(servers.settings(schemes, webhook_ports), indent=2),
            0o600,
            durable=False,
        )
        if not servers_only:
            needed = tuple(part.key for part in started)
            parts += processes.cell_parts(home, cell.name, numbers, needed, servers.ray.token)
    _write_router(home, directory)
    write_file(home.root / OVERLAY, json.dumps({"cells": overlay}, indent=2), durable=False)
    transit = brokers.BrokerPorts(shared["transit"], shared["transit-monitor"], shared["transit-leaf"])
    parts.append(brokers.transit_part(home, sorted(directory.cells), transit))
    if not servers_only:
        parts.append(processes.router_part(home, shared["router"], shared["router-operator"]))
    return Layout(
        parts=tuple(parts),
        router_url=f"http://{_LOOPBACK}:{shared['router']}",
        api_urls={name: entry["addresses"]["api"] for name, entry in overlay.items()},
        ledgers=ledgers,
    )


class _Servers:
    """One cell's servers: as parts to start, and as settings to reach them by."""

    def __init__(self, home: Home, cell: CellEntry, numbers: dict[str, int], ledger: tigerbeetle.LedgerChoice) -> None:
        self._home, self._cell, self._numbers, self._ledger = home, cell, numbers, ledger
        self.postgres = postgres.server_for(home, cell.name, numbers["postgres"])
        self.redis = redis.server_for(home, cell.name, numbers["redis"])
        self.ray = ray.head_for(home, cell.name, numbers["ray"], numbers["ray-client"], os.cpu_count() or 2)

    def parts(self, peers: list[str], transit_leaf_port: int) -> list[Part]:
        name, numbers = self._cell.name, self._numbers
        bus = brokers.BrokerPorts(numbers["nats"], numbers["nats-monitor"])
        books = tigerbeetle.part(self._home, name, self._ledger, numbers["tigerbeetle"])
        return [
            postgres.part(self.postgres, name, self._cell.region),
            redis.part(self.redis, name),
            brokers.cell_part(self._home, name, peers, bus, transit_leaf_port=transit_leaf_port),
            ray.part(self.ray, name),
            *([books] if books else []),
        ]

    def settings(self, schemes: dict[str, dict[str, Any]], webhook_ports: Sequence[int]) -> dict[str, Any]:
        """The content of cell.json."""
        numbers, ledger = self._numbers, self._ledger
        seed = brokers.worker_nkey(self._home, self._cell.name).seed
        return {
            "postgres": {role.removeprefix("kovra_"): self.postgres.dsn(role) for role in postgres.ROLES},
            "redis": self.redis.url,
            "nats": {"url": f"nats://{_LOOPBACK}:{numbers['nats']}", "seed": seed},
            "ray": {"address": self.ray.address, "token_path": str(self.ray.token)},
            "ledger": {"engine": ledger.engine, "cluster_id": ledger.cluster_id, "addresses": ledger.addresses},
            "schemes": schemes,
            "modulus": _modulus() if "GBP" in self._cell.currencies else None,
            **{name: {"host": _LOOPBACK, "port": numbers[name]} for name in ("api", "operator", "inbound", "host")},
            "router_secrets": _router_secrets(self._home, self._cell.name),
            "sandbox": True,
            "webhook_loopback_ports": sorted(webhook_ports),
            "rate_age_max_days": _rate_age_max_days(),
        }


def _router_secrets(home: Home, cell: str) -> list[str]:
    """By which a cell knows the router: one a line in its file, the one that the router uses first. Raises LocalError."""
    path = home.keys(cell) / "router"
    found = remembered_secret(path).split()
    if not 1 <= len(found) <= _ROUTER_SECRETS_MAX:
        raise LocalError(f"{path} must have one to {_ROUTER_SECRETS_MAX} secrets, one a line")
    return found


def _write_router(home: Home, directory: Directory) -> None:
    """The router's own settings: its half of each cell's secret."""
    cells = {name: {"secret": _router_secrets(home, name)[0]} for name in directory.cells}
    folder = ensure_directory(home.cell(SHARED), 0o755)
    write_file(folder / "router.json", json.dumps({"cells": cells}, indent=2), 0o600, durable=False)


def _write_schemes(home: Home, cell: CellEntry, numbers: dict[str, int]) -> dict[str, dict[str, Any]]:
    """What both ends of the simulated schemes need: the cell's `schemes` setting, and the simulator's own file."""
    base = f"http://{_LOOPBACK}:{numbers['schemes']}"
    secrets = {rail: remembered_secret(home.keys(cell.name) / f"scheme-{rail}") for rail in cell.rails}
    simulator = {
        "listen": {"host": _LOOPBACK, "port": numbers["schemes"]},
        "cell": {"api": f"http://{_LOOPBACK}:{numbers['inbound']}", "host": f"http://{_LOOPBACK}:{numbers['host']}"},
        "rails": {rail: {"participant": cell.name, "secret": secret} for rail, secret in secrets.items()},
    }
    write_file(home.cell(cell.name) / "schemes.json", json.dumps(simulator, indent=2), 0o600, durable=False)
    keeps_hours = os.environ.get(_HOURS) == "own"
    return {
        rail: {"url": f"{base}/{rail}", "secret": secret, "keeps_hours": keeps_hours, **_times(rail)}
        for rail, secret in secrets.items()
    }


def _times(rail: str) -> dict[str, float]:
    """The shorter times of a rail: its own variable's, with its name behind, before that of all."""
    found = {
        name: os.environ.get(f"{variable}_{rail.upper()}", os.environ.get(variable))
        for name, variable in _SHORTER.items()
    }
    return {name: float(text) for name, text in found.items() if text}


def _rate_age_max_days() -> int | None:
    """Raises LocalError."""
    text = os.environ.get(_RATE_AGE, "")
    if text and not (text.isascii() and text.isdigit() and int(text) > 0):
        raise LocalError(f"{_RATE_AGE} must be a whole number of banking days, at least 1")
    return int(text) if text else None


def _modulus() -> dict[str, str] | None:
    """The `modulus` setting of a cell that takes UK accounts. What the files say is for the cell to read. Raises LocalError."""
    found = {name: os.environ.get(variable) for name, variable in _MODULUS.items()}
    given = {name: Path(text) for name, text in found.items() if text}
    if not given:
        return None
    for name, variable in _MODULUS.items():
        # The cells have another working directory than who starts them.
        if name not in given or not given[name].is_absolute() or not given[name].is_file():
            raise LocalError(
                f"{variable} must be the absolute path of a file; {' and '.join(_MODULUS.values())} go together"
            )
    return {name: str(path) for name, path in given.items()}
