"""The entry and the checkpoint, and the exact bytes that the chain and the signature cover. Pure."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cells.kit.hashchain import Head, canonical
from residency.classes import Public

FORMAT = "kovra-audit-v1"

# Ids, routes and codes. Names, account numbers and addresses have spaces or letters beyond ASCII sooner or
# later; routes do too (`POST /v1/transfers`), so an action is its own pattern, and it is the route's
# template, never the path as called.
_ID = re.compile(r"[A-Za-z0-9_.:-]{0,128}")
_ACTION = re.compile(r"[A-Za-z0-9_./{} :-]{1,128}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed. `actor`: a key id, or `operator:…`, `system:…`; `action`: method and route template, or a
    verb of ours.

    `outcome`: the HTTP status, or the code of the problem. `tenant_id`, `resource_id`: "" where there is
    none.
    """

    at: Annotated[datetime, Public]
    actor: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    action: Annotated[str, Public]
    resource_id: Annotated[str, Public]
    outcome: Annotated[str, Public]
    request_id: Annotated[str, Public]

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("an entry's time is aware")
        if not _ACTION.fullmatch(self.action):
            raise ValueError("an action is a route template or a verb")
        if not all(map(_ID.fullmatch, (self.actor, self.tenant_id, self.resource_id, self.outcome, self.request_id))):
            raise ValueError("an entry holds ids and codes only")

    def record(self) -> dict[str, object]:
        """The entry as an export shows it."""
        return {
            "at": timestamp(self.at),
            "actor": self.actor,
            "tenant_id": self.tenant_id,
            "action": self.action,
            "resource_id": self.resource_id,
            "outcome": self.outcome,
            "request_id": self.request_id,
        }

    def body(self) -> bytes:
        """The bytes that the chain covers."""
        return canonical(self.record())


def code_of(text: str) -> str:
    """A text of somebody's as an entry may hold it: itself where it is an id or a code, else what tells it from others."""
    return text if _ID.fullmatch(text) else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signature over where the chain stood. `signature`: Ed25519 over checkpoint_bytes, by the cell's key
    `kid`.
    """

    head: Head
    at: datetime
    kid: str
    signature: bytes


def chain_name(cell: str) -> str:
    """The name under which a cell's trail is chained."""
    return f"audit|{cell}"


def timestamp(at: datetime) -> str:
    """RFC 3339 UTC with all six decimals, so that one instant has one text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def checkpoint_bytes(cell: str, head: Head, at: str) -> bytes:
    """What a checkpoint's signature covers; `at` as timestamp writes it."""
    return canonical(
        {
            "format": FORMAT,
            "chain": chain_name(cell),
            "sequence": head.sequence,
            "hash": head.hash.hex(),
            "at": at,
        }
    )


def sign_checkpoint(cell: str, head: Head, at: datetime, kid: str, key: Ed25519PrivateKey) -> Checkpoint:
    """Vouch for the chain up to `head`."""
    return Checkpoint(head, at, kid, key.sign(checkpoint_bytes(cell, head, timestamp(at))))
