"""The actors of a cell, as `kovra actors`, the host's `/actors` and the gauges show them."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from actors.deployment import RAIL_PREFIX
from actors.placement import OWN_PREFIX, SHARED_PREFIX
from actors.runtime import Described, Runtime
from cells.kit.metrics import Snapshot

_DEADLINE_S = 2.0


@dataclass(frozen=True, slots=True)
class ActorRow:
    """One Ray actor. `hosts` counts active wallets; `depth` what waits; batches count commands (payments, for a rail).

    `details` is what the actor itself tells: for hosts, each active wallet with its epoch and mailbox. `figures`: what it measured.
    """

    name: str
    kind: str
    state: str
    host: str
    pid: int
    hosts: int
    depth: int
    last_batch: int
    mean_batch: float
    processed: int
    details: dict[str, Any]
    figures: Snapshot

    def as_json(self) -> dict[str, Any]:
        shown = asdict(self)
        del shown["figures"]  # they are for /metrics
        return shown


async def list_actors(runtime: Runtime, *, deadline_s: float = _DEADLINE_S) -> list[ActorRow]:
    """Every actor, by name; one that does not answer in time is `unreachable`. Raises ActorUnavailable."""
    names = await runtime.names()
    return list(await asyncio.gather(*(_row(runtime, name, deadline_s) for name in names)))


async def _row(runtime: Runtime, name: str, deadline_s: float) -> ActorRow:
    handle = await runtime.find(name)
    described = Described(name, "unreachable")
    if handle is not None:
        described = await handle.described(deadline_s=deadline_s)
    stats = described.stats
    return ActorRow(
        name=name,
        kind=kind_of(name),
        state=described.state,
        host=described.host,
        pid=described.pid,
        hosts=stats.get("active", 0),
        depth=stats.get("depth", 0),
        last_batch=stats.get("last_batch", 0),
        mean_batch=stats.get("mean_batch", 0.0),
        processed=stats.get("processed", 0),
        details=dict(stats),
        figures=described.figures,
    )


def kind_of(name: str) -> str:
    """`shared`, `own` or `rail`, told by the name."""
    kinds: Sequence[tuple[str, str]] = ((SHARED_PREFIX, "shared"), (OWN_PREFIX, "own"), (RAIL_PREFIX, "rail"))
    return next((kind for prefix, kind in kinds if name.startswith(prefix)), "other")
