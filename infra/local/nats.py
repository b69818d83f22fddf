"""The brokers' configuration: one server per cell, one stateless transit, and what may pass between them.

Each cell's server has two accounts. CELL is the cell's own: its workers and its JetStream live there. LINK is all
that the leaf connection to the transit is bound to, and holds nothing. Between the two stand explicit exports and
imports: a whitelist of three subjects per corridor (residency/links.py). What is not on it has no way out and no
way in, **whatever the transit does or is**: of CELL, a peer, or a transit turned against us, can

- receive what the origin's own consumer pushes on `delivery` (only messages of the stream for that destination),
- ask that one consumer to start again (`rewind`), and tell it how far the copy is (`flow`),
- push messages at us on the `delivery` of our incoming corridors, where admission checks their signatures.

It is why sourcing uses a consumer which the *origin* creates (NATS 2.14, ADR-60) and not the older form, in which
the destination creates it: CONSUMER.CREATE lets the asker choose where the origin's server delivers, and so
publish in the origin's own account, under another cell's name for instance. Neither STREAM.* nor MSG.GET, PURGE,
DELETE, nor a list of anything is exported, and streams keep messages by limits, so a peer's flow control deletes none.

The transit repeats the rule from its side: an account per cell, the same three subjects exported to exactly the
cell they are meant for, and users who may be leaf nodes only, publish only in their own name and subscribe only to
what is addressed to them. So a peer's stolen key opens that peer's corridors and no others.

In production the same functions feed the Helm values; TLS belongs in `leafnodes` on both sides.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nkeys  # type: ignore[import-untyped]  # the package has no stubs

from infra.local.home import ensure_directory, write_file
from residency.links import MESSAGE_MAX_BYTES, STREAM_MAX_BYTES, Corridor, incoming, outgoing

# Headers (the message id) come on top of the body.
MAX_PAYLOAD_BYTES = MESSAGE_MAX_BYTES + 4096
# JetStream's own state beside the messages.
STORE_SLACK_BYTES = 64 * 1024 * 1024
CELL, LINK = "CELL", "LINK"

Statement = dict[str, Any]


def _exports(corridor: Corridor, to: str, rewind: str = "rewind") -> list[Statement]:
    """A corridor's three subjects, given by the account nearer the origin to the one nearer the destination."""
    return [
        {"stream": corridor.delivery, "accounts": [to]},
        {"service": getattr(corridor, rewind), "accounts": [to]},
        {"service": corridor.flow, "accounts": [to]},
    ]


def _imports(corridor: Corridor, of: str, rewind: str = "rewind") -> list[Statement]:
    """The same three, taken by the account nearer the destination."""
    return [
        {"stream": {"account": of, "subject": corridor.delivery}},
        {"service": {"account": of, "subject": getattr(corridor, rewind)}, "to": corridor.rewind},
        {"service": {"account": of, "subject": corridor.flow}},
    ]


def _each(
    make: Callable[..., list[Statement]], corridors: Sequence[Corridor], account: str, **names: str
) -> list[Statement]:
    return [statement for corridor in corridors for statement in make(corridor, account, **names)]


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
    """The configuration of one cell's server, as text for a file that only its owner may read (0600): it holds a seed.

    `cell` and `peers` are compact names; `worker_key` is the public nkey of the cell's processes; `leaf_seed`
    the secret that opens the transit at `transit_url` (`nats-leaf://host:port`).
    """
    ours, theirs = outgoing(cell, peers), incoming(cell, peers)
    worker = {
        "nkey": worker_key,
        # The delivery subjects are for the consumers alone: a worker can send nothing over the link by hand.
        "permissions": {
            "publish": ["$JS.API.>", "$JS.ACK.>", *(corridor.messages for corridor in ours)],
            "subscribe": ["_INBOX.>"],
        },
    }
    return _render({
        "server_name": f"kovra-{cell}",
        "host": host,
        "port": port,
        "http": f"{host}:{monitor_port}",
        "max_payload": MAX_PAYLOAD_BYTES,
        "jetstream": {
            "store_dir": str(store),
            "domain": cell,
            # Without it JetStream flushes every two minutes, and a power cut loses what it acknowledged.
            "sync_interval": "always",
            "max_memory_store": 0,
            "max_file_store": 2 * len(peers) * STREAM_MAX_BYTES + STORE_SLACK_BYTES,
        },
        "accounts": {
            CELL: {
                "jetstream": "enabled",
                "users": [worker],
                "exports": _each(_exports, ours, LINK, rewind="rewind_at_origin"),
                "imports": _each(_imports, theirs, LINK),
            },
            LINK: {
                "exports": _each(_exports, theirs, CELL),
                "imports": _each(_imports, ours, CELL, rewind="rewind_at_origin"),
            },
        },
        "leafnodes": {
            "reconnect": "1s",
            "remotes": [{"url": transit_url, "account": LINK, "nkey": leaf_seed}],
        },
    })


def transit_config(
    *, cells: Mapping[str, str], host: str, port: int, leaf_port: int, monitor_port: int
) -> str:
    """The configuration of the transit. `cells` maps each compact name to the public nkey of its leaf connection.

    It keeps nothing on disk and knows no secret. `port` is the client port NATS insists on; no user may use it.
    """
    accounts: dict[str, Statement] = {}
    for cell, leaf_key in cells.items():
        peers = [peer for peer in cells if peer != cell]
        ours, theirs = outgoing(cell, peers), incoming(cell, peers)
        accounts[_account(cell)] = {
            "users": [{
                "nkey": leaf_key,
                "allowed_connection_types": ["LEAFNODE"],
                "permissions": _leaf_permissions(ours, theirs),
            }],
            "exports": [export for one in ours for export in _exports(one, _account(one.destination))],
            "imports": [one for corridor in theirs for one in _imports(corridor, _account(corridor.origin))],
        }
    return _render({
        "server_name": "kovra-transit",
        "host": host,
        "port": port,
        "http": f"{host}:{monitor_port}",
        "max_payload": MAX_PAYLOAD_BYTES,
        "accounts": accounts,
        "leafnodes": {"host": host, "port": leaf_port},
    })


def _leaf_permissions(ours: Sequence[Corridor], theirs: Sequence[Corridor]) -> Statement:
    """What one cell may say and hear at the transit. `_R_` carries the answers to `rewind`, within its account."""
    return {
        "publish": [
            *(corridor.delivery for corridor in ours),
            *(subject for corridor in theirs for subject in (corridor.rewind, corridor.flow)),
            "_R_.>",
        ],
        "subscribe": [
            *(corridor.delivery for corridor in theirs),
            *(subject for corridor in ours for subject in (corridor.rewind, corridor.flow)),
            "_R_.>",
        ],
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
