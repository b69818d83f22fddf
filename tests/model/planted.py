"""Bugs, planted one by one: each a world whose rules differ from the product's at one point, and a scenario that shows it.

Where the product decides by its table, the bug is a row of that table; elsewhere it is an override of one room's rule.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from cells.ledger.entry import PostingResult
from cells.ledger.submit import ChainResult
from cells.payments import machine
from cells.payments.machine import Advance, Effect, Event, Leg
from cells.payments.machine import State as Stage
from cells.payments.step import Owed
from cells.payments.transfer import Told, Transfer
from cells.returns.returned import Total
from residency.envelope import OpenedEnvelope
from residency.messages import Instructed
from tests.model.border import Border
from tests.model.railway import Railway
from tests.model.record import Asked, Booking, CellState, Sent, Turn, Word, put
from tests.model.returning import Returning, booking_chains
from tests.model.scenario import TARGET, Scenario, chain, payment
from tests.model.wallet import Wallet
from tests.model.world import World

_O = Leg.ORIGIN
Row = tuple[Leg, Stage, Event]


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug: rooms with one rule changed, or rows put in the lifecycle's table. `faults`: how many it takes to show."""

    name: str
    scenario: Scenario
    wallet: type[Wallet] = Wallet
    border: type[Border] = Border
    railway: type[Railway] = Railway
    returning: type[Returning] = Returning
    rows: Mapping[Row, Advance] = field(default_factory=dict)
    faults: int = 1

    @contextmanager
    def world(self) -> Iterator[World]:
        """The world with the bug in it; the table is the product's again afterwards."""
        table = machine.TABLE
        machine.TABLE = MappingProxyType({**table, **self.rows})  # type: ignore[misc]  # the plant is the exception to Final
        world = World(self.scenario)
        world.wallet = self.wallet(self.scenario)
        world.wallet.returning = self.returning(self.scenario)
        world.border = self.border(self.scenario, world.wallet)
        world.railway = self.railway(self.scenario)
        try:
            yield world
        finally:
            machine.TABLE = table  # type: ignore[misc]


class ResubmitsUnderNewId(Railway):
    """A silent scheme is asked again, under another end-to-end id."""

    def record(self, cell: CellState, transfer_id: str) -> CellState:
        doubtful = dict(cell.desk)[transfer_id] == "doubt"
        cell = super().record(cell, transfer_id)
        submission = cell.submission(transfer_id)
        if not doubtful or submission is None or submission.asks > 1:
            return cell
        return replace(
            cell, record=put(cell.record, transfer_id, submission._replace(state="queued", asks=submission.asks + 1))
        )


class DropsTheRowOnPublish(Border):
    """The broker's acknowledgement closes the outbox, in place of the destination's receipt."""

    def marked(self, sent: Sent) -> Sent:
        return sent._replace(published=True, closed=True)


class ExportsBeforeTheTransition(Border):
    """The envelope leaves in one commit, and the transfer becomes INSTRUCTED in another, which a cancel can come before."""

    def export(self, cell: CellState) -> CellState:
        due = self.due(cell)
        if not any(one.leg is _O for one in due):
            return super().export(cell)
        for one in due:
            cell = (
                self.wallet.advance(cell, [Told(one.transfer_id, Event.INSTRUCT)])[0]
                if _left(cell, one.transfer_id)
                else self.log(cell, one)
            )
        return cell


class TakesNotFoundForNotDone(Wallet):
    """Recovery looks for the hold, does not find it, and concludes that it never was: the payment is refused without asking again."""

    def owed_again(self, cell: CellState, asked: Asked) -> list[Asked]:
        if asked.effect is Effect.HOLD and not any(
            one.id in cell.books.postings for one in chain(asked.transfer, asked.effect)
        ):
            return []
        return [asked]

    def begin(self, cell: CellState) -> CellState:
        resumed = [one.transfer_id for one in cell.mailbox if one.name == "resume"]
        cell = super().begin(cell)
        owed = {one.transfer.transfer_id for turn in cell.turns for one in turn.owed}
        given_up = [
            row for key, row in cell.transfers if key in resumed and row.state is Stage.CREATED and key not in owed
        ]
        return self.advance(
            cell, [Told(row.transfer_id, Event.HOLD_REFUSED, {"reason_code": "AM04"}) for row in given_up]
        )[0]


class WritesDownWhatItNeverAsked(Wallet):
    """The entry that money went back to the wallet is written, and the ledger is not asked for the chain."""

    def ask(self, cell: CellState, turn: Turn) -> CellState:
        if not any(isinstance(one, Asked) and one.effect is Effect.UNFREEZE for one in turn.owed):
            return super().ask(cell, turn)
        granted = tuple((ChainResult(True, PostingResult.CREATED),) for _ in turn.owed)
        return replace(cell, turns=tuple(one._replace(results=granted) if one == turn else one for one in cell.turns))


