"""What must hold: at every moment (`always`), and when everything has come to rest (`at_the_end`). LEDGER.md's L1 to L10, and the rail."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from cells.ledger import chart
from cells.ledger.chart import AccountType, read_account_id, read_posting
from cells.ledger.codes import Code, Phase
from cells.payments.machine import Effect
from cells.payments.machine import State as Stage
from cells.returns.lives import chains_asked
from residency.ids import number
from tests.model.books import Books
from tests.model.railway import paid_times
from tests.model.record import CellState, State
from tests.model.returns_agree import came_back_posted, own_part, returns_agree
from tests.model.scenario import EU, ID, NUMBERS, WALLET, chain
from tests.model.world import at_rest, is_across, ours
from tests.support.position import position as position_of

_EUR, _IDR = 978, 360
_NEVER_BELOW_ZERO = {
    AccountType.TENANT_WALLET,
    AccountType.PENDING_INBOUND,
    AccountType.PENDING_OUTBOUND,
    AccountType.BATCH_RESERVE,
    AccountType.SUSPENSE,
}
_COMPLETED = frozenset({Stage.COMPLETED, Stage.PARTIALLY_RETURNED, Stage.RETURNED})
_EMPTY_AT_REST = {AccountType.PENDING_INBOUND, AccountType.PENDING_OUTBOUND, AccountType.BATCH_RESERVE}


def always(state: State) -> str | None:
    """The first thing that is wrong now, whatever is under way; None when nothing is."""
    for name, at in ((EU, state.eu), (ID, state.id)):
        if at.value.alarms:
            return f"{name}: {at.value.alarms[0]}"
    for asked, _ in state.scheme:
        if paid_times(state, asked.partition("/")[0]) > 1:
            return "the rail has paid one payment twice"
    return None


def at_the_end(state: State) -> str | None:
    """The first thing that is wrong now that nothing can happen any more; None when nothing is."""
    return next(_faults(state), None)


def _faults(state: State) -> Iterator[str]:
    if not at_rest(state):
        stuck = [f"{name} {row.leg} {row.state}" for name in (EU, ID) for _, row in state.cell(name).transfers]
        yield f"not at rest, and nothing will ever happen: {', '.join(stuck)}"
    for name in (EU, ID):
        cell = state.cell(name)
        yield from _books_stand(name, cell.books)
        yield from _journal_is_the_ledger(name, cell)
        open_rows = [one for one in cell.outbox if not one.closed]
        if open_rows:
            yield f"{name}: no receipt has closed {open_rows[0].kind} {open_rows[0].transfer_id}"
    yield from _chains_agree(state)
    yield from returns_agree(state)
    yield from _revenue(state)
    yield from _crossings_agree(state)
    yield from _positions_agree(state)
    yield from _safeguarded(state.eu.value.books)
    yield from _quotes(state.eu.value)
    yield from _rail(state)


def _books_stand(name: str, books: Books) -> Iterator[str]:
    for ledger in (_EUR, _IDR):
        of_ledger = [one for one in books.accounts.values() if one.ledger == ledger]
        if sum(one.debits_posted - one.credits_posted for one in of_ledger):
            yield f"L1: {name}: debits are not credits in {ledger}"
    for one in books.accounts.values():
        kind = read_account_id(one.id).account_type
        if kind in _NEVER_BELOW_ZERO and one.available < 0:
            yield f"L2: {name}: {kind.name} is below zero"
        if kind in _EMPTY_AT_REST and one.credit_balance:
            yield f"L3: {name}: {kind.name} holds {one.credit_balance} at rest"
        if one.debits_pending or one.credits_pending:
            yield f"L3: {name}: {kind.name} has a hold at rest"


def _journal_is_the_ledger(name: str, cell: CellState) -> Iterator[str]:
    """L6. A failed chain has nothing in the ledger; one that is planned at rest was never answered."""
    applied: set[int] = set()
    for (transfer_id, effect, attempt), state in cell.journal:
        if state == "planned":
            yield f"L6: {name}: the journal never learned of {effect}"
        if state == "applied":
            row = cell.transfer(transfer_id)
            assert row is not None
            applied |= {one.id for one in chain(replace(row, attempt=attempt), Effect(effect))}
    for _, came in cell.returns:
        leg = cell.transfer(came.transfer_id)
        assert leg is not None
        for asked in chains_asked(came, leg, WALLET, NUMBERS):
            if asked.outcome == "planned":
                yield f"L6: {name}: the journal never learned of return"
            applied |= {one.id for one in asked.chain}
    payments = {number(transfer_id) for transfer_id, _ in cell.transfers}
    in_ledger = {one.id for one in cell.books.postings.values() if one.user_data_128 in payments}
    if applied != in_ledger:
        yield f"L6: {name}: {len(applied - in_ledger)} postings only in the journal, {len(in_ledger - applied)} only in the ledger"


def _chains_agree(state: State) -> Iterator[str]:
    """L4: the source chain is posted exactly when the destination's is, and each to the quote's integers."""
    for transfer_id, row in ours(state).items():
        here, there = (_posted(at.value.books, transfer_id) for at in (state.eu, state.id))
        yield from came_back_posted(state.eu.value, row, here)
        here, there = own_part(here), own_part(there)
        for one in (Code.FREEZE, Code.UNFREEZE):
            here.pop(one, None)
        if not is_across(row):
            wanted = {Code.IN_REGION: row.principal, Code.FEE: row.fee, Code.PAYOUT_SETTLED: row.principal}
            if row.state in _COMPLETED and here != wanted:
                yield f"L4: {EU}: {here} is posted"
            continue
        net = row.target_amount - row.recipient_fee
        source = {
            Code.PRINCIPAL: row.principal,
            Code.MARGIN: row.margin,
            Code.FEE: row.fee,
            Code.DEALING: row.target_amount,
        }
        target = {Code.PAYOUT: net, Code.RECIPIENT_FEE: row.recipient_fee, Code.PAYOUT_SETTLED: net}
        completed = row.state in _COMPLETED
        if here != (source if completed else {}):
            yield f"L4: {EU}: a {row.state} payment has posted {_shown(here)}"
        if there != ({code: amount for code, amount in target.items() if amount} if completed else {}):
            yield f"L4: {ID}: a payment that is {row.state} at its origin has posted {_shown(there)}"


def _revenue(state: State) -> Iterator[str]:
    """L5, and the limits: what is reserved is what was spent or frozen."""
    completed = [row for row in ours(state).values() if row.state in _COMPLETED]
    margin_back = sum(one.margin_back for _, one in state.eu.value.returns if one.state != "received")
    for kind, wanted in (
        (AccountType.FEE_REVENUE, sum(one.fee for one in completed)),
        (AccountType.FX_MARGIN, sum(one.margin for one in completed) - margin_back),
    ):
        found = state.eu.value.books.accounts[chart.platform(kind, _EUR)].credit_balance
        if found != wanted:
            yield f"L5: {kind.name} is {found}, and {wanted} was earned"
    spent = sum(row.source_total for row in ours(state).values() if row.state in {*_COMPLETED, Stage.BLOCKED})
    if state.eu.value.reserved != spent:
        yield f"the limits hold {state.eu.value.reserved}, and {spent} was spent"


def _crossings_agree(state: State) -> Iterator[str]:
    """L7."""
    for name, peer in ((EU, ID), (ID, EU)):
        exported = [(one.sequence, one.sha256) for one in state.cell(name).outbox]
        admitted = [(sequence, sha256) for origin, sequence, sha256, _ in state.cell(peer).admitted if origin == name]
        if exported != admitted:
            yield f"L7: {name} exported {len(exported)} messages, and {peer} admitted {len(admitted)} of it"


def _positions_agree(state: State) -> Iterator[str]:
    """L8."""
    found = []
    for name, peer in ((EU, ID), (ID, EU)):
        accounts, peers = state.cell(name).books.accounts, NUMBERS[peer]
        found.append(position_of(accounts[chart.settlement(peers, _IDR)], accounts[chart.settlement_cap(peers, _IDR)]))
    if sum(found):
        yield f"L8: {EU} owes {ID} {found[0]}, and {ID} is owed {-found[1]}"


def _safeguarded(books: Books) -> Iterator[str]:
    """L9."""
    owed = sum(
        one.credit_balance
        for one in books.accounts.values()
        if read_account_id(one.id).account_type in _NEVER_BELOW_ZERO | {AccountType.BLOCKED_FUNDS}
    )
    # What was lost in doubt is the house's to make good.
    lost = -books.accounts[chart.platform(AccountType.IN_DOUBT_LOSS, _EUR)].credit_balance
    if owed > lost - books.accounts[chart.rail("sepa_instant", _EUR)].credit_balance:
        yield "L9: more is owed to tenants than lies at the bank"


def _quotes(cell: CellState) -> Iterator[str]:
    """L10."""
    of_transfers = Counter(row.quote_id for _, row in cell.transfers if row.quote_id)
    if any(count > 1 for count in of_transfers.values()):
        yield "L10: one quote has two transfers"
    if {(quote, one) for quote, one in cell.quotes} != {
        (row.quote_id, key) for key, row in cell.transfers if row.quote_id
    }:
        yield "L10: a quote and a transfer do not name each other"


def _rail(state: State) -> Iterator[str]:
    """Paid, and paid once, exactly when it is completed at its payer's, or known to be lost where it was paid out."""
    for transfer_id, row in ours(state).items():
        paid = paid_times(state, transfer_id)
        out = (state.cell(row.destination_cell).transfer(transfer_id) or row).state
        if paid != int(row.state in _COMPLETED or out is Stage.LOST):
            yield f"the rail has paid {paid} times what is {row.state}"


def _posted(books: Books, transfer_id: str) -> dict[Code, int]:
    """What has been posted for a payment, by kind; holds and voids do not count."""
    payment, posted = number(transfer_id), dict[Code, int]()
    for one in books.postings.values():
        if one.user_data_128 == payment and read_posting(one).phase in (Phase.POST, Phase.DIRECT):
            posted[Code(one.code)] = posted.get(Code(one.code), 0) + one.amount
    return posted


def _shown(posted: dict[Code, int]) -> str:
    return ", ".join(f"{code.name} {amount}" for code, amount in posted.items()) or "nothing"
