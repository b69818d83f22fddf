"""How a cell's outgoing corridors stand at its broker, for tests that wait for what the broker knows."""

from collections.abc import Sequence
from typing import NamedTuple

from cells.backends.nats import Bus
from residency.links import Corridor, outgoing


class LinkState(NamedTuple):
    """An outgoing corridor: is the destination listening, what waits for it, what is sent and not acked."""

    corridor: Corridor
    listening: bool
    waiting: int
    unacked: int


async def links(bus: Bus, me: str, peers: Sequence[str]) -> list[LinkState]:
    states = []
    for corridor in outgoing(me, peers):
        info = await bus._js.consumer_info(corridor.stream, corridor.consumer)
        waiting, unacked = info.num_pending or 0, info.num_ack_pending or 0
        states.append(LinkState(corridor, bool(info.push_bound), waiting, unacked))
    return states
