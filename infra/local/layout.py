"""From the directory of cells to the parts of one laptop: ports, keys, settings files, and the list of parts.

Writes what a process of a cell reads: the overlay `directory.json` (addresses and public keys, the same for all), each
cell's `cell.json` (0600: connection strings), and its scheme simulator's `schemes.json` (0600).
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.local import brokers, keys, ports, postgres, processes, ray, redis, tigerbeetle
from infra.local.home import SHARED, Home, ensure_directory, remembered_secret, write_file
from infra.local.part import Part
from residency.directory import OVERLAY, CellEntry, Directory, load_directory

_SHARED_PORTS = ("router", "transit", "transit-leaf", "transit-monitor")
_CELL_PORTS = ("api", "host", "schemes", "postgres", "redis", "nats", "nats-monitor", "ray", "tigerbeetle")
_SERVERS = ("postgres", "redis", "nats", "ray", "tigerbeetle")
_LOOPBACK = "127.0.0.1"


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


async def lay_out(home: Home, chosen: ports.Ports, *, servers_only: bool = False) -> Layout:
    """Build everything that starts need not wait for, and write the settings. Idempotent; keys are born here."""
    directory = load_directory()
    now = datetime.now(UTC)
    overlay: dict[str, Any] = {}
    parts: list[Part] = []
    ledgers: dict[str, str] = {}
    transit = brokers.TransitPorts(*(chosen[f"{SHARED}/{name}"] for name in _SHARED_PORTS[1:]))
    for cell in directory.cells.values():
        numbers = {name: chosen[f"{cell.name}/{name}"] for name in _CELL_PORTS}
        ensure_directory(home.cell(cell.name), 0o755)
        overlay[cell.name] = {
            "addresses": {"api": f"http://{_LOOPBACK}:{numbers['api']}"},
            "keys": keys.ensure_keys(home, cell.name, now),
        }
        ledger = await tigerbeetle.choose(home, cell.name, cell.number, numbers["tigerbeetle"])
        ledgers[cell.name] = f"{ledger.engine}: {ledger.reason}"
        peers = [peer.name for peer in directory.peers_of(cell.name)]
        parts += _cell_parts(home, cell, peers, numbers, transit, ledger, servers_only)
    parts.append(brokers.transit_part(home, sorted(directory.cells), transit))
    router_port = chosen[f"{SHARED}/router"]
    if not servers_only:
        parts.append(processes.router_part(home, router_port))
    write_file(home.root / OVERLAY, json.dumps({"cells": overlay}, indent=2))
    return Layout(
        parts=tuple(parts),
        router_url=f"http://{_LOOPBACK}:{router_port}",
        api_urls={name: entry["addresses"]["api"] for name, entry in overlay.items()},
        ledgers=ledgers,
    )


def _cell_parts(
    home: Home,
    cell: CellEntry,
    peers: list[str],
    numbers: dict[str, int],
    transit: brokers.TransitPorts,
    ledger: tigerbeetle.LedgerChoice,
    servers_only: bool,
) -> list[Part]:
    database = postgres.server_for(home, cell.name, numbers["postgres"])
    cache = redis.server_for(home, cell.name, numbers["redis"])
    head = ray.head_for(home, cell.name, numbers["ray"], os.cpu_count() or 2)
    books = tigerbeetle.part(home, cell.name, ledger, numbers["tigerbeetle"])
    servers = [
        postgres.part(database, cell.name, cell.region),
        redis.part(cache, cell.name),
        brokers.cell_part(home, cell.name, peers, numbers["nats"], numbers["nats-monitor"], transit),
        ray.part(head, cell.name),
        *([books] if books else []),
    ]
    schemes = _write_schemes(home, cell, numbers)
    settings = {
        "postgres": {role.removeprefix("kovra_"): database.dsn(role) for role in postgres.ROLES},
        "redis": cache.url,
        "nats": {
            "url": f"nats://{_LOOPBACK}:{numbers['nats']}",
            "seed": brokers.worker_nkey(home, cell.name).seed,
        },
        "ray": {"address": head.address, "token_path": str(head.token)},
        "ledger": {"engine": ledger.engine, "cluster_id": ledger.cluster_id, "addresses": ledger.addresses},
        "schemes": schemes,
        "api": {"host": _LOOPBACK, "port": numbers["api"]},
        "host": {"host": _LOOPBACK, "port": numbers["host"]},
        "sandbox": True,
    }
    write_file(home.cell(cell.name) / "cell.json", json.dumps(settings, indent=2), 0o600)
    if servers_only:
        return servers
    keys_of_servers = tuple(server.key for server in servers)
    return servers + processes.cell_parts(home, cell.name, numbers, keys_of_servers, head.token)


def _write_schemes(home: Home, cell: CellEntry, numbers: dict[str, int]) -> dict[str, dict[str, str]]:
    """What both ends of the simulated schemes need: the cell's `schemes` setting, and the simulator's own file."""
    base = f"http://{_LOOPBACK}:{numbers['schemes']}"
    secrets = {rail: remembered_secret(home.keys(cell.name) / f"scheme-{rail}") for rail in cell.rails}
    simulator = {
        "listen": {"host": _LOOPBACK, "port": numbers["schemes"]},
        "cell": {"api": f"http://{_LOOPBACK}:{numbers['api']}", "host": f"http://{_LOOPBACK}:{numbers['host']}"},
        "rails": {rail: {"participant": cell.name, "secret": secret} for rail, secret in secrets.items()},
    }
    write_file(home.cell(cell.name) / "schemes.json", json.dumps(simulator, indent=2), 0o600)
    return {rail: {"url": f"{base}/{rail}", "secret": secret} for rail, secret in secrets.items()}
