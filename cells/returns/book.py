"""Booking returns, in the wallet's actor: journal first, ledger last, as for a deposit.

The door or the border has put the return on record; here the ledger is asked, and in the commit of its
word the row is booked, the payment told, and, where it was paid out for a peer, the exporter woken. Repeating any of it changes
nothing: ids follow from (payment, number, attempt), and only the step that books a row tells of it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.journal.entry import component
from cells.kit.command import Command
from cells.ledger.postings import Chain
from cells.ledger.submit import ChainResult
from cells.payments import store
from cells.payments.machine import Leg, State
from cells.payments.step import EXPORT_CHANNEL
from cells.payments.transfer import Told, Transfer
from cells.rails.rail import utc_now
from cells.returns import store as store_returns
from cells.returns.lives import chains_of_return
from cells.returns.returned import Return, Total, bookable, told_of

_log = logging.getLogger("kovra.returns")
_BY = component("wallet")


@dataclass(frozen=True, slots=True)
class ReturnOwed:
    """A return on record, and the chains that the ledger has yet to be asked for."""

    one: Return
    transfer: Transfer
    chains: tuple[Chain, ...]


async def journal(
    connection: Connection,
    region: str,
    return_ids: Sequence[str],
    account_of: Callable[[str], int],
    cell_numbers: Mapping[str, int],
) -> list[ReturnOwed]:
    """Those that can be booked now, held for this transaction; the others wait, and the sweep brings them again."""
    found = await store_returns.load(connection, region, sorted(set(return_ids)))
    legs = await store.read(connection, region, sorted({one.transfer_id for one in found.values()}))
    now = utc_now()
    return [
        ReturnOwed(one, leg, chains_of_return(one, leg, _wallet_account(leg, account_of), cell_numbers))
        for one in found.values()
        if one.is_due(now) and bookable(leg := legs[one.transfer_id])
    ]


async def close(
    connection: Connection, region: str, owed: Sequence[ReturnOwed], results: Sequence[Sequence[ChainResult]]
) -> list[Told]:
    """The ledger has spoken: what is booked is told of its payment. `results`: those of each one's chains."""
    applied: list[ReturnOwed] = []
    refused: list[Return] = []
    for one, answers in zip(owed, results, strict=True):
        if all(answer.applied for answer in answers):
            applied.append(one)
        elif may_try_again(one, answers):
            refused.append(one.one)
        else:
            _log.critical("the ledger refused a return of %s", one.transfer.transfer_id)
    if refused:
        await store_returns.raise_attempts(connection, region, refused, _BY)
    if not applied:
        return []
    # Locked in the order of ids before the sums are read: two batches that book returns of one payment take turns.
    legs = await store.load(connection, region, sorted({one.transfer.transfer_id for one in applied}))
    totals = await store_returns.totals(connection, region, list(legs))
    lost = {one.one.return_id for one in applied if one.transfer.state is State.LOST}
    booked = await store_returns.book(connection, region, [one.one.return_id for one in applied], lost, _BY)
    new = [one for one in applied if one.one.return_id in booked]
    if any(one.transfer.leg is Leg.DESTINATION for one in new):
        await store.wake(connection, EXPORT_CHANNEL)
    return tell(new, legs, totals)


def _wallet_account(leg: Transfer, account_of: Callable[[str], int]) -> int:
    """W where there is one: a peer's correspondent wallet has no account of its own."""
    return 0 if leg.leg is Leg.DESTINATION else account_of(leg.wallet_id)


def may_try_again(one: ReturnOwed, answers: Sequence[ChainResult]) -> bool:
    """Only what the origin owes its peer can lack funds (netting has moved it): then it waits for a new attempt."""
    return one.transfer.leg is Leg.ORIGIN and all(one.lacks_funds or one.burnt for one in answers)


def tell(booked: Sequence[ReturnOwed], legs: Mapping[str, Transfer], before: Mapping[str, Total]) -> list[Told]:
    """What each payment hears of its returns, in the order of their numbers. `before`: what was booked of it already. Pure."""
    sums = {transfer_id: (total.booked, total.back) for transfer_id, total in before.items()}
    told: list[Told] = []
    for one in sorted(booked, key=lambda owed: (owed.one.transfer_id, owed.one.number)):
        transfer_id = one.one.transfer_id
        booked_before, back_before = sums.get(transfer_id, (0, 0))
        returned, credited = sums[transfer_id] = booked_before + one.one.amount, back_before + one.one.back.total
        event = told_of(legs[transfer_id], returned)
        if event is not None:
            facts = {"reason_code": one.one.reason_code, "returned": returned, "credited": credited}
            told.append(Told(transfer_id, event, facts))
    return told


def return_command(one: Return, word: str = "") -> Command:
    """What a wallet is asked for a return on record. `word` tells one asking from another, where it shall be asked anew."""
    return Command(f"{one.return_id}:return:{word}", one.wallet_id, "return", one.return_id)
