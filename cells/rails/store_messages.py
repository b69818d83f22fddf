"""Every message on the wire of a rail, as rows: sealed under a key of its own. Batch-first; none commits; the writer's connection."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from cells.backends.store_wrapped import WrappedTable
from cells.backends.vault import Sealed, SubjectRef, Vault, WrappedKey
from residency.classes import Confidential, Personal, Public
from residency.rules import rules_of

_KIND = "message"


@dataclass(frozen=True, slots=True)
class WireMessage:
    """One message as it was sent or came. `business_ids`: what it speaks of, as the scheme names it; of one of ours
    its own id too.
    """

    rail: Annotated[str, Public]
    direction: Annotated[Literal["sent", "received"], Public]
    message_type: Annotated[str, Public]
    business_ids: Annotated[tuple[str, ...], Confidential]
    at: Annotated[datetime, Public]
    body: Annotated[bytes, Personal] = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """One message on record. `sealed` is None once it is erased."""

    position: Annotated[int, Public]
    rail: Annotated[str, Public]
    direction: Annotated[str, Public]
    message_type: Annotated[str, Public]
    sha256: Annotated[bytes, Public]
    at: Annotated[datetime, Public]
    sealed: Annotated[Sealed | None, Personal] = field(repr=False)


_ROWS = Rows(
    "rail_messages",
    "rail direction message_type sha256:bytea business_ids:text[] at:timestamptz wrapped_key:bytea kek_kid nonce:bytea ciphertext:bytea"
    " erase_after:timestamptz",
)


def _subject(direction: str, sha256: bytes) -> SubjectRef:
    return SubjectRef(direction, sha256.hex(), _KIND)


WRAPPED = WrappedTable(
    table="rail_messages",
    identity={"position": "bigint"},
    kid="kek_kid",
    wrapped="wrapped_key",
    subject_columns=("direction", "sha256"),
    subject=lambda row: _subject(row["direction"], row["sha256"]),
)


async def keep(connection: Connection, vault: Vault, messages: Sequence[WireMessage]) -> None:
    """Seal and put on record, in one statement; each is erased when the law's term ends, counted from when it was sent or came."""
    term = rules_of(vault.region).keeping.term
    digests = [hashlib.sha256(one.body).digest() for one in messages]
    subjects = [_subject(one.direction, digest) for one, digest in zip(messages, digests, strict=True)]
    sealed = vault.seal([(subject, one.body) for subject, one in zip(subjects, messages, strict=True)])
    rows = [
        (one.rail, one.direction, one.message_type, digest, one.business_ids, one.at, it.key.wrapped, it.key.kid, it.nonce,
         it.ciphertext, one.at + term)
        for one, digest, it in zip(messages, digests, sealed, strict=True)
    ]  # fmt: skip
    await _ROWS.insert(connection, rows, compliance_region=vault.region)


async def about(connection: Connection, region: str, business_ids: Sequence[str]) -> list[KeptMessage]:
    """What was sent or received about any of these, in order."""
    rows = await connection.fetch(
        """
        select position, rail, direction, message_type, sha256, at, wrapped_key, kek_kid, nonce, ciphertext
        from rail_messages where compliance_region = $1 and business_ids && $2::text[] order by position
        """,
        region,
        business_ids,
    )
    return [
        KeptMessage(
            row["position"],
            row["rail"],
            row["direction"],
            row["message_type"],
            row["sha256"],
            row["at"],
            Sealed(WrappedKey(row["kek_kid"], row["wrapped_key"]), row["nonce"], row["ciphertext"])
            if row["wrapped_key"] is not None
            else None,
        )
        for row in rows
    ]


async def sent_under(
    connection: Connection, region: str, rail: str, message_ids: Sequence[str]
) -> dict[str, list[str]]:
    """By message id, what else the messages that we sent under it speak of. An id that we never used is absent."""
    rows = await connection.fetch(
        """
        select distinct one, named from rail_messages m, unnest($3::text[]) as one, unnest(m.business_ids) as named
        where m.compliance_region = $1 and m.rail = $2 and m.direction = 'sent' and m.business_ids && $3::text[]
          and one = any (m.business_ids) and named <> one order by one, named
        """,
        region,
        rail,
        message_ids,
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["one"], []).append(row["named"])
    return found


def open_messages(vault: Vault, kept: Sequence[KeptMessage]) -> list[bytes | None]:
    """Their bytes, in order; None where erased. Raises VaultUnreadable."""
    readable = [(_subject(one.direction, one.sha256), one.sealed) for one in kept if one.sealed is not None]
    opened = iter(vault.open([(subject, sealed) for subject, sealed in readable]))
    return [next(opened) if one.sealed is not None else None for one in kept]


async def due_for_erasure(connection: Connection, region: str, aside: Collection[str], limit: int = 1000) -> list[str]:
    """The positions, as text, of the messages whose term has ended, longest ago first, `limit` at most; without those `aside`."""
    rows = await connection.fetch(
        """
        select position::text from rail_messages
        where compliance_region = $1 and erase_after <= now() and wrapped_key is not null and position::text <> all ($3::text[])
        order by erase_after limit $2
        """,
        region,
        limit,
        list(aside),
    )
    return [row["position"] for row in rows]


async def erase(connection: Connection, region: str, positions: Sequence[str]) -> list[str]:
    """Destroy the keys of these messages; the positions of those that were not erased before. Their digests stay."""
    rows = await connection.fetch(
        """
        update rail_messages set wrapped_key = null, kek_kid = null, erased_at = now()
        where compliance_region = $1 and position = any ($2::bigint[]) and wrapped_key is not null returning position::text
        """,
        region,
        [int(one) for one in positions],
    )
    return [row["position"] for row in rows]
