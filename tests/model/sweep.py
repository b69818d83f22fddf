"""The sweep of a cell: whatever stands still is taken up again, from the record (actors/workers/sweep.py)."""

from collections.abc import Iterator

from cells.payments.machine import State as Stage
from cells.payments.recovery import Need, need_of
from tests.model.move import Move, local, short
from tests.model.railway import Railway
from tests.model.record import CellState, Word
from tests.model.scenario import BEFORE_DEADLINE, has_room
from tests.model.wallet import Wallet, into_mailbox

_ATTEMPTS_MAX = 2  # a payment at the cap is not tried a third time before there is room


def sweep_moves(wallet: Wallet, railway: Railway, name: str, cell: CellState) -> Iterator[Move]:
    """What the next round of the sweep asks: of payments, of returns, and of what was paid after it had been given back."""
    busy = cell.live is not None or bool(cell.mailbox)
    for key, row in cell.transfers:
        word = Word("resume", key)
        tired = row.state is Stage.WAITING and row.attempt >= _ATTEMPTS_MAX and not has_room(cell)
        if word not in cell.mailbox and not tired and wallet.wants_sweep(cell, row):
            what = f"the sweep takes up {short(key)}{' early' if busy else ''}"
            yield local(name, what, lambda w=word: into_mailbox(cell, w), fair=not busy, fault=int(busy))
        # The sweep itself refuses what nobody has decided in time: the only end of a review that needs no person.
        late = Word("late", key)
        if (
            row.state is Stage.IN_REVIEW
            and late not in cell.mailbox
            and not busy
            and need_of(row, BEFORE_DEADLINE) == Need()
        ):
            what = f"the deadline of {short(key)}'s review passes"
            yield local(name, what, lambda w=late: into_mailbox(cell, w))
    for key, one in cell.returns:
        word = Word("return", key)
        if word not in cell.mailbox and wallet.returning.waits(cell, one):
            what = f"the sweep takes up return {one.number}{' early' if busy else ''}"
            yield local(name, what, lambda w=word: into_mailbox(cell, w), fair=not busy, fault=int(busy))
    for key, submission in cell.record:
        if submission.contradicted and _refunded(cell, key) and not busy:
            what = f"the sweep tells again that {short(key)} was paid"
            yield local(name, what, lambda key=key: railway.tell_late(cell, key))


def _refunded(cell: CellState, key: str) -> bool:
    row = cell.transfer(key)
    return row is not None and row.state is Stage.REFUNDED
