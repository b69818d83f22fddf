"""The whole reconciliation: gather from each cell, compare them with each other, conclude on L1 to L11.

    report = await reconcile([load_spec("eu-1"), load_spec("id-1")])     # opens and closes what it needs
    report = await examine(open_cells)                                   # over pools and ledgers that are open already

With one cell alone, what takes two records is "not checked", never "held".
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from cells.backends.postgres import open_pool
from cells.cell import open_ledger
from cells.kit.money import amount_text
from cells.ledger import chart
from cells.ledger.codes import Code
from cells.reconciliation import own_books, peers, revenue, safeguarding
from cells.reconciliation.border import compare_legs, compare_logs
from cells.reconciliation.facts import CellFacts, describe
from cells.reconciliation.gather import OpenCell
from cells.reconciliation.report import Finding, Report, Result, conclude
from cells.reconciliation.statements import NoTeller, SandboxTeller
from cells.reconciliation.strange_credits import examined
from cells.spec import CellSpec


@asynccontextmanager
async def opened(spec: CellSpec) -> AsyncIterator[OpenCell]:
    """One cell, opened to be read: two connections and one ledger session, given back at the end. Raises StoreUnavailable,
    LedgerUnknown."""
    pool = await open_pool(spec.settings.postgres.writer, size_max=2, name="kovra-reconcile")
    try:
        ledger = await open_ledger(spec, name="kovra-reconcile")
        try:
            yield OpenCell(spec, pool, ledger, SandboxTeller(spec) if spec.settings.sandbox else NoTeller())
        finally:
            await ledger.close()
    finally:
        await pool.close()


# The cells are read one after the other; under steady traffic a payment may run its whole way in between, and once more.
_LOOKS_AGAIN = 5


async def reconcile(specs: Sequence[CellSpec]) -> Report:
    """Reconcile running cells, alone and with each other. Raises StoreUnavailable, LedgerUnknown."""
    async with AsyncExitStack() as stack:
        return await examine([await stack.enter_async_context(opened(spec)) for spec in specs])


async def examine(cells: Sequence[OpenCell]) -> Report:
    """The same over cells that are open already."""
    by_name = {cell.spec.name: cell for cell in cells}
    facts = [await examined(cell) for cell in cells]
    for _ in range(_LOOKS_AGAIN):
        if not peers.skewed(facts):
            break
        facts = [await examined(cell) for cell in cells]
    border = [await _l4(facts, by_name), await _l7(facts, by_name), _l8(facts)]
    results = [*own_results(facts), *border]
    results.sort(key=lambda one: int(one.invariant[1:]))
    return Report(tuple(by_name), datetime.now(UTC), tuple(results))


def own_results(facts: Sequence[CellFacts]) -> list[Result]:
    """L1 to L3, L5, L6, L9 to L11: those that each cell's own record can say."""
    moving: Counter[str] = sum((own_books.in_motion(one) for one in facts), Counter())
    checks: dict[str, Callable[[CellFacts], list[Finding]]] = {
        "L1": own_books.balanced,
        "L2": own_books.not_below_zero,
        "L3": own_books.passages,
        "L5": lambda one: [*revenue.revenue(one), *_of("L5", one.leg_findings)],
        "L6": lambda one: list(one.posting_findings),
        "L9": safeguarding.safeguarding,
        "L10": _quotes,
        "L11": lambda one: one.folded.findings,
    }
    notes = {
        "L6": [_house(one) for one in facts],
        "L11": [f"{one.cell}: {one.folded.streams} streams" for one in facts],
        "L9": [note for one in facts for note in _cover(one)],
    }
    # Debits and credits, signs and quotes are the same whether anything moves or not.
    timeless = {"L1", "L2", "L6", "L10", "L11"}
    return [
        conclude(
            invariant,
            [finding for one in facts for finding in check(one)],
            {} if invariant in timeless else moving,
            notes.get(invariant, ()),
        )
        for invariant, check in checks.items()
    ]


async def _l4(facts: Sequence[CellFacts], cells: Mapping[str, OpenCell]) -> Result:
    findings, moving, missing = await compare_legs(cells)
    own = [finding for one in facts for finding in _of("L4", one.leg_findings)]
    return conclude("L4", [*own, *findings], moving, needs=sorted(missing))


async def _l7(facts: Sequence[CellFacts], cells: Mapping[str, OpenCell]) -> Result:
    findings = [
        Finding("L7", (one.cell,), f"customs entry at position {one.customs.broken.sequence}", "hash chain of the customs log",
                "unbroken", f"broken in its {one.customs.broken.reason}")
        for one in facts
        if one.customs.broken is not None
    ]  # fmt: skip
    moving: Counter[str] = Counter()
    for origin in cells.values():
        for destination in cells.values():
            if origin is not destination:
                found, waiting = await compare_logs(origin, destination)
                findings += found
                moving += Counter({f"envelopes from {origin.spec.name} to {destination.spec.name}": waiting})
    missing = {peer for one in facts for peer in one.customs.peers} - cells.keys()
    notes = [f"{one.cell}: {one.customs.entries} entries" for one in facts]
    return conclude("L7", findings, moving, notes, sorted(missing))


def _l8(facts: Sequence[CellFacts]) -> Result:
    findings, moving, missing = peers.mirrored(facts)
    own = [finding for one in facts for finding in peers.own_positions(one)]
    return conclude("L8", [*own, *findings], moving, needs=sorted(missing))


def _of(invariant: str, findings: Sequence[Finding]) -> list[Finding]:
    return [one for one in findings if one.invariant == invariant]


def _quotes(facts: CellFacts) -> list[Finding]:
    return [
        Finding("L10", (facts.cell,), f"{one.quote_id} / {one.transfer_id}", one.what, one.expected, one.found)
        for one in facts.quote_faults
    ]


def _house(facts: CellFacts) -> str:
    """The postings of no payment, listed by account."""
    caps: Counter[int] = Counter()
    for one in facts.house:
        if one.posting.code == Code.CAP:
            caps[one.posting.credit_account_id] += one.posting.amount
    listed = ", ".join(
        f"{describe(account)} {amount_text(amount, chart.CURRENCY_OF_LEDGER[account & 0xFFFFFF])}"
        for account, amount in caps.items()
    )
    return f"{facts.cell}: {facts.postings} postings, {len(facts.house)} of the house's own{f' (prefunding: {listed})' if listed else ''}"


def _cover(facts: CellFacts) -> list[str]:
    """What is owed and what is there, by currency; and whether the rails were asked."""
    lines = [f"{facts.cell} {one}" for one in safeguarding.safeguarded(facts) if one.owed or one.at_rails]
    asked = {one.rail for one in facts.statements}
    silent = [rail for rail in facts.rails if rail not in asked]
    return [*lines, *([f"{facts.cell}: no statement from {', '.join(silent)}"] if silent else [])]
