"""The hash chain under every append-only record of a cell (audit trail, customs log). Pure: bytes in, hashes
out.

A chain has a name (`audit|eu-1`), starts at `genesis(name)`, and link n is
`SHA-256(tag ‖ hash of link n-1 ‖ n as 8 bytes ‖ SHA-256(body n))`. Two invariants follow:

* a body that is altered, dropped, inserted or moved changes every later hash, so one signed head vouches for
  all before it;
* the name enters through the genesis, so a whole chain cannot be passed off as another cell's.

The body enters by its digest, so a body can be withheld (and its digest shown) without losing verifiability.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_TAG = b"kovra-chain-v1\x00"
HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: the number of its last link (0 before the first) and that link's hash (32 bytes)."""

    sequence: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Break:
    """The first link of a chain that does not hold, and in what: `sequence` or `hash`."""

    sequence: int
    reason: str


def genesis(name: str) -> Head:
    """The head of an empty chain called `name`."""
    return Head(0, hashlib.sha256(_TAG + name.encode()).digest())


def digest(body: bytes) -> bytes:
    """The part of a body that the chain sees (32 bytes)."""
    return hashlib.sha256(body).digest()


def next_head(head: Head, body_digest: bytes) -> Head:
    """The head after one more link over `body_digest` (from `digest`)."""
    assert len(body_digest) == HASH_BYTES
    sequence = head.sequence + 1
    return Head(sequence, hashlib.sha256(_TAG + head.hash + sequence.to_bytes(8, "big") + body_digest).digest())


def extend(head: Head, bodies: Sequence[bytes]) -> list[Head]:
    """Append `bodies` in order: the head after each of them (the last is the chain's new head)."""
    heads: list[Head] = []
    for body in bodies:
        head = next_head(head, digest(body))
        heads.append(head)
    return heads


def find_break(start: Head, links: Iterable[tuple[Head, bytes]]) -> Break | None:
    """Check `(claimed head, body)` pairs that follow `start`; the first that does not hold, or None if all
    do.
    """
    head = start
    for claimed, body in links:
        if claimed.sequence != head.sequence + 1:
            return Break(head.sequence + 1, "sequence")
        head = next_head(head, digest(body))
        if claimed.hash != head.hash:
            return Break(head.sequence, "hash")
    return None


def canonical(value: Mapping[str, object]) -> bytes:
    """The one byte form of a record: JSON, UTF-8, keys sorted, no spaces (RFC 8785 for the types allowed
    here).

    Floats are refused: they have no business in a record, and their text differs between implementations.
    """
    _check(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _check(value: object) -> None:
    if value is None or isinstance(value, str | int):
        return
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        for item in value.values():
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
    else:
        raise TypeError(f"no canonical form for {type(value).__name__}")
