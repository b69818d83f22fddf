"""L11: every life's row is what its stream in the journal makes of it. Reads pages of the journal in one snapshot, and holds one page of it.

A life's row and its entries are written by one statement, so they differ only where somebody's hand, or a bug, wrote one without the other:
an entry without its row, a row that moved without an entry, a version that is missing. Each difference is named, field by field.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from cells.backends.postgres import Connection
from cells.batches.batch import BATCH
from cells.journal import store as journal
from cells.journal.entry import Entry
from cells.journal.life import Life, Unfoldable
from cells.kit.money import amount_text
from cells.payments.stream import TRANSFER
from cells.rails.store_collections import CREDIT
from cells.rails.store_recalls import RECALL
from cells.reconciliation import store_refold
from cells.reconciliation.report import Finding
from cells.reconciliation.store_refold import Kept
from cells.resolutions.resolution import RESOLUTION
from cells.returns.returned import RETURN
from cells.sub_wallets.internal_transfer import INTERNAL_TRANSFER, SUB_WALLET
from residency.ids import is_id

# Whoever shares the event loop is held up for some 30 ms a page.
_PAGE = 1000
# Lives whose rows count no versions yet: their entries are on record, and no row is a fold of them.
_WITHOUT_VERSIONS: Final = frozenset({"endpoint"})
LIVES: Final[Mapping[str, Life[Any]]] = MappingProxyType(
    {one.name: one for one in (TRANSFER, CREDIT, RETURN, RESOLUTION, RECALL, SUB_WALLET, INTERNAL_TRANSFER, BATCH)}
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
        if await store_refold.count(snapshot, region, life) != found.rows[name]:
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
        rows, unreadable = await store_refold.rows(snapshot, region, LIVES[name], list(several))
        found.rows[name] += len(rows) + len(unreadable)
        found.findings += [
            _finding(cell, one, "row", "one that can be read", type(error).__name__)
            for one, error in unreadable.items()
        ]
        kept = {LIVES[name].id_of(one.row): one for one in rows}
        for one, entries in several.items():
            if one not in unreadable:
                found.findings += differences(cell, entries, kept.get(one), LIVES[name])


def differences(cell: str, entries: Sequence[Entry], kept: Kept | None, life: Life[Any]) -> list[Finding]:
    """What a stream and its row do not agree on. Pure."""
    name = entries[0].stream

    def finding(what: str, expected: object, found: object) -> Finding:
        return Finding("L11", (cell,), name, what, str(expected), str(found))

    try:
        folded = life.fold(entries)
    except Unfoldable as error:
        return [finding(f"version {error.version} of the stream", "an entry that follows", error)]
    if kept is None:
        return [finding("row", f"one as of version {folded.version}", "none")]
    found = [
        finding(one, _shown(life, folded, one), _shown(life, kept.row, one))
        for one in life.columns
        if one not in life.unrecorded and getattr(folded, one) != getattr(kept.row, one)
    ]
    if kept.recorded_in != entries[-1].recorded_in:
        found.append(finding("recorded_in", entries[-1].recorded_in, kept.recorded_in))
    return found


def _shown(life: Life[Any], row: Any, name: str) -> object:
    """A field as a person reads it: money with its currency."""
    value = getattr(row, name)
    return value if value is None or name not in life.money else amount_text(value, getattr(row, life.money[name]))


async def _find_rows_alone(snapshot: Connection, cell: str, region: str, life: Life[Any], found: Folded) -> None:
    """Rows that no stream makes: only looked for when the numbers say that there are some."""
    after = ""
    while ids := await store_refold.ids(snapshot, region, life, after, _PAGE):
        odd = [one for one in ids if not is_id(one)]
        streams = await journal.read(snapshot, region, [one for one in ids if one not in odd])
        found.findings += [
            _finding(cell, one, "stream", "one that makes the row", "none") for one in ids if one not in streams
        ]
        after = ids[-1]


def _finding(cell: str, subject: str, what: str, expected: str, found: str) -> Finding:
    return Finding("L11", (cell,), subject, what, expected, found)
