"""L11: every life's row is what its stream in the journal makes of it. Reads pages of the journal in one snapshot, and holds one page of it.

A life's row and its entries are written by one statement, so they differ only where somebody's hand, or a bug, wrote one without the other:
an entry without its row, a row that moved without an entry, a version that is missing. Each difference is named, field by field.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

from cells.backends.postgres import Connection, Read
from cells.journal import store as journal
from cells.journal.entry import Entry
from cells.kit.money import amount_text
from cells.payments import stream
from cells.payments.stream import Unfoldable
from cells.payments.transfer import Transfer
from cells.reconciliation import store_refold
from cells.reconciliation.report import Finding
from cells.reconciliation.store_refold import Kept
from residency.ids import is_id

# Whoever shares the event loop is held up for some 30 ms a page.
_PAGE = 1000
# Lives whose rows count no versions yet: their entries are on record, and no row is a fold of them.
_WITHOUT_VERSIONS: Final = frozenset({"batch", "credit", "endpoint"})
# A partner's own words are in no entry.
_UNTOLD = frozenset({"metadata"})
_SOURCE_MONEY = frozenset({"principal", "margin", "fee"})
_TARGET_MONEY = frozenset({"target_amount", "recipient_fee"})
_FIELDS = tuple(one.name for one in fields(Transfer) if one.name not in _UNTOLD)


@dataclass(frozen=True, slots=True)
class Life:
    """One kind of life: what its entries make, and its rows by id, by page of ids, and how many there are."""

    fold: Callable[[Sequence[Entry]], Transfer]
    read: Callable[[Connection, str, Sequence[str]], Awaitable[Read[Kept]]]
    ids: Callable[[Connection, str, str, int], Awaitable[list[str]]]
    count: Callable[[Connection, str], Awaitable[int]]


LIVES: Final[Mapping[str, Life]] = MappingProxyType(
    {stream.LIFE: Life(stream.fold, store_refold.transfers, store_refold.transfer_ids, store_refold.transfer_count)}
)


@dataclass(slots=True)
class Folded:
    """What was found. `streams`, `entries`: how many were folded; `rows`: by life, how many of them had a row."""

    findings: list[Finding]
    rows: dict[str, int]
    streams: int = 0
    entries: int = 0


async def refold(
    snapshot: Connection, cell: str, region: str, progress: Callable[[int], None] = lambda _: None
) -> Folded:
    """Fold every stream of the cell, and compare it with its row. `snapshot`: a transaction that sees one instant; `progress` is called
    with the number of entries of each page. Raises StoreUnavailable."""
    found = Folded([], dict.fromkeys(LIVES, 0))
    async for streams in journal.streams(snapshot, region, _PAGE):
        await _compare(snapshot, cell, region, streams, found)
        entries = sum(map(len, streams.values()))
        found.entries += entries
        progress(entries)
    for name, life in LIVES.items():
        if await life.count(snapshot, region) != found.rows[name]:
            await _find_rows_alone(snapshot, cell, region, life, found)
    return found


async def _compare(
    snapshot: Connection, cell: str, region: str, streams: Mapping[str, Sequence[Entry]], found: Folded
) -> None:
    found.streams += len(streams)
    lives: dict[str, dict[str, Sequence[Entry]]] = {}
    for name, entries in streams.items():
        lives.setdefault(entries[0].kind.split(".")[0], {})[name] = entries
    for name, several in lives.items():
        if name in _WITHOUT_VERSIONS:
            continue
        if name not in LIVES:
            found.findings += [
                _finding(cell, one, "kind", "one that is known", several[one][0].kind) for one in several
            ]
            continue
        rows, unreadable = await LIVES[name].read(snapshot, region, list(several))
        found.rows[name] += len(rows) + len(unreadable)
        found.findings += [
            _finding(cell, one, "row", "one that can be read", type(error).__name__)
            for one, error in unreadable.items()
        ]
        kept = {one.transfer.transfer_id: one for one in rows}
        for one, entries in several.items():
            if one not in unreadable:
                found.findings += differences(cell, entries, kept.get(one), LIVES[name].fold)


def differences(
    cell: str, entries: Sequence[Entry], kept: Kept | None, fold: Callable[[Sequence[Entry]], Transfer]
) -> list[Finding]:
    """What a stream and its row do not agree on. Pure."""
    name = entries[0].stream

    def finding(what: str, expected: object, found: object) -> Finding:
        return Finding("L11", (cell,), name, what, str(expected), str(found))

    try:
        folded = fold(entries)
    except Unfoldable as error:
        return [finding(f"version {error.version} of the stream", "an entry that follows", error)]
    if kept is None:
        return [finding("row", f"one as of version {folded.version}", "none")]
    found = [
        finding(one, _shown(folded, one), _shown(kept.transfer, one))
        for one in _FIELDS
        if getattr(folded, one) != getattr(kept.transfer, one)
    ]
    if kept.recorded_in != entries[-1].recorded_in:
        found.append(finding("recorded_in", entries[-1].recorded_in, kept.recorded_in))
    return found


def _shown(transfer: Transfer, name: str) -> object:
    """A field as a person reads it: money with its currency."""
    value = getattr(transfer, name)
    if name in _SOURCE_MONEY:
        return amount_text(value, transfer.source_currency)
    return amount_text(value, transfer.target_currency) if name in _TARGET_MONEY else value


async def _find_rows_alone(snapshot: Connection, cell: str, region: str, life: Life, found: Folded) -> None:
    """Rows that no stream makes: only looked for when the numbers say that there are some."""
    after = ""
    while ids := await life.ids(snapshot, region, after, _PAGE):
        odd = [one for one in ids if not is_id(one)]
        streams = await journal.read(snapshot, region, [one for one in ids if one not in odd])
        found.findings += [
            _finding(cell, one, "stream", "one that makes the row", "none") for one in ids if one not in streams
        ]
        after = ids[-1]


def _finding(cell: str, subject: str, what: str, expected: str, found: str) -> Finding:
    return Finding("L11", (cell,), subject, what, expected, found)
