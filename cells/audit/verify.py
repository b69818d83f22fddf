"""Check an export offline: text and public keys in, a report out. Pure; needs no cell, no database, no
network.

What it proves: the entries are whole and in order since the start of the export, and up to `signed_through` a
key of the cell vouches for them. Entries behind the last checkpoint are chained but not vouched for; the
report counts them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cells.audit.entry import FORMAT, chain_name, checkpoint_bytes
from cells.kit.hashchain import Head, canonical, digest, genesis, next_head

_ENTRY_FIELDS = ("at", "actor", "tenant_id", "action", "resource_id", "outcome", "request_id")


@dataclass(slots=True)
class Report:
    """What an export proves. `problems` is empty for a whole one; its texts name lines by number, from 1."""

    cell: str = ""
    entries: int = 0
    first: int = 0
    last: int = 0
    checkpoints: int = 0
    signed_through: int = 0
    signed_at: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.problems

    @property
    def vouched(self) -> bool:
        """Whether it is whole, and a checkpoint vouches for it to its end."""
        return self.whole and self.checkpoints > 0 and not self.unsigned

    @property
    def unsigned(self) -> int:
        """How many entries stand behind the last good checkpoint: nothing vouches for them."""
        return max(0, self.last - max(self.signed_through, self.first - 1))


def verify(lines: Iterable[str], public_keys: Mapping[str, Mapping[str, str]]) -> Report:
    """Check an export; stops at the first line that does not hold.

    `public_keys` are raw Ed25519 keys in hex, by cell and kid: only a cell's own key vouches for its trail.
    """
    report = Report()
    head: Head | None = None
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line, object_pairs_hook=_members)
            if head is None:
                head = _start(record, report)
            elif record["record"] == "entry":
                head = _entry(head, record, report)
            elif record["record"] == "checkpoint":
                _checkpoint(head, record, public_keys, report)
            else:
                raise _DoesNotHold("is no entry and no checkpoint")
        except _DoesNotHold as broken:
            report.problems.append(f"line {number} {broken}")
            return report
        except (KeyError, TypeError, ValueError):
            report.problems.append(f"line {number} cannot be read")
            return report
    if head is None:
        report.problems.append("there is no header")
    return report


class _DoesNotHold(Exception):
    pass


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises _DoesNotHold: of a member that is there twice, one would be checked and the other perhaps read."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DoesNotHold("has a member twice")
    return found


def _start(record: Mapping[str, Any], report: Report) -> Head:
    if record["record"] != "header" or record["format"] != FORMAT:
        raise _DoesNotHold(f"is not the header of a {FORMAT} export")
    report.cell = record["cell"]
    head = Head(record["after_sequence"], bytes.fromhex(record["after_hash"]))
    if head.sequence == 0 and head != genesis(chain_name(report.cell)):
        raise _DoesNotHold("does not start where this cell's chain starts")
    report.first = head.sequence + 1
    report.last = head.sequence
    return head


def _entry(head: Head, record: Mapping[str, Any], report: Report) -> Head:
    if record["sequence"] != head.sequence + 1:
        raise _DoesNotHold(f"is entry {record['sequence']}, where {head.sequence + 1} belongs")
    body = canonical({name: record[name] for name in _ENTRY_FIELDS})
    after = next_head(head, digest(body))
    if record["hash"] != after.hash.hex():
        raise _DoesNotHold(f"(entry {after.sequence}) does not fit the chain: it or its hash was altered")
    if set(record) - {"record", "sequence", "hash", *_ENTRY_FIELDS}:
        raise _DoesNotHold(f"(entry {after.sequence}) has fields that the chain does not cover")
    report.entries += 1
    report.last = after.sequence
    return after


def _checkpoint(
    head: Head, record: Mapping[str, Any], public_keys: Mapping[str, Mapping[str, str]], report: Report
) -> None:
    claimed = Head(record["sequence"], bytes.fromhex(record["hash"]))
    if claimed != head:
        raise _DoesNotHold(f"vouches for another chain than the one before it (at {head.sequence})")
    public = public_keys.get(report.cell, {}).get(record["kid"])
    if public is None:
        raise _DoesNotHold(f"is signed with {record['kid']}, which is not among the keys given for {report.cell}")
    signed = checkpoint_bytes(report.cell, claimed, record["at"])
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(record["signature"]), signed)
    except InvalidSignature:
        raise _DoesNotHold(f"(checkpoint at {head.sequence}) has a signature that is not its key's") from None
    report.checkpoints += 1
    report.signed_through, report.signed_at = head.sequence, record["at"]
