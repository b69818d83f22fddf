"""The border of a cell, move by move: the exporter, the admitter, and their receipts, as actors/workers/border.py has them.

    export   one commit: transition, signature, customs log, outbox    (handoff.export_due)
    publish  an envelope on the bus, then its row marked                (Exporter._publish)
    admit    one commit: order, log, legs or answers; then the wallets  (Admitter._take_envelopes)
    receipt  one commit, then the bus                                   (make_receipts)
    close    a receipt closes the outbox                                (close_through, handoff.receipted)

The gate is the product's `Register`, the messages are its own; only signing, and the broker, are left out.
"""

import hashlib
from dataclasses import replace
from functools import cache

from cells.compliance.checker import Attestation, Clear, Review
from cells.customs.admit import Admitted, Candidate, Register
from cells.payments.border import answers_of, instruction_of, reply_of, told_at_export
from cells.payments.destination import first_word, leg_of
from cells.payments.machine import Event, Leg
from cells.payments.machine import State as Stage
from cells.payments.recovery import told_by_answer
from cells.payments.transfer import Told, Transfer
from cells.returns.handoff import message_of
from cells.returns.returned import Return
from residency.envelope import EMPTY_ROLL, Header, OpenedEnvelope
from residency.messages import Instructed, Rejected, Returned, Settled
from tests.model.record import CellState, Memo, Parcel, Sent, State, Word, put, ref
from tests.model.scenario import AT, EU, ID, SPECS, UK, Scenario
from tests.model.wallet import Wallet, into_mailbox

_ENVELOPES: dict[bytes, OpenedEnvelope] = {}
_CLEARED = Clear(Attestation({"eu": "1"}, "clear", AT))
_FOUND = Review(Attestation({"eu": "2"}, "review", AT), "possible-match")


