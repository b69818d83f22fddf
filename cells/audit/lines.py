"""The lines of an export, one JSON object each: what verify reads. Pure."""

import json

from cells.audit.entry import FORMAT, Checkpoint, Entry, timestamp
from cells.kit.hashchain import Head


def header_line(cell: str, region: str, after: Head) -> str:
    """The first line: whose trail it is, and the head that the entries follow."""
    return _line(
        record="header",
        format=FORMAT,
        cell=cell,
        region=region,
        after_sequence=after.sequence,
        after_hash=after.hash.hex(),
    )


def entry_line(head: Head, entry: Entry) -> str:
    """An entry, with the head of the chain after it."""
    return _line(record="entry", sequence=head.sequence, hash=head.hash.hex(), **entry.record())


def checkpoint_line(checkpoint: Checkpoint) -> str:
    """A checkpoint; it stands right behind the entry up to which it vouches."""
    return _line(
        record="checkpoint",
        sequence=checkpoint.head.sequence,
        hash=checkpoint.head.hash.hex(),
        at=timestamp(checkpoint.at),
        kid=checkpoint.kid,
        signature=checkpoint.signature.hex(),
    )


def _line(**record: object) -> str:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)
