"""The host's `/metrics`: its own figures, its workers', and those of the cell's actors, whose processes nobody else can ask.

Wallets with an actor to themselves are shown as one, `own`: their actors' names hold wallet ids, and a label holds none.
"""

from collections.abc import Mapping, Sequence
from os import getpid
from socket import gethostname

from prometheus_client import Counter, Gauge

from actors.listing import ActorRow
from actors.workers.worker import Supervised
from cells.kit import metrics
from cells.kit.breaker import BreakerState

_OWN = "own"
_STATES = ("running", "starting", "unreachable")

_ACTORS = Gauge("kovra_actors", "Ray actors of the cell", ["cell", "kind", "state"])
_CLUSTER = Gauge("kovra_actors_cluster_up", "1 while the actors' cluster answers", ["cell"])
_DEPTH = Gauge("kovra_actor_mailbox_depth", "Commands waiting", ["cell", "actor"])
_BATCH = Gauge("kovra_actor_mean_batch", "Commands per batch since start", ["cell", "actor"])
_PROCESSED = Gauge("kovra_actor_processed", "Commands carried out since start", ["cell", "actor"])
_WALLETS = Gauge("kovra_actor_active_wallets", "Wallets in memory", ["cell", "actor"])
_BREAKER = Gauge("kovra_rail_breaker_state", "1 for the state that the rail's breaker is in", ["cell", "rail", "state"])
_UNDER_WAY = Gauge("kovra_rail_messages_under_way", "Messages at the scheme now", ["cell", "rail"])
_UNACKNOWLEDGED = Gauge("kovra_rail_unacknowledged_payments", "Answers that wallets have yet to take", ["cell", "rail"])
_IN_DOUBT = Gauge("kovra_rail_in_doubt_payments", "Payments that the rail's actor inquires after", ["cell", "rail"])
_RESTARTS = Gauge("kovra_worker_restarts", "Restarts since the host began", ["cell", "worker"])
_WORKER = Gauge("kovra_worker_up", "1 while the worker runs, 0 while it waits to be started again", ["cell", "worker"])
_SCRAPES = Counter("kovra_host_scrapes", "How often these figures were asked for", ["cell"])
_OF_ACTORS = (_ACTORS, _DEPTH, _BATCH, _PROCESSED, _WALLETS, _BREAKER, _UNDER_WAY, _UNACKNOWLEDGED, _IN_DOUBT)


def exposition(cell: str, workers: Mapping[str, Supervised], rows: Sequence[ActorRow] | None) -> bytes:
    """Everything, as Prometheus reads it. `rows` is None when the actors' cluster does not answer: the rest is worth having even then."""
    _SCRAPES.labels(cell).inc()
    for name, one in workers.items():
        _RESTARTS.labels(cell, name).set(one.restarts)
        _WORKER.labels(cell, name).set(one.state == "running")
    _CLUSTER.labels(cell).set(rows is not None)
    for gauge in _OF_ACTORS:
        gauge.clear()  # an actor that is gone is not to stand here with its last figures
    for row in rows or ():
        _note(cell, row)
    return metrics.exposition(cell, _told(rows or ()))


def _note(cell: str, row: ActorRow) -> None:
    for state in _STATES:
        _ACTORS.labels(cell, row.kind, state).inc(row.state == state)
    actor = _shown(row)
    _DEPTH.labels(cell, actor).inc(row.depth)
    _PROCESSED.labels(cell, actor).inc(row.processed)
    _WALLETS.labels(cell, actor).inc(row.hosts)
    if row.kind != _OWN:
        _BATCH.labels(cell, actor).set(row.mean_batch)
    if row.kind == "rail" and row.state == "running":
        _note_rail(cell, row)


def _note_rail(cell: str, row: ActorRow) -> None:
    rail = str(row.details["rail"])
    for state in BreakerState:
        _BREAKER.labels(cell, rail, str(state)).set(row.details["breaker"] == state)
    _UNDER_WAY.labels(cell, rail).set(row.details["under_way"])
    _UNACKNOWLEDGED.labels(cell, rail).set(row.details["unacknowledged"])
    _IN_DOUBT.labels(cell, rail).set(row.details["in_doubt"])


def _shown(row: ActorRow) -> str:
    return _OWN if row.kind == _OWN else row.name


def _told(rows: Sequence[ActorRow]) -> Mapping[str, metrics.Snapshot]:
    """The figures of other processes, by actor. What runs in this one (the twin of Ray in tests) has been counted here already."""
    here = (gethostname(), getpid())
    grouped: dict[str, list[metrics.Snapshot]] = {}
    for row in rows:
        if (row.host, row.pid) != here:
            grouped.setdefault(_shown(row), []).append(row.figures)
    return {actor: metrics.added(snapshots) for actor, snapshots in grouped.items()}
