"""What must hold of money that came back, when everything has come to rest: its part of L4, to the cent."""

from collections.abc import Iterator

from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.ledger.codes import Code
from cells.payments.machine import State as Stage
from cells.payments.transfer import Transfer
from tests.model.record import CellState, State
from tests.model.scenario import EU, ID
from tests.model.world import is_across, ours

_BESIDE = frozenset(code for code in Code if Code.RETURN <= code < Code.CAP)


def own_part(posted: dict[Code, int]) -> dict[Code, int]:
    """What has been posted for a payment itself, without what came back or was lost of it."""
    return {code: amount for code, amount in posted.items() if code not in _BESIDE}


def returns_agree(state: State) -> Iterator[str]:
    """L4: ΣR ≤ M, the same in both cells and in both ledgers; the wallet got the cumulative floors; the state says how much."""
    for transfer_id, row in ours(state).items():
        out = state.cell(ID if is_across(row) else EU)
        leg = out.transfer(transfer_id)
        recorded = sum(one.amount for _, one in out.returns if one.transfer_id == transfer_id)
        if recorded > row.payout_amount:
            yield f"L4: {recorded} came back of {row.payout_amount}"
        lost = leg is not None and leg.state is Stage.LOST
        loss = row.payout_amount - recorded if lost else 0
        yield from _loss(out, row, loss)
        yield from _credited(state.eu.value, row, 0 if lost else recorded)


def came_back_posted(cell: CellState, row: Transfer, posted: dict[Code, int]) -> Iterator[str]:
    """L4: what the ledger has given the wallet is what the rows of the returns say, once."""
    rows = sum(one.back.total for _, one in cell.returns if one.transfer_id == row.transfer_id)
    found = sum(posted.get(code, 0) for code in (Code.RETURN_CREDIT, Code.RETURN_PRINCIPAL, Code.RETURN_MARGIN))
    if found != rows:
        yield f"L4: {found} is posted back to the wallet, and {rows} is on record"


def _credited(cell: CellState, row: Transfer, recorded: int) -> Iterator[str]:
    back = sum(one.back.total for _, one in cell.returns if one.transfer_id == row.transfer_id)
    if is_across(row):
        wanted = sum(amount * recorded // row.target_amount for amount in (row.principal, row.margin))
    else:
        wanted = recorded
    if back != wanted:
        yield f"L4: the wallet got {back} back, where {wanted} was its share"
    states = {0: Stage.COMPLETED, row.payout_amount: Stage.RETURNED}
    came_back = row.state in (Stage.PARTIALLY_RETURNED, Stage.RETURNED)
    if (recorded or came_back) and row.state is not states.get(recorded, Stage.PARTIALLY_RETURNED):
        yield f"L4: a payment of which {recorded} came back is {row.state}"


def _loss(cell: CellState, row: Transfer, loss: int) -> Iterator[str]:
    ledger = chart.CURRENCY_LEDGER[row.target_currency]
    found = -cell.books.accounts[chart.platform(AccountType.IN_DOUBT_LOSS, ledger)].credit_balance
    if found != loss:
        yield f"IN_DOUBT_LOSS is {found}, and {loss} was lost"
