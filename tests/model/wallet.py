"""The wallet actor of a cell, move by move: what `Saga.run` does, cut where a process can die.

    begin   one commit: intents, events, what asks for a chain  (Saga._fence, _intend, _needs, _journal)
    ask     one ledger request                                (Saga._settle, before its commit)
    settle  one commit: what the ledger said, and what follows  (Saga._settle)
    hand    payments go on the rail's record                  (Saga._hand_over, JournalDesk.enqueue)

Every decision is the product's: `step.plan`, `recovery.need_of`, `replies.ledger_said`, the chains and the reading of their results.
"""

from collections.abc import Sequence
from dataclasses import replace

from cells.ledger.postings import Chain
from cells.ledger.submit import ChainResult
from cells.payments.asked import ANSWERS, asks
from cells.payments.machine import FINAL, Early, Effect, Event, Leg, decide
from cells.payments.machine import State as Stage
from cells.payments.recovery import need_of
from cells.payments.step import Owed, Step, plan
from cells.payments.transfer import Move, Told, Transfer
from cells.wallets.replies import ledger_said
from tests.model.record import Asked, Booking, CellState, Memo, Pairs, Submission, Turn, Word, put, told_event
from tests.model.record import Owed as Owed_
from tests.model.returning import Returning, booking_chains
from tests.model.scenario import BEFORE_DEADLINE, DEADLINE, Scenario, chain, drafted

# What a partner or an officer may ask in vain; any other event that cannot be taken is a contradiction.
_IN_VAIN = frozenset({Event.CANCEL, Event.REVIEW_REFUSED, Event.SANCTIONED, Event.INSTRUCT})


class Wallet:
    """The rules of one wallet's actor. Holds nothing; a bug is planted by overriding a method."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.returning = Returning(scenario)

    def begin(self, cell: CellState) -> CellState:
        """Take the whole mailbox as one batch, to its first commit."""
        batch, cell = cell.mailbox, replace(cell, mailbox=())
        cell = self._mark_in_doubt(cell, [one.transfer_id for one in batch if one.name == "doubt"])
        cell, new, found = self._intend(cell, [one.transfer_id for one in batch if one.name == "accept"])
        owed = [Asked(one, Effect.HOLD) for one in new]
        told = [Told(one.transfer_id, told_event(one), one.facts) for one in batch if one.name == "tell"]
        told += [Told(one.transfer_id, Event.CANCEL) for one in batch if one.name == "cancel"]
        submit: list[str] = []
        moments = {"resume": BEFORE_DEADLINE, "late": DEADLINE}
        resumed = [(one.transfer_id, moments[one.name]) for one in batch if one.name in moments]
        for transfer_id, now in [*resumed, *((one, BEFORE_DEADLINE) for one in found)]:
            transfer = cell.transfer(transfer_id)
            assert transfer is not None
            need = need_of(transfer, now)
            if need.effect is not None:
                owed += self.owed_again(cell, Asked(transfer, need.effect))
            elif need.told is not None:
                told.append(need.told)
            elif need.submit:
                submit.append(transfer_id)
        bookings = self.returning.owed(cell, [one.transfer_id for one in batch if one.name == "return"])
        cell, step = self.advance(cell, told)
        return self._go_on(
            cell, [*_asked(step), *owed, *bookings], [*submit, *(one.transfer_id for one in step.submit)]
        )

    def ask(self, cell: CellState, turn: Turn) -> CellState:
        """The ledger answers."""
        results, books = cell.books.ask([one for owed in turn.owed for one in chains_of_owed(owed)])
        rest = iter(results)
        grouped = tuple(tuple(next(rest) for _ in chains_of_owed(owed)) for owed in turn.owed)
        return replace(_without(cell, turn, turn._replace(results=grouped)), books=books)

    def settle(self, cell: CellState, turn: Turn) -> CellState:
        """Journal what the ledger said, and all that follows from it."""
        assert turn.results is not None
        told: list[Told] = []
        alarms = cell.alarms
        bookings: list[tuple[Booking, tuple[ChainResult, ...]]] = []
        for asked, results in zip(turn.owed, turn.results, strict=True):
            if isinstance(asked, Booking):
                bookings.append((asked, results))
                applied = all(one.applied for one in results)
                alarms = (
                    alarms
                    if applied
                    else (*alarms, f"the ledger refused a return: {[one.reason.name for one in results]}")
                )
                continue
            (result,), (transfer, effect) = results, asked
            said = self.said(Owed(transfer, effect), result)
            told += said
            if not said:
                alarms = (*alarms, f"the ledger refused {effect}: {result.reason.name}")
        cell = replace(_without(cell, turn), alarms=alarms)
        cell, came_back = self.returning.booked(cell, bookings)
        cell, step = self.advance(cell, [*told, *came_back])
        return self._go_on(
            cell, _asked(step), [*turn.submit, *(one.transfer_id for one in step.submit)], zombie=turn.zombie
        )

    def hand(self, cell: CellState, transfer_id: str) -> CellState:
        """One payment is on the rail's record; one that was there stays as it is."""
        cell = replace(cell, handing=tuple(one for one in cell.handing if one != transfer_id))
        if cell.submission(transfer_id) is not None:
            return cell
        return replace(cell, record=put(cell.record, transfer_id, Submission("queued")))

    def advance(self, cell: CellState, told: Sequence[Told]) -> tuple[CellState, Step]:
        """One `step.take`: the transitions, with what they imply inside the database."""
        step = plan({key: one for key, one in cell.transfers if any(key == each.transfer_id for each in told)}, told)
        transfers, reserved, journal, alarms = cell.transfers, cell.reserved, cell.journal, cell.alarms
        for wave in step.waves:
            for move in wave:
                transfers = put(transfers, move.now.transfer_id, move.now)
                journal = journaled(journal, move)
                if Effect.RELEASE_LIMITS in move.effects:
                    reserved -= move.now.source_total
        for one_told, standing in step.refused:
            early = isinstance(decide(standing.leg, standing.state, one_told.event), Early)
            if one_told.event not in _IN_VAIN and not early:
                alarms = (*alarms, f"{standing.leg} {standing.state} cannot take {one_told.event}")
        return replace(cell, transfers=transfers, reserved=reserved, journal=journal, alarms=alarms), step

    def said(self, owed: Owed, result: ChainResult) -> list[Told]:
        """What the ledger's word means."""
        return ledger_said(owed, result)

    def owed_again(self, cell: CellState, asked: Asked) -> list[Asked]:
        """What recovery asks of the ledger again: the same chain, whatever the ledger knows of it."""
        return [asked]

    def wants_sweep(self, cell: CellState, transfer: Transfer) -> bool:
        """Whether the sweep would move `transfer` on."""
        if transfer.state in FINAL:
            return False
        need = need_of(transfer, BEFORE_DEADLINE)
        if need.submit:
            return cell.submission(transfer.transfer_id) is None and transfer.transfer_id not in cell.handing
        return need.effect is not None or need.told is not None

    def _intend(self, cell: CellState, asked: Sequence[str]) -> tuple[CellState, list[Transfer], list[str]]:
        """The intent commit: key, quote, limits, row. Answers what is new, and what was found in flight under its key."""
        new: list[Transfer] = []
        found: list[str] = []
        for transfer_id in asked:
            wanted = self.scenario.payment(transfer_id)
            if dict(cell.keys).get(transfer_id) is not None:
                if cell.transfer(transfer_id) is not None:
                    found.append(transfer_id)
                continue
            cell = replace(cell, keys=put(cell.keys, transfer_id, "claimed"))
            if wanted.quote_id in dict(cell.quotes):
                continue  # quote-used: refused, with nothing moved
            transfer = drafted(wanted)
            new.append(transfer)
            cell = replace(
                cell,
                quotes=put(cell.quotes, wanted.quote_id, transfer_id),
                transfers=put(cell.transfers, transfer_id, transfer),
                journal=put(cell.journal, (transfer_id, str(Effect.HOLD), 1), "planned"),
                reserved=cell.reserved + transfer.source_total,
            )
        return cell, new, found

    def _mark_in_doubt(self, cell: CellState, transfer_ids: Sequence[str]) -> CellState:
        for transfer_id in transfer_ids:
            transfer = cell.transfer(transfer_id)
            if transfer is not None and transfer.state is Stage.PENDING_RAIL:
                cell = replace(cell, transfers=put(cell.transfers, transfer_id, replace(transfer, in_doubt=True)))
        return cell

    def _go_on(self, cell: CellState, owed: Sequence[Owed_], submit: list[str], *, zombie: bool = False) -> CellState:
        """After a commit: to the ledger with what is owed, or, with nothing owed, to the rail."""
        if owed:
            turn = Turn(tuple(owed), submit=tuple(sorted(set(submit))), zombie=zombie)
            return replace(cell, turns=tuple(sorted([*cell.turns, turn], key=lambda one: one.zombie)))
        return replace(cell, handing=tuple(sorted({*cell.handing, *submit})))


