"""Gather what one cell's record says: its journal as of one snapshot, its ledger read after it, both in pages.

Why the order matters, and what is left out of the sums: see the package's docstring.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cells.backends.postgres import Connection, Pool, transaction
from cells.batches.batch import AT_REST
from cells.customs import store as customs_store
from cells.customs.chain import chain_name, verify_chain
from cells.kit.hashchain import Break, Head, genesis
from cells.ledger.entry import Account, Posting
from cells.ledger.ledger import Ledger
from cells.payments.transfer import PEER_TENANT_PREFIX
from cells.rails.console import Statement
from cells.reconciliation import store, store_batches, store_legs
from cells.reconciliation.batches import Reserve, batch_findings, reserves
from cells.reconciliation.facts import AccountFault, CellFacts, CustomsFacts, HousePosting, OpenHold, StatementFacts
from cells.reconciliation.fold import Figures, Fold, figures_of
from cells.reconciliation.lives import Lives
from cells.reconciliation.payments import leg_findings
from cells.reconciliation.postings import differences, missing_findings, sort_page, stray_finding
from cells.reconciliation.refold import refold
from cells.reconciliation.report import Finding
from cells.reconciliation.statements import Teller
from cells.spec import CellSpec
from residency.ids import number

# Small enough that whoever shares the event loop (the worker does) is held up for some 30 ms, not for a second.
_LEDGER_PAGE = 2000
_JOURNAL_PAGE = 2000


@dataclass(frozen=True, slots=True)
class OpenCell:
    """What reconciliation needs of a cell: its spec, a pool of the writer's role, its ledger, and who asks its rails."""

    spec: CellSpec
    pool: Pool
    ledger: Ledger
    teller: Teller


@dataclass(slots=True)
class _Reading:
    """The ledger read so far. `everything` is the ledger's own present; `books` that of the journal's snapshot."""

    everything: Fold = field(default_factory=Fold)
    books: Fold = field(default_factory=Fold)
    house: list[Posting] = field(default_factory=list)
    later: list[Posting] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    applied: int = 0
    count: int = 0
    last: int = 0


@dataclass(slots=True)
class _Batches:
    """What the batches read so far add up to."""

    reserves: dict[int, Reserve] = field(default_factory=dict)
    reserved: Counter[int] = field(default_factory=Counter)
    moving: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


async def gather(cell: OpenCell) -> CellFacts:
    """Everything of one cell. Raises StoreUnavailable, LedgerUnknown."""
    spec, region = cell.spec, cell.spec.region
    before = await cell.teller.statements()
    async with transaction(cell.pool) as snapshot:
        await store.take_snapshot(snapshot)
        lives = Lives(snapshot, spec)
        legs = await store.leg_sums(snapshot, region)
        collections = await store.collection_sums(snapshot, region)
        orders = await store.order_sums(snapshot, region)
        returns = await store_legs.return_sums(snapshot, region)
        restored = await store_legs.restored(snapshot, region)
        wallets = await store.wallet_sums(snapshot, region, PEER_TENANT_PREFIX)
        faults = await store.quote_faults(snapshot, region)
        reading = await _read_ledger(cell, lives)
        await _find_missing(cell, lives, reading)
        await _take_strays(cell, reading)
        holds = await _open_holds(lives, reading.books)
        leg_faults = await _walk_legs(lives)
        batches = await _walk_batches(snapshot, spec)
        customs = await read_customs(snapshot, spec)
        folded = await refold(snapshot, spec.name, region)
    accounts = await read_accounts(cell.ledger)
    settled, account_faults = await _compare_accounts(cell.ledger, accounts, reading)
    after = await cell.teller.statements()
    return CellFacts(
        cell=spec.name,
        number=spec.entry.number,
        currencies=spec.entry.currencies,
        rails=spec.entry.rails,
        peers={peer.name: peer.number for peer in spec.directory.peers_of(spec.name)},
        leg_sums=legs,
        collections=collections,
        orders=orders,
        return_sums=returns,
        restored=restored,
        reserves=batches.reserves,
        reserved=batches.reserved,
        batches_moving=batches.moving,
        batch_findings=batches.findings,
        wallets=wallets,
        reported=accounts,
        settled=settled,
        account_faults=account_faults,
        books=reading.books,
        postings=reading.count,
        open_holds=holds,
        house=[HousePosting(one) for one in reading.house],
        posting_findings=reading.findings,
        leg_findings=leg_faults,
        quote_faults=faults,
        customs=customs,
        folded=folded,
        statements=_statements(before, after),
    )


async def _read_ledger(cell: OpenCell, lives: Lives) -> _Reading:
    """Every posting of the ledger, put against what follows from the snapshot's lives a page at a time."""
    reading, spec = _Reading(), cell.spec
    while page := await cell.ledger.query_postings(limit=_LEDGER_PAGE, after_timestamp=reading.last):
        sorted_page = sort_page(spec.name, page, await lives.of_postings(page))
        for posting in page:
            reading.everything.add(posting)
        for posting in sorted_page.counted:
            reading.books.add(posting)
        reading.house += sorted_page.house
        reading.later += sorted_page.later
        reading.findings += sorted_page.findings
        reading.applied += sorted_page.applied
        reading.count += len(page)
        reading.last = page[-1].timestamp
    return reading


async def _find_missing(cell: OpenCell, lives: Lives, reading: _Reading) -> None:
    """What the journal calls applied and the ledger has not shown: only looked for when the numbers say that there is some."""
    count = 0
    async for page in lives.pages(_JOURNAL_PAGE):
        count += sum(one.state == "applied" for one in page)
    if count == reading.applied:
        return
    async for page in lives.pages(_JOURNAL_PAGE):
        applied = [one for one in page if one.state == "applied"]
        for start in range(0, len(applied), _JOURNAL_PAGE):
            part = applied[start : start + _JOURNAL_PAGE]
            found = await cell.ledger.lookup_postings([one.posting.id for one in part])
            reading.findings += missing_findings(cell.spec.name, part, found)