class AsksAgainUnderNewIds(Wallet):
    """What is taken up again is asked for under the next attempt, although the ledger has not refused the first."""

    def owed_again(self, cell: CellState, asked: Asked) -> list[Asked]:
        return [Asked(replace(asked.transfer, attempt=asked.transfer.attempt + 1), asked.effect)]

    def said(self, owed: Owed, result: ChainResult) -> list[Told]:
        return [one._replace(attempt=None) for one in super().said(owed, result)]


class MixesUpAttempts(Wallet):
    """What the ledger said of one attempt at a hold is taken for what it says of the next. (This one was the product's own.)"""

    def said(self, owed: Owed, result: ChainResult) -> list[Told]:
        return [one._replace(attempt=None) for one in super().said(owed, result)]


class BelievesAnyCell(Border):
    """A reply counts whoever signed it: the gate is told that whoever answers is the one that was asked."""

    def asked(self, cell: CellState, name: str, opened: OpenedEnvelope) -> dict[str, tuple[str, bytes]]:
        return {one: (opened.from_cell, sha256) for one, (_, sha256) in super().asked(cell, name, opened).items()}


class BooksAgainUnderNewIds(Returning):
    """A return that is taken up again is booked under another attempt, although the ledger has not refused the first."""

    def owed(self, cell: CellState, return_ids: Sequence[str]) -> list[Booking]:
        return [
            Booking(replace(one.one, attempt=2), one.transfer)
            if booking_chains(one)[0][0].id in cell.books.postings
            else one
            for one in super().owed(cell, return_ids)
        ]


class ForgetsWhatCameBack(Returning):
    """The door checks each return by itself, and not what came back before."""

    def totals(self, cell: CellState) -> dict[str, Total]:
        return {one: replace(total, amount=0) for one, total in super().totals(cell).items()}


class TakesADuplicateForAnother(Returning):
    """The scheme's reference is not looked up: the same return, sent again, is one more."""

    def receive(self, cell: CellState, name: str, transfer: Transfer, place: int) -> tuple[CellState, list[Word]]:
        before = dict(cell.returns)
        again = replace(cell, returns=())
        made, words = super().receive(again, name, transfer, place)
        count = sum(1 for one in before.values() if one.transfer_id == transfer.transfer_id)
        rows = {
            f"{one.return_id}{'*' * count}": replace(one, return_id=f"{one.return_id}{'*' * count}", number=count + 1)
            for _, one in made.returns
        }
        kept = replace(cell, returns=tuple(sorted({**before, **rows}.items())))
        return kept, [word._replace(transfer_id=f"{word.transfer_id}{'*' * count}") for word in words]


def _left(cell: CellState, transfer_id: str) -> bool:
    return any(one.transfer_id == transfer_id and one.kind == Instructed.kind for one in cell.outbox)


_ONE = Scenario("one payment", (payment(0),))
_CANCELS = Scenario("one payment, cancelled", (payment(0),), cancels=True)
_AT_THE_CAP = Scenario("one payment at the cap", (payment(0),), verdicts=("paid",), cap=0, raised=True)
_RETURNED = Scenario("one payment, returned", (payment(0, leg=Leg.IN_REGION),), verdicts=("paid",), returns=(1_000,))
_TOO_MUCH = Scenario("one payment, returned twice", (payment(0),), verdicts=("paid",), returns=(TARGET // 3, TARGET))
_RELEASED = Scenario("one frozen payment, released", (payment(0, screening="block"),), releases=True)
_FORGED = Scenario("one payment, and a stranger", (payment(0),), forged=True)

PLANTED = (
    Planted(
        "post before settlement", _ONE, faults=0,
        rows={(_O, Stage.INSTRUCTED, Event.RECEIPTED): Advance(Stage.SETTLING, (Effect.POST,))},
    ),
    Planted("resubmit under a new id", _ONE, railway=ResubmitsUnderNewId),
    Planted("drop the outbox row on publish", _ONE, border=DropsTheRowOnPublish),
    Planted(
        "void after settle", _CANCELS, faults=0,
        rows={(_O, Stage.PENDING_RAIL, Event.CANCEL): Advance(Stage.CANCELLING, (Effect.VOID,))},
    ),
    Planted("export before the conditional transition", _CANCELS, border=ExportsBeforeTheTransition, faults=0),
    Planted("take a ledger's not found for did not happen", _ONE, wallet=TakesNotFoundForNotDone),
    Planted("write down a chain that was never asked for", _RELEASED, wallet=WritesDownWhatItNeverAsked, faults=0),
    Planted("ask for a chain again under other ids", _ONE, wallet=AsksAgainUnderNewIds),
    Planted("take the word on one attempt for the word on the next", _AT_THE_CAP, wallet=MixesUpAttempts),
    Planted("apply a return twice", _RETURNED, returning=BooksAgainUnderNewIds),
    Planted("return more than was paid", _TOO_MUCH, returning=ForgetsWhatCameBack, faults=0),
    Planted("take a duplicate return for another", _RETURNED, returning=TakesADuplicateForAnother),
    Planted("accept a reply from the wrong cell", _FORGED, border=BelievesAnyCell, faults=0),
)  # fmt: skip