class Border:
    """The rules of both cells' borders. Holds nothing; a bug is planted by overriding a method."""

    def __init__(self, scenario: Scenario, wallet: Wallet) -> None:
        self.scenario = scenario
        self.wallet = wallet

    def due(self, cell: CellState) -> list[Transfer]:
        return [one for _, one in cell.transfers if one.export_due is not None]

    def export(self, cell: CellState) -> CellState:
        """Everything due leaves in one commit: the transition first, on the row as it is."""
        due = self.due(cell)
        told = [told_at_export(one, _FOUND if one.transfer_id in cell.listed else _CLEARED, AT) for one in due]
        cell, step = self.wallet.advance(cell, told)
        assert not step.refused
        leaving = {one.transfer_id for one in told if one.event is not Event.REFERRED}
        assert {one.transfer_id for one in step.export} == leaving, "what is due for export can be exported"
        for one in due:
            if one.transfer_id in leaving:
                cell = self.log(cell, one)
        returning = self.wallet.returning
        for came in returning.due(cell):
            cell = self.log_return(returning.exported(cell, came), came)
        return cell

    def log_return(self, cell: CellState, one: Return) -> CellState:
        """The envelope of a return, in the customs log and the outbox."""
        leg = cell.transfer(one.transfer_id)
        assert leg is not None
        sequence = len(cell.outbox) + 1
        sha256 = _opened(message_of(one, leg, AT), leg.destination_cell, leg.origin_cell, sequence)
        return replace(cell, outbox=(*cell.outbox, Sent(sequence, Returned.kind, one.transfer_id, sha256)))

    def log(self, cell: CellState, transfer: Transfer) -> CellState:
        """An envelope in the customs log and the outbox; an instruction's hash on its row."""
        sequence = len(cell.outbox) + 1
        sha256 = _envelope(transfer, sequence, found=transfer.transfer_id in cell.listed)
        kind = _ENVELOPES[sha256].kind
        cell = replace(cell, outbox=(*cell.outbox, Sent(sequence, kind, transfer.transfer_id, sha256)))
        if kind != Instructed.kind:
            return cell
        row = cell.transfer(transfer.transfer_id)
        assert row is not None
        return replace(cell, transfers=put(cell.transfers, row.transfer_id, replace(row, instruction_sha256=sha256)))

    def publish(self, state: State, name: str, sequence: int, *, marked: bool = True) -> State:
        """On the bus, and then marked as published, unless the exporter died in between."""
        cell = state.cell(name)
        sent = cell.outbox[sequence - 1]
        parcel = Parcel(name, _other(name), sequence, sent.sha256)
        if marked:
            cell = replace(cell, outbox=_set(cell.outbox, sent, self.marked(sent)))
        return with_cell(state, name, cell)._replace(bus=_onto(state.bus, parcel))

    def marked(self, sent: Sent) -> Sent:
        return sent._replace(published=True)

    def fits(self, cell: CellState, parcel: Parcel) -> bool:
        """Whether the admitter takes it now; what comes too early is left on the bus."""
        return parcel.sequence <= 1 + sum(1 for one in cell.admitted if one[0] == parcel.from_cell)

    def admit(self, cell: CellState, name: str, sha256: bytes, *, told: bool = True) -> CellState:
        """Admit one envelope, and tell the wallets, unless the admitter died in between."""
        opened = _ENVELOPES[sha256]
        register = self._register(cell, name, opened)
        decision = register.decide(Candidate(sha256, opened))
        cell = replace(cell, receipt_due=tuple(sorted({*cell.receipt_due, *register.owed})))
        if not isinstance(decision, Admitted):
            return cell
        entry = (opened.from_cell, opened.sequence, sha256, ";".join(decision.faults))
        cell = replace(cell, admitted=(*cell.admitted, entry))
        if isinstance(opened.message, Instructed):
            cell, words = self._make_leg(cell, decision, opened.message)
        elif isinstance(opened.message, Returned):
            cell, words = (cell, []) if decision.faults else self.wallet.returning.admit(cell, name, opened.message)
        else:
            cell, words = self._keep_answer(cell, decision)
        return into_mailbox(cell, *words) if told else cell

    def receipt(self, state: State, name: str) -> State:
        """A receipt for what has been admitted so far, on its way. Another origin's receipt has nowhere to go here."""
        cell = state.cell(name)
        through = sum(1 for one in cell.admitted if one[0] == _other(name))
        state = with_cell(state, name, replace(cell, receipt_due=()))
        return state._replace(bus=_onto(state.bus, Parcel(name, _other(name), through)))

    def close(self, cell: CellState, through: int) -> CellState:
        """The peer's receipt closes the outbox, and says that its instructions are with the peer."""
        outbox = tuple(one._replace(closed=True) if one.sequence <= through else one for one in cell.outbox)
        covered = [one.transfer_id for one in outbox if one.kind == Instructed.kind and one.sequence <= through]
        rows = [cell.transfer(one) for one in covered]
        told = [Told(one.transfer_id, Event.RECEIPTED) for one in rows if one and one.state is Stage.INSTRUCTED]
        return self.wallet.advance(replace(cell, outbox=outbox), told)[0]

    def forged(self, transfer: Transfer) -> bytes:
        """Another cell, properly signed, says that it has settled a payment that it was never asked to make."""
        settled = Settled(
            transfer_id=transfer.transfer_id,
            instruction_hash=(transfer.instruction_sha256 or bytes(32)).hex(),
            currency=transfer.target_currency,
            amount_minor=transfer.target_amount,
            rail=transfer.rail,
            scheme_reference="not-ours",
            settled_at=AT,
        )
        return _opened(settled, UK, EU, 1)

    def asked(self, cell: CellState, name: str, opened: OpenedEnvelope) -> dict[str, tuple[str, bytes]]:
        """Which cell was instructed with each payment, and the hash of the instruction, by the customs log."""
        return {one.transfer_id: (_other(name), one.sha256) for one in cell.outbox if one.kind == Instructed.kind}

    def _register(self, cell: CellState, name: str, opened: OpenedEnvelope) -> Register:
        """The gate as it stands before this envelope: `store.lock_corridors`, `admitted_hashes` and `instructions`."""
        known = {(peer, sequence): sha256 for peer, sequence, sha256, _ in cell.admitted}
        corridors = {peer: (sum(1 for one in known if one[0] == peer), EMPTY_ROLL) for peer in (EU, ID, UK)}
        return Register(SPECS[name], AT, corridors, known, set(), self.asked(cell, name, opened))

    def _make_leg(self, cell: CellState, one: Admitted, message: Instructed) -> tuple[CellState, list[Word]]:
        """As `Destination.admit`."""
        if cell.transfer(message.transfer_id) is not None:
            return cell, []
        wanted = self.scenario.payment(message.transfer_id)
        verdict = _FOUND if wanted.payee_in_review else _CLEARED
        leg = replace(leg_of(one, message, "peer", verdict, AT), metadata=Memo())
        cell = replace(cell, transfers=put(cell.transfers, leg.transfer_id, leg))
        told = first_word(leg, wanted.reason)
        if told is None:
            return cell, [Word("tell", leg.transfer_id, str(Event.TAKEN))]
        return self.wallet.advance(cell, [told])[0], []

    def _keep_answer(self, cell: CellState, one: Admitted) -> tuple[CellState, list[Word]]:
        """As `handoff.admit_answers`: the first word stands."""
        answers, amounts = answers_of([one])
        words: list[Word] = []
        for transfer_id, answer in answers.items():
            row = cell.transfer(transfer_id)
            assert row is not None
            if amounts.get(transfer_id, (row.target_currency, row.target_amount)) != (
                row.target_currency,
                row.target_amount,
            ):
                return replace(cell, alarms=(*cell.alarms, "settled for another amount")), []
            if row.answer is None:
                row = replace(row, answer=Memo(answer))
                cell = replace(cell, transfers=put(cell.transfers, transfer_id, row))
            told = told_by_answer(row)
            words.append(Word("tell", transfer_id, str(told.event), Memo(told.facts)))
        return cell, words


