"""The brokers' configuration: one server per cell, one stateless transit, and what may pass between them.

Each cell's server has two accounts. CELL is the cell's own: its workers and its JetStream live there. LINK is
all that the leaf connection to the transit is bound to, and holds nothing. Between the two stand explicit
exports and imports: a whitelist of two subjects per corridor (residency/links.py). What is not on it has no
way out and no way in, **whatever the transit does or is**: of CELL, a peer, or a transit turned against us,
can

- receive on `delivery` what the origin's own consumer pushes there (the stream for that destination, no
  other),
- say on `acks` that it has them (streams keep messages by limits: an ack deletes nothing),
- push messages at us on the `delivery` of our incoming corridors, where admission checks their signatures.

No part of the JetStream API crosses, which is why the destination does not *source* the origin's stream.
Weighed:
- Sourcing by a consumer that the destination creates needs CONSUMER.CREATE, and that lets the asker choose
  where the origin's server delivers: to any subject of the origin's account, the JetStream API's own among
  them.
- Sourcing by a durable consumer of the origin's (NATS 2.14, ADR-60) needs only CONSUMER.RESET; but in 2 of
  23 starts with a link that came up late (2.15.1), what was waiting did not arrive: a reset answered while
  the consumer delivers makes the source believe it has those messages, and acknowledge them.
A second copy at the destination would buy nothing: the inbox row is the record, and the origin keeps its copy
until the receipt. So the origin's consumer pushes straight to the destination's worker, and one disk write
per message is saved.

The transit repeats the rule from its side: an account per cell, the same two subjects exported to exactly the
cell they are meant for, and users who may be leaf nodes only, publish only in their own name and subscribe
only to what is addressed to them. So a peer's stolen key opens that peer's corridors and no others.

In production the same functions feed the Helm values; TLS belongs in `leafnodes` on both sides.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nkeys

from infra.local.home import ensure_directory, write_file
from residency import dead_letters
from residency.links import PAYLOAD_MAX_BYTES, STREAM_MAX_BYTES, Corridor, incoming, outgoing

# JetStream's own state beside the messages.
STORE_SLACK_BYTES = 64 * 1024 * 1024
CELL, LINK = "CELL", "LINK"

Statement = dict[str, Any]


def _exports(corridor: Corridor, to: str) -> list[Statement]:
    """A corridor's two subjects, given by the account nearer the origin to the one nearer the destination."""
    return [{"stream": corridor.delivery, "accounts": [to]}, {"service": corridor.acks, "accounts": [to]}]


def _imports(corridor: Corridor, of: str) -> list[Statement]:
    """The same two, taken by the account nearer the destination."""
    return [
        {"stream": {"account": of, "subject": corridor.delivery}},
        {"service": {"account": of, "subject": corridor.acks}},
    ]


def cell_config(
    *,
    cell: str,
    peers: Sequence[str],
    host: str,
    port: int,
    monitor_port: int,
    store: Path,
    worker_key: str,
    transit_url: str,
    leaf_seed: str,
) -> str:
    """The configuration of one cell's server, for a file that only its owner may read: it holds a seed.

    `cell` and `peers` are compact names; `worker_key` is the public nkey of the cell's processes; `leaf_seed`
    the secret that opens the transit at `transit_url` (`nats-leaf://host:port`).
    """
    ours, theirs = outgoing(cell, peers), incoming(cell, peers)
    return _render(
        {
            "server_name": f"kovra-{cell}",
            "host": host,
            "port": port,
            "http": f"{host}:{monitor_port}",
            "max_payload": PAYLOAD_MAX_BYTES,
            "jetstream": {
                "store_dir": str(store),
                "domain": cell,
                # Without it JetStream flushes every two minutes, and a power cut loses what it acknowledged.
                "sync_interval": "always",
                "max_memory_store": 0,
                # Twice, because amending a stream reserves it anew beside what it has.
                "max_file_store": 2 * (len(peers) * STREAM_MAX_BYTES + dead_letters.STREAM_MAX_BYTES)
                + STORE_SLACK_BYTES,
            },
            "accounts": {
                CELL: {
                    "jetstream": "enabled",
                    "users": [_worker(worker_key, ours, theirs)],
                    "exports": [one for corridor in ours for one in _exports(corridor, LINK)],
                    "imports": [one for corridor in theirs for one in _imports(corridor, LINK)],
                },
                LINK: {
                    "exports": [one for corridor in theirs for one in _exports(corridor, CELL)],
                    "imports": [one for corridor in ours for one in _imports(corridor, CELL)],
                },
            },
            "leafnodes": {
                "reconnect": "1s",
                # LINK has no JetStream, but the server would say so, to anybody who asks by its domain.
                "remotes": [
                    {
                        "url": transit_url,
                        "account": LINK,
                        "nkey": leaf_seed,
                        "deny_imports": ["$JS.API.>", "$JS.*.API.>"],
                    }
                ],
            },
        }
    )


