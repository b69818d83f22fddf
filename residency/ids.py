"""Ids that say where they live: `<kind>_<cell>_<uuidv7 in base32hex>`, such as `tr_eu1_06a1b2…`.

The cell is written without its dash, so that a thin router finds it by splitting on `_`. The uuid is RFC 9562
version 7 (time-ordered), written in lower-case base32hex (RFC 4648 section 7, no padding: 26 characters), which sorts as the
uuid does.
"""

import base64
import re
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from residency.errors import KovraError

KINDS = frozenset(
    {"ten", "wal", "qt", "rcp", "pyr", "tr", "col", "evt", "whe", "req", "key"}
)
_PATTERN = re.compile(r"(?P<kind>[a-z]{2,3})_(?P<cell>[a-z]{2}[0-9]{1,4})_(?P<uuid>[0-9a-v]{26})")


class MalformedId(KovraError):
    code = "malformed-id"
    status = 404
    title = "This is not an id of that kind"


class Identifier(NamedTuple):
    """A parsed id. `cell` has its dash (`eu-1`); `text` is the id as written."""

    kind: str
    cell: str
    uuid: UUID
    text: str

    @property
    def number(self) -> int:
        """The uuid as an unsigned 128-bit integer, the form the ledger's user_data_128 takes."""
        return self.uuid.int

    @property
    def milliseconds(self) -> int:
        """When the id was minted, in Unix milliseconds (the first 48 bits of a uuidv7)."""
        return self.uuid.int >> 80


def compact(cell: str) -> str:
    """`eu-1` → `eu1`, the form used inside ids, subjects and JetStream domains."""
    return cell.replace("-", "")


def expand(compact_cell: str) -> str:
    """`eu1` → `eu-1`."""
    return f"{compact_cell[:2]}-{compact_cell[2:]}"


def encode(uuid: UUID) -> str:
    return base64.b32hexencode(uuid.bytes).decode().rstrip("=").lower()


def decode(text: str) -> UUID:
    return UUID(bytes=base64.b32hexdecode(text.upper() + "======"))


def mint(kind: str, cell: str) -> str:
    """A new id of `kind` that lives in `cell`."""
    assert kind in KINDS, kind
    return f"{kind}_{compact(cell)}_{encode(uuid7())}"


def parse(text: str, *kinds: str) -> Identifier:
    """Read an id; with `kinds`, insist that it is one of them. Raises MalformedId."""
    match = _PATTERN.fullmatch(text)
    if match is None or match["kind"] not in (kinds or KINDS):
        expected = " or ".join(f"{kind}_…" for kind in kinds) or "an id"
        raise MalformedId(f"Expected {expected}; ids look like tr_eu1_ followed by 26 characters.")
    try:
        uuid = decode(match["uuid"])
    except ValueError:
        raise MalformedId("The last part of the id does not decode; copy it whole.") from None
    return Identifier(match["kind"], expand(match["cell"]), uuid, text)


def number(text: str) -> int:
    """The u128 form of an id."""
    return parse(text).number