async def _take_strays(cell: OpenCell, reading: _Reading) -> None:
    """What the snapshot did not know of some life must have asked for by now, before the ledger was asked. What none has, counts."""
    spec = cell.spec
    for start in range(0, len(reading.later), _JOURNAL_PAGE):
        part = reading.later[start : start + _JOURNAL_PAGE]
        async with transaction(cell.pool) as now:
            lives = Lives(now, spec)
            expected = await lives.of_postings(part)
            strays = [one for one in part if one.id not in expected]
            names = await _names(lives, strays)
        for posting in part:
            if (one := expected.get(posting.id)) is not None:
                # The ledger has it, and only what it answered is yet to be written.
                known = replace(one, state="applied") if one.state == "planned" else one
                reading.findings += differences(spec.name, known, posting)
        for posting in strays:
            reading.books.add(posting)
            reading.findings.append(stray_finding(spec.name, posting, names[posting.id]))


async def _names(lives: Lives, strays: Sequence[Posting]) -> dict[int, str]:
    """The payment that a stray posting says it is part of, by posting id: an id of this house where there is one, else its number."""
    candidates = list(lives.candidates({one.user_data_128 for one in strays}))
    known = await store.payment_states(lives.connection, lives.spec.region, candidates)
    names = {number(payment): payment for payment in known}
    return {one.id: names.get(one.user_data_128, f"payment {one.user_data_128:032x}") for one in strays}


async def _open_holds(lives: Lives, books: Fold) -> list[OpenHold]:
    """The holds that are open at the snapshot's instant, with the payments they are for. As many as are on their way."""
    holds, found = list(books.open_holds.values()), []
    for start in range(0, len(holds), _JOURNAL_PAGE):
        part = holds[start : start + _JOURNAL_PAGE]
        expected = await lives.of_postings(part)
        payments = sorted({one.payment_id for one in expected.values()})
        states = await store.payment_states(lives.connection, lives.spec.region, payments)
        for hold in part:
            payment = expected[hold.id].payment_id if hold.id in expected else None
            leg, state = states.get(payment or "", (None, None))
            found.append(OpenHold(hold, payment, leg, state))
    return found


async def _walk_legs(lives: Lives) -> list[Finding]:
    findings: list[Finding] = []
    after = ""
    while page := await store_legs.page(lives, after, _JOURNAL_PAGE):
        findings += leg_findings(lives.spec.name, page)
        after = page[-1].transfer_id
    return findings


async def _walk_batches(snapshot: Connection, spec: CellSpec) -> _Batches:
    found, after = _Batches(), ""
    while page := await store_batches.page(snapshot, spec.region, after, _JOURNAL_PAGE):
        reserves(page, found.reserves)
        found.findings += batch_findings(spec.name, page)
        for one in page:
            found.reserved[one.wallet_account] += one.reserved
            if one.state not in AT_REST:
                found.moving[f"batch {one.state}"] += 1
        after = page[-1].batch_id
    return found


async def read_customs(snapshot: Connection, spec: CellSpec) -> CustomsFacts:
    """Follow the cell's own chain from its beginning to the head that its row names."""
    head, broken, last = genesis(chain_name(spec.name)), None, 0
    while page := await customs_store.read_log(snapshot, spec, last, _JOURNAL_PAGE):
        broken = broken or verify_chain(page, spec.name, after=head)
        last = page[-1].position
        head = Head(last, page[-1].entry_hash)
    claimed = await customs_store.read_head(snapshot, spec)
    if broken is None and claimed != head:
        broken = Break(head.sequence + 1, "sequence")
    return CustomsFacts(last, broken, frozenset(await store.customs_peers(snapshot, spec.region, spec.name)))


async def read_accounts(ledger: Ledger) -> dict[int, Account]:
    accounts: dict[int, Account] = {}
    last = 0
    while page := await ledger.query_accounts(limit=_LEDGER_PAGE, after_timestamp=last):
        accounts |= {one.id: one for one in page}
        last = page[-1].timestamp
    return accounts


async def _compare_accounts(
    ledger: Ledger, accounts: dict[int, Account], reading: _Reading
) -> tuple[dict[int, Figures], list[AccountFault]]:
    """Each account's reported figures against its postings; those that changed meanwhile must show some moment in between.

    Answers the figures of the moment when the postings had been read: reported ones only where no posting explains them.
    """
    fold = reading.everything
    settled = fold.copy_of(accounts.keys() | fold.by_code.keys())
    unlike = {one for one, figures in settled.items() if one not in accounts or figures_of(accounts[one]) != figures}
    last = reading.last
    while page := await ledger.query_postings(limit=_LEDGER_PAGE, after_timestamp=last):
        for posting in page:
            fold.add(posting)
            for one in {posting.debit_account_id, posting.credit_account_id} & unlike:
                if one in accounts and figures_of(accounts[one]) == fold.account(one):
                    unlike.discard(one)
        last = page[-1].timestamp
    faults = []
    for one in sorted(unlike):
        found = figures_of(accounts[one]) if one in accounts else None
        faults.append(AccountFault(one, settled[one], found))
        settled[one] = found or Figures()
    return settled, faults


def _statements(before: Sequence[Statement], after: Sequence[Statement]) -> list[StatementFacts]:
    earlier = {one.rail: one.balance_minor for one in before}
    return [
        StatementFacts(one.rail, one.currency, earlier[one.rail], one.balance_minor)
        for one in after
        if one.rail in earlier
    ]