def _worker(key: str, ours: Sequence[Corridor], theirs: Sequence[Corridor]) -> Statement:
    """What the cell's own processes may say and hear. Delivery subjects are for the consumers alone: a worker sends nothing over a link
    by hand."""
    return {
        "nkey": key,
        "permissions": {
            "publish": [
                "$JS.API.>",
                dead_letters.SUBJECT,
                *(one.messages for one in ours),
                *(one.acks for one in theirs),
            ],
            "subscribe": ["_INBOX.>", *(one.delivery for one in theirs)],
        },
    }


def transit_config(*, cells: Mapping[str, str], host: str, port: int, leaf_port: int, monitor_port: int) -> str:
    """The configuration of the transit.

    `cells` maps each compact name to the public nkey of its leaf connection.
    It keeps nothing on disk and knows no secret. `port` is the client port NATS insists on; no user may use
    it.
    """
    accounts: dict[str, Statement] = {}
    for cell, leaf_key in cells.items():
        peers = [peer for peer in cells if peer != cell]
        ours, theirs = outgoing(cell, peers), incoming(cell, peers)
        accounts[_account(cell)] = {
            "users": [
                {
                    "nkey": leaf_key,
                    "allowed_connection_types": ["LEAFNODE"],
                    "permissions": _leaf_permissions(ours, theirs),
                }
            ],
            "exports": [one for corridor in ours for one in _exports(corridor, _account(corridor.destination))],
            "imports": [one for corridor in theirs for one in _imports(corridor, _account(corridor.origin))],
        }
    return _render(
        {
            "server_name": "kovra-transit",
            "host": host,
            "port": port,
            "http": f"{host}:{monitor_port}",
            "max_payload": PAYLOAD_MAX_BYTES,
            "accounts": accounts,
            "leafnodes": {"host": host, "port": leaf_port},
        }
    )


def _leaf_permissions(ours: Sequence[Corridor], theirs: Sequence[Corridor]) -> Statement:
    """What one cell may say and hear at the transit."""
    return {
        "publish": [*(one.delivery for one in ours), *(one.acks for one in theirs)],
        "subscribe": [*(one.delivery for one in theirs), *(one.acks for one in ours)],
    }


def _account(cell: str) -> str:
    return cell.upper()


def _render(settings: Statement) -> str:
    """NATS reads JSON as a form of its own configuration language."""
    return json.dumps(settings, indent=2) + "\n"


@dataclass(frozen=True)
class Nkey:
    """A NATS identity: `seed` is the secret, `public` what a server's configuration holds."""

    seed: str
    public: str


def remembered_nkey(path: Path) -> Nkey:
    """The user nkey whose seed is kept in `path` (0600), born at first use."""
    if not path.exists():
        ensure_directory(path.parent, 0o700)
        write_file(path, nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER), 0o600)
    seed = path.read_bytes().strip()
    pair = nkeys.from_seed(seed)
    return Nkey(seed.decode(), pair.public_key.decode())
