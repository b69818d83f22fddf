"""What two cells' records say of each other, in pages: L4 over their legs, L7 over their customs logs.

Each is read in the order that makes it safe beside running payments: for legs the paying cell first (what has ended there ended
where it is paid out before); for customs the admitting cell first (what it admitted was exported before).
"""

from collections import Counter
from collections.abc import Mapping

from cells.backends.postgres import transaction
from cells.customs.chain import CustomsEntry, compare
from cells.payments.machine import Leg
from cells.reconciliation import store, store_legs
from cells.reconciliation.gather import OpenCell
from cells.reconciliation.lives import Lives
from cells.reconciliation.payments import orphan_findings, pair_findings
from cells.reconciliation.report import Finding

_PAGE = 2000


async def compare_legs(cells: Mapping[str, OpenCell]) -> tuple[list[Finding], Counter[str], set[str]]:
    """L4: findings, what is in flight, and the cells whose record is missing."""
    findings: list[Finding] = []
    moving: Counter[str] = Counter()
    missing: set[str] = set()
    for name, cell in cells.items():
        after = ""
        while True:
            async with transaction(cell.pool) as connection:
                page = await store_legs.page(Lives(connection, cell.spec), after, _PAGE, Leg.ORIGIN)
            if not page:
                break
            after = page[-1].transfer_id
            for destination in sorted({one.destination_cell for one in page}):
                if destination not in cells:
                    missing.add(destination)
                    continue
                ours = [one for one in page if one.destination_cell == destination]
                there = cells[destination]
                async with transaction(there.pool) as connection:
                    theirs = await store_legs.find(Lives(connection, there.spec), [one.transfer_id for one in ours])
                found, under_way = pair_findings(name, destination, ours, theirs)
                findings += found
                moving += Counter(under_way)
        found, gone = await _orphans(cells, cell)
        findings += found
        missing |= gone
    return findings, moving, missing


async def _orphans(cells: Mapping[str, OpenCell], cell: OpenCell) -> tuple[list[Finding], set[str]]:
    """Legs that a cell pays out and that no paying cell knows of."""
    findings: list[Finding] = []
    missing: set[str] = set()
    after = ""
    while True:
        async with transaction(cell.pool) as connection:
            page = await store_legs.page(Lives(connection, cell.spec), after, _PAGE, Leg.DESTINATION)
        if not page:
            return findings, missing
        after = page[-1].transfer_id
        for origin in sorted({one.origin_cell for one in page}):
            if origin not in cells:
                missing.add(origin)
                continue
            ours = [one for one in page if one.origin_cell == origin]
            there = cells[origin]
            async with transaction(there.pool) as connection:
                known = await store_legs.find(Lives(connection, there.spec), [one.transfer_id for one in ours])
            findings += orphan_findings(origin, cell.spec.name, ours, set(known))


async def compare_logs(origin: OpenCell, destination: OpenCell) -> tuple[list[Finding], int]:
    """L7 for one corridor: findings, and how many envelopes are on their way."""
    names = origin.spec.name, destination.spec.name
    async with transaction(destination.pool) as connection:
        admitted = await store.last_crossing(connection, destination.spec.region, "admitted", names)
    async with transaction(origin.pool) as connection:
        exported = await store.last_crossing(connection, origin.spec.region, "exported", names)
    # Up to the last admission of a moment ago: what was admitted since is not in doubt, only not looked at.
    findings: list[Finding] = []
    for start in range(1, admitted + 1, _PAGE):
        span = (start, min(start + _PAGE - 1, admitted))
        let_in = await _entries(destination, "admitted", names, span, admitted)
        sent = await _entries(origin, "exported", names, span, admitted)
        for one in compare(sent, let_in, *names).differences:
            # The last admission is in every window, so that "not admitted" can be told from "on its way".
            if span[0] <= one.sequence <= span[1]:
                subject = f"customs entry {one.sequence} from {names[0]} to {names[1]}, {one.transfer_id}"
                findings.append(Finding("L7", names, subject, "the two logs", "the same envelope in both", one.fault))
    return findings, max(exported - admitted, 0)


async def _entries(
    cell: OpenCell, direction: str, names: tuple[str, str], span: tuple[int, int], last: int
) -> list[CustomsEntry]:
    async with transaction(cell.pool) as connection:
        rows = await store.crossings(connection, cell.spec.region, direction, names, span)
        if span[1] < last:
            rows += await store.crossings(connection, cell.spec.region, direction, names, (last, last))
    return [CustomsEntry.from_mapping(row) for row in rows]
