"""The one message between cells: framed bytes, signed as they are and verified as they came.

    "KVB1" | u32 n | header JSON | u32 n | message JSON | u32 n | sealed part | Ed25519 signature (64 bytes)
    └──────────────── the clear part ─────────────────┘

Integers are big-endian. The signature covers a domain tag and every byte before it; nothing is ever
serialised again to be checked. The sealed part is bound to the clear part (residency.sealing). The envelope's
identity is SHA-256 of all its bytes.

A key must be valid when the envelope is opened, not only when it says it was issued: whoever steals a retired
key could date back.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from residency import i_json
from residency.classes import Public
from residency.crossing import BorderMessage, message_type
from residency.directory import CellEntry, Directory
from residency.errors import KovraError
from residency.instants import Instant
from residency.jurisdictions import corridor_ends
from residency.keys import CellKeys
from residency.rules import ALLOW_LIST_VERSION, RulesInvalid, allow_list
from residency.sealing import SealUnreadable, open_bytes, seal_bytes
from residency.travel_rule import CrossingRefused, SealedParties, crossed_fields

_MAGIC = b"KVB1"
_DOMAIN = b"kovra-envelope-v1\x00"
_ROLL_DOMAIN = b"kovra-roll-v1\x00"
_LENGTH = struct.Struct(">I")
_SIGNATURE_BYTES = 64
ENVELOPE_BYTES_MAX = 65_536
CLOCK_SKEW = timedelta(minutes=5)
EMPTY_ROLL = bytes(32)


class EnvelopeRefused(KovraError):
    """Not a message that this directory's cells could have sent. `reason` is a short stable token for the
    customs log; `claimed` is the header if one could be read, believed by nobody.
    """

    code = "envelope-refused"
    title = "The envelope is refused at the border"

    def __init__(self, reason: str, claimed: "Header | None" = None) -> None:
        super().__init__(f"The envelope is refused: {reason}.", reason=reason)
        self.reason = reason
        self.claimed = claimed


class Header(BaseModel):
    """The signed facts of the crossing itself. `sealed_fields` are allow-list names, never values."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    from_cell: Annotated[str, Public] = Field(max_length=8)
    to_cell: Annotated[str, Public] = Field(max_length=8)
    kind: Annotated[str, Public] = Field(max_length=16)
    sequence: Annotated[int, Field(ge=0, lt=2**63), Public]
    kid: Annotated[str, Public] = Field(max_length=64)
    seal_kid: Annotated[str, Public] = Field(default="", max_length=64)
    allow_list: Annotated[int, Field(ge=0, lt=2**31), Public]
    sealed_fields: Annotated[tuple[str, ...], Public] = ()
    issued_at: Annotated[Instant, Public]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed envelope as it goes on the wire. `sha256` is its identity (32 bytes)."""

    header: Header
    data: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class OpenedEnvelope:
    """A verified envelope. `clear` is the exact clear bytes, which the sealed part is bound to."""

    header: Header
    message: BorderMessage
    clear: bytes
    sealed_bytes: bytes
    sha256: bytes

    @property
    def kind(self) -> str:
        return self.header.kind

    @property
    def sequence(self) -> int:
        return self.header.sequence

    @property
    def from_cell(self) -> str:
        return self.header.from_cell

    @property
    def to_cell(self) -> str:
        return self.header.to_cell

    @property
    def hash(self) -> str:
        """SHA-256 of the envelope in hex: the form an `instruction_hash` takes."""
        return self.sha256.hex()

    @property
    def transfer_id(self) -> str:
        """The payment it is about; empty for a receipt."""
        return getattr(self.message, "transfer_id", "")


def seal_and_sign(
    message: BorderMessage,
    sealed: SealedParties | None,
    sequence: int,
    keys: CellKeys,
    directory: Directory,
    *,
    to_cell: str,
    at: datetime | None = None,
) -> Envelope:
    """Build the envelope of `message` from `keys.cell` to `to_cell`.

    Raises CrossingRefused when the route or the sealed part is not lawful for the message (a bug of the
    caller), NoCorridor, KeysInvalid.
    """
    at = at or datetime.now(UTC)
    origin, destination = corridor_ends(directory, keys.cell, to_cell)
    if (fault := message.route_fault(origin, destination)) is not None:
        raise CrossingRefused(f"{message.kind}: {fault}.")
    if message.carries_sealed != (sealed is not None):
        raise CrossingRefused(f"{message.kind} {'needs' if message.carries_sealed else 'takes no'} sealed part.")
    kid, signing_key = keys.signer(directory, at)
    seal_to = destination.current_key("sealing", at) if sealed is not None else None
    header = Header(
        from_cell=origin.name,
        to_cell=destination.name,
        kind=message.kind,
        sequence=sequence,
        kid=kid,
        seal_kid=seal_to.kid if seal_to else "",
        allow_list=ALLOW_LIST_VERSION,
        sealed_fields=crossed_fields(sealed) if sealed else (),
        issued_at=at,
    )
    clear = _MAGIC + _framed(header.model_dump_json().encode()) + _framed(message.model_dump_json().encode())
    sealed_bytes = b""
    if sealed is not None and seal_to is not None:
        plaintext = sealed.model_dump_json(exclude_none=True).encode()
        sealed_bytes = seal_bytes(plaintext, _sealing_key(seal_to.public_hex), clear)
    unsigned = clear + _framed(sealed_bytes)
    data = unsigned + signing_key.sign(_DOMAIN + unsigned)
    if len(data) > ENVELOPE_BYTES_MAX:
        raise ValueError(f"an envelope has at most {ENVELOPE_BYTES_MAX} bytes, and this one {len(data)}")
    return Envelope(header, data, hashlib.sha256(data).digest())


def open_envelope(
    data: bytes, directory: Directory, *, here: str | None = None, at: datetime | None = None
) -> OpenedEnvelope:
    """Verify `data` whole: frame, signature, key validity, route, schema, allow-list. With `here`, insist
    that it is for that cell.

    Raises EnvelopeRefused, and nothing else, whatever the bytes are.
    """
    at = at or datetime.now(UTC)
    header, message_json, clear, sealed_bytes = _unframe(data)
    origin, destination = _route(header, directory, here)
    _verify(data, header, origin, at)
    kind = message_type(header.kind)
    if kind is None:
        raise EnvelopeRefused("unknown-kind", header)
    try:
        i_json.loads(message_json)
        message = kind.model_validate_json(message_json)
    except (i_json.NotIJson, ValidationError):
        raise EnvelopeRefused("schema", header) from None
    if message.route_fault(origin, destination) is not None:
        raise EnvelopeRefused("misaddressed", header)
    if kind.carries_sealed != bool(sealed_bytes) or bool(header.sealed_fields) != bool(sealed_bytes):
        raise EnvelopeRefused("sealed-part", header)
    _check_allow_list(header)
    return OpenedEnvelope(header, message, clear, sealed_bytes, hashlib.sha256(data).digest())


def unseal(opened: OpenedEnvelope, keys: CellKeys) -> SealedParties:
    """Open the sealed part with this cell's key. Raises SealUnreadable, also when it holds other fields than
    the header names.
    """
    private_key = keys.sealing.get(opened.header.seal_kid)
    if private_key is None:
        raise SealUnreadable(f"{keys.cell} holds no sealing key {opened.header.seal_kid!r}.")
    plaintext = open_bytes(opened.sealed_bytes, private_key, opened.clear)
    try:
        parties = SealedParties.model_validate_json(plaintext)
    except ValidationError:
        raise SealUnreadable("It does not hold what the allow-list names.") from None
    if crossed_fields(parties) != opened.header.sealed_fields:
        raise SealUnreadable("It holds other fields than its header names.")
    return parties


def roll(previous: bytes, hashes: Sequence[bytes]) -> bytes:
    """Fold envelope hashes, in sequence order, into a corridor's rolling hash (32 bytes; EMPTY_ROLL before
    the first).
    """
    for one in hashes:
        previous = hashlib.sha256(_ROLL_DOMAIN + previous + one).digest()
    return previous


def _framed(part: bytes) -> bytes:
    return _LENGTH.pack(len(part)) + part


def _unframe(data: bytes) -> tuple[Header, bytes, bytes, bytes]:
    if len(data) > ENVELOPE_BYTES_MAX or data[: len(_MAGIC)] != _MAGIC:
        raise EnvelopeRefused("frame")
    parts: list[bytes] = []
    ends: list[int] = []
    position = len(_MAGIC)
    for _ in range(3):
        start = position + _LENGTH.size
        if start > len(data):
            raise EnvelopeRefused("frame")
        position = start + _LENGTH.unpack_from(data, position)[0]
        parts.append(data[start:position])
        ends.append(position)
    if position + _SIGNATURE_BYTES != len(data):
        raise EnvelopeRefused("frame")
    try:
        i_json.loads(parts[0])
        header = Header.model_validate_json(parts[0])
    except (i_json.NotIJson, ValidationError):
        raise EnvelopeRefused("header") from None
    return header, parts[1], data[: ends[1]], parts[2]


def _route(header: Header, directory: Directory, here: str | None) -> tuple[CellEntry, CellEntry]:
    origin, destination = directory.cells.get(header.from_cell), directory.cells.get(header.to_cell)
    if origin is None or destination is None:
        raise EnvelopeRefused("unknown-cell", header)
    if origin is destination or (here is not None and destination.name != here):
        raise EnvelopeRefused("misaddressed", header)
    return origin, destination


def _verify(data: bytes, header: Header, origin: CellEntry, at: datetime) -> None:
    published = origin.key(header.kid, "signing")
    if published is None:
        raise EnvelopeRefused("unknown-key", header)
    try:
        _signing_key(published.public_hex).verify(data[-_SIGNATURE_BYTES:], _DOMAIN + data[:-_SIGNATURE_BYTES])
    except InvalidSignature:
        raise EnvelopeRefused("signature", header) from None
    if not (published.not_before <= header.issued_at < published.not_after and at < published.not_after):
        raise EnvelopeRefused("expired-key", header)
    if header.issued_at > at + CLOCK_SKEW:
        raise EnvelopeRefused("issued-in-future", header)


def _check_allow_list(header: Header) -> None:
    try:
        known = allow_list(header.allow_list)
    except RulesInvalid:
        raise EnvelopeRefused("unknown-allow-list", header) from None
    if not set(header.sealed_fields) <= known:
        raise EnvelopeRefused("allow-list", header)


@lru_cache(maxsize=256)
def _signing_key(public_hex: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))


@lru_cache(maxsize=256)
def _sealing_key(public_hex: str) -> X25519PublicKey:
    return X25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))
