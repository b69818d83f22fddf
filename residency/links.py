"""The names of a link: which subjects, streams and consumer one corridor between two cells uses.

A corridor is one direction between two cells. Everything that crosses a border on NATS has one of the two
subjects named here, `delivery` and `acks`, so the brokers' permissions (infra) and the streams
(cells.backends.nats) cannot disagree. Names are append-only: servers in other jurisdictions hold them.

Cells appear under their compact names (`eu1`), since a dash is awkward in a stream name and a dot parts
subjects.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from residency.directory import Directory

# A limit on everything: an envelope is a few kB, and a full stream refuses what comes next.
MESSAGE_MAX_BYTES = 256 * 1024
PAYLOAD_MAX_BYTES = MESSAGE_MAX_BYTES + 4096  # with the headers
STREAM_MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Corridor:
    """One direction: what `origin` sends to `destination`. Both compact, such as `eu1`."""

    origin: str
    destination: str

    @property
    def messages(self) -> str:
        """What the origin publishes, and no more than one token for the event: `fx.eu1.id1.*`."""
        return f"fx.{self.origin}.{self.destination}.*"

    def subject(self, event: str) -> str:
        """`fx.eu1.id1.instructed`."""
        assert event.isidentifier(), f"not an event: {event!r}"
        return f"fx.{self.origin}.{self.destination}.{event}"

    @property
    def stream(self) -> str:
        """In the origin's JetStream: one stream per destination, so that no cell sees another's traffic."""
        return f"FX_OUT_{self.destination}"

    @property
    def consumer(self) -> str:
        """The origin's durable push consumer on `stream`. It names the origin, since `acks` must, too."""
        return f"LINK_{self.origin}_{self.destination}"

    @property
    def delivery(self) -> str:
        """Crosses origin → destination: the messages, pushed here and nowhere else."""
        return f"link.{self.origin}.{self.destination}.delivery"

    @property
    def acks(self) -> str:
        """Crosses destination → origin: which messages arrived."""
        return f"$JS.ACK.{self.stream}.{self.consumer}.>"


def outgoing(me: str, peers: Iterable[str]) -> tuple[Corridor, ...]:
    return tuple(Corridor(me, peer) for peer in peers)


def incoming(me: str, peers: Iterable[str]) -> tuple[Corridor, ...]:
    return tuple(Corridor(peer, me) for peer in peers)


def peers(directory: Directory, cell: str) -> tuple[str, ...]:
    """The compact names of every other cell, in one order everywhere."""
    return tuple(sorted(entry.compact for entry in directory.peers_of(cell)))