def pushed(cell: CellState, transfer_id: str, event: Event, facts: Memo) -> CellState:
    """A word for a wallet, in its mailbox."""
    return into_mailbox(cell, Word("tell", transfer_id, str(event), facts))


def into_mailbox(cell: CellState, *words: Word) -> CellState:
    return replace(cell, mailbox=tuple(sorted({*cell.mailbox, *words}, key=lambda one: one[:3])))


def is_at_rest(transfer: Transfer) -> bool:
    return transfer.state in FINAL


def is_ours(transfer: Transfer) -> bool:
    """Whether a partner of this cell sees it: not the leg that pays out for a peer."""
    return transfer.leg is not Leg.DESTINATION


def chains_of_owed(owed: Owed_) -> tuple[Chain, ...]:
    """Everything that the ledger is asked for one thing that is owed."""
    return booking_chains(owed) if isinstance(owed, Booking) else (chain(owed.transfer, owed.effect),)


def _asked(step: Step) -> list[Asked]:
    return [Asked(one.transfer, one.effect) for one in step.owed]


def journaled(journal: Pairs[tuple[str, str, int], str], move: Move) -> Pairs[tuple[str, str, int], str]:
    """What the streams have asked the ledger for, with one more entry: as `chains_asked` folds it (cells/payments/asked.py)."""
    transfer_id, event = move.now.transfer_id, move.told.event
    if event in ANSWERS:
        for key, state in journal:
            if key[0] == transfer_id and state == "planned":
                journal = put(journal, key, ANSWERS[event])
    effect = asks(move.before.leg, move.before.state, event)
    return journal if effect is None else put(journal, (transfer_id, str(effect), move.now.attempt), "planned")


def _without(cell: CellState, turn: Turn, instead: Turn | None = None) -> CellState:
    turns = list(cell.turns)
    turns.remove(turn)
    return replace(cell, turns=tuple([*turns, instead] if instead else turns))
