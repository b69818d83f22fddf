"""Ids that say where they live: `<kind>_<cell>_<uuidv7 in base32hex>`, such as `tr_eu1_06a1b2…`.

The cell is written without its dash, so that a thin router finds it by splitting on `_`. The uuid is RFC 9562
version 7 (time-ordered), written in lower-case base32hex (RFC 4648 section 7, no padding: 26 characters), which sorts as the
uuid does.
"""

import re
from itertools import product
from typing import NamedTuple
from uuid import UUID

from uuid_utils import uuid7

from residency.errors import KovraError

KINDS = frozenset(
    {
        "ten",
        "wal",
        "qt",
        "rcp",
        "pyr",
        "tr",
        "col",
        "evt",
        "whe",
        "req",
        "key",
        "ret",
        "ord",
        "dec",
        "rcl",
        "bat",
        "bok",
        "int",
    }
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


# An id is made and read for every row of every payment: the library's base32, in Python, costs some 3 microseconds a call.
_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_PAIRS = ["".join(pair) for pair in product(_DIGITS, repeat=2)]
_SHIFTS = tuple(range(120, -1, -10))
# 26 characters of five bits hold 130: the last two are padding.
_PADDING_BITS = 2


def encode(uuid: UUID) -> str:
    """The 26 characters of a uuid."""
    return _encode(uuid.int)


def _encode(value: int) -> str:
    bits = value << _PADDING_BITS
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


def decode(text: str) -> UUID:
    """The uuid that 26 characters stand for."""
    return UUID(int=int(text, 32) >> _PADDING_BITS)


def mint(kind: str, cell: str) -> str:
    """A new id of `kind` that lives in `cell`."""
    assert kind in KINDS, kind
    return f"{kind}_{compact(cell)}_{_encode(uuid7().int)}"


def parse(text: str, *kinds: str) -> Identifier:
    """Read an id; with `kinds`, insist that it is one of them. Raises MalformedId."""
    match = _PATTERN.fullmatch(text)
    if match is None or match["kind"] not in (kinds or KINDS):
        expected = " or ".join(f"{kind}_…" for kind in kinds) or "an id"
        raise MalformedId(f"Expected {expected}; ids look like {(kinds or ('tr',))[0]}_eu1_ followed by 26 characters.")
    return Identifier(match["kind"], expand(match["cell"]), decode(match["uuid"]), text)


def is_id(text: str) -> bool:
    """Whether that is an id of any kind."""
    match = _PATTERN.fullmatch(text)
    return match is not None and match["kind"] in KINDS


def number(text: str) -> int:
    """The u128 form of an id. Raises MalformedId."""
    match = _PATTERN.fullmatch(text)
    if match is None or match["kind"] not in KINDS:
        return parse(text).number
    return int(match["uuid"], 32) >> _PADDING_BITS
