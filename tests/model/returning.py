"""Money that comes back, move by move: the door, the booking, and the border, as return_reception.py, return_leg.py and return_handoff.py
have them.

    receive  one commit: judged and on record, before the scheme is answered   (receive_returns)
    begin    planned, in the commit of the wallet's batch                       (return_leg.journal)
    booked   with the ledger's word: the row, and what its payment hears        (return_leg.close)
    admit    at the origin: judged, on record                                   (admit_returns)

The judging, the chains and what is told are the product's.
"""

from collections.abc import Sequence
from dataclasses import replace

from cells.ledger.postings import Chain
from cells.ledger.submit import ChainResult
from cells.payments.machine import Leg, State
from cells.payments.transfer import Told, Transfer
from cells.rails.rail import ReturnReceived, end_to_end_id
from cells.returns.book import ReturnOwed, tell
from cells.returns.lives import chains_of_return
from cells.returns.receive import admission_fault, judge, row_of
from cells.returns.returned import Return, Total, bookable
from residency.messages import Returned
from tests.model.record import Booking, CellState, Word, put
from tests.model.scenario import AT, NUMBERS, WALLET, Scenario


class Returning:
    """The rules of returns. Holds nothing; a bug is planted by overriding a method."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def receive(self, cell: CellState, name: str, transfer: Transfer, place: int) -> tuple[CellState, list[Word]]:
        """The scheme's return at its place in the scenario comes to the door."""
        came = ReturnReceived(
            transfer.rail, f"R{place}", end_to_end_id(transfer.transfer_id), "", self.scenario.returns[place],
            transfer.target_currency, "AC04", AT,
        )  # fmt: skip
        new, _ = judge(name, [came], {transfer.transfer_id: transfer}, self.known(cell), self.totals(cell), {})
        return self.kept(cell, new)

    def admit(self, cell: CellState, name: str, message: Returned) -> tuple[CellState, list[Word]]:
        """The instructed cell says that money came back."""
        leg = cell.transfer(message.transfer_id)
        assert leg is not None
        total = self.totals(cell).get(leg.transfer_id, Total())
        fault = admission_fault(leg, message, total)
        if fault is not None:
            return replace(cell, alarms=(*cell.alarms, f"a return came that cannot be: {fault}")), []
        return self.kept(cell, [row_of(name, leg, message, total, "original")])

    def kept(self, cell: CellState, new: Sequence[Return]) -> tuple[CellState, list[Word]]:
        words = []
        for one in new:
            # The product's ids are random; here they are made of what they stand for, so that equal states are equal.
            named = replace(one, return_id=f"{one.transfer_id}/{one.scheme_reference}", received_at=AT)
            cell = replace(cell, returns=put(cell.returns, named.return_id, named))
            words.append(Word("return", named.return_id))
        return cell, words

    def known(self, cell: CellState) -> dict[tuple[str, str], Return]:
        return {(one.rail, one.scheme_reference): one for _, one in cell.returns}

    def totals(self, cell: CellState) -> dict[str, Total]:
        """As `store_returns.totals`."""
        found: dict[str, Total] = {}
        for _, one in cell.returns:
            before, booked = found.get(one.transfer_id, Total()), one.state != "received"
            found[one.transfer_id] = Total(
                before.count + 1, before.amount + one.amount, before.booked + one.amount * booked,
                before.back + one.back.total * booked,
            )  # fmt: skip
        return found

    def owed(self, cell: CellState, return_ids: Sequence[str]) -> list[Booking]:
        """What the ledger is asked for: those that are on record, not booked, and may be."""
        rows = dict(cell.returns)
        return [
            Booking(one, leg)
            for return_id in return_ids
            if (one := rows[return_id]).state == "received" and bookable(leg := _leg(cell, one))
        ]

    def booked(
        self, cell: CellState, bookings: Sequence[tuple[Booking, Sequence[ChainResult]]]
    ) -> tuple[CellState, list[Told]]:
        """The ledger's word on them: rows booked, and what their payments hear, once each."""
        before, rows = self.totals(cell), dict(cell.returns)
        new = [one for one, results in bookings if self.moves(rows[one.one.return_id], results)]
        for one in new:
            row = replace(rows[one.one.return_id], state="booked", updated_at=AT)
            if one.transfer.state is State.LOST:
                row = replace(row, principal_back=0, margin_back=0, fee_back=0)
            cell = replace(cell, returns=put(cell.returns, row.return_id, row))
        legs = {one.transfer.transfer_id: _leg(cell, one.one) for one in new}
        return cell, tell([ReturnOwed(one.one, one.transfer, ()) for one in new], legs, before)

    def moves(self, row: Return, results: Sequence[ChainResult]) -> bool:
        """Whether this is the step that books the row."""
        return row.state == "received" and all(one.applied for one in results)

    def due(self, cell: CellState) -> list[Return]:
        """What the exporter takes."""
        return [one for _, one in cell.returns if one.state == "booked" and _leg(cell, one).leg is Leg.DESTINATION]

    def exported(self, cell: CellState, one: Return) -> CellState:
        return replace(cell, returns=put(cell.returns, one.return_id, replace(one, state="exported")))

    def waits(self, cell: CellState, one: Return) -> bool:
        """Whether the sweep would have it booked."""
        return one.state == "received" and bookable(_leg(cell, one))

    def at_rest(self, cell: CellState) -> bool:
        return not self.due(cell) and all(one.state != "received" for _, one in cell.returns)


def booking_chains(booking: Booking) -> tuple[Chain, ...]:
    """Everything that the ledger is asked for; one object for equal arguments, which the books go by."""
    one, transfer = replace(booking.one, state="received", updated_at=None), booking.transfer
    key = (one, transfer.leg, transfer.state is State.LOST)
    if key not in _MADE:
        _MADE[key] = chains_of_return(one, transfer, WALLET, NUMBERS)
    return _MADE[key]


_MADE: dict[tuple[Return, Leg, bool], tuple[Chain, ...]] = {}


def _leg(cell: CellState, one: Return) -> Transfer:
    found = cell.transfer(one.transfer_id)
    assert found is not None
    return found