def with_cell(state: State, name: str, cell: CellState) -> State:
    return state._replace(eu=ref(cell)) if name == EU else state._replace(id=ref(cell))


def without(bus: tuple[Parcel, ...], parcel: Parcel) -> tuple[Parcel, ...]:
    return tuple(one for one in bus if one != parcel)


def _other(name: str) -> str:
    return ID if name == EU else EU


def _onto(bus: tuple[Parcel, ...], parcel: Parcel) -> tuple[Parcel, ...]:
    return tuple(sorted({*bus, parcel}))


def _set(outbox: tuple[Sent, ...], sent: Sent, instead: Sent) -> tuple[Sent, ...]:
    return tuple(instead if one == sent else one for one in outbox)


@cache
def _envelope(transfer: Transfer, sequence: int, *, found: bool) -> bytes:
    """What leaves for a transfer that is due, under its number; its identity."""
    message: Instructed | Settled | Rejected
    if transfer.leg is Leg.ORIGIN:
        message = instruction_of(transfer, _FOUND if found else _CLEARED, AT)
        return _opened(message, transfer.origin_cell, transfer.destination_cell, sequence)
    message = reply_of(transfer, AT)
    return _opened(message, transfer.destination_cell, transfer.origin_cell, sequence)


def _opened(message: Instructed | Settled | Rejected | Returned, from_cell: str, to_cell: str, sequence: int) -> bytes:
    header = Header(
        from_cell=from_cell, to_cell=to_cell, kind=message.kind, sequence=sequence, kid="", allow_list=0, issued_at=AT
    )
    clear = message.model_dump_json().encode()
    sha256 = hashlib.sha256(header.model_dump_json().encode() + clear).digest()
    _ENVELOPES[sha256] = OpenedEnvelope(header, message, clear, b"", sha256)
    return sha256
