"""An officer's decision on a payment: a case for review, or one that is frozen.

The decision, its audit entry, and the deed (the transition, with the chain that it asks for) are one commit, on the payment's row as it
stands: of a decision, the deadline, a cancel and another officer, one comes first, and the others learn it. What the deed owes the
ledger, the border or the rail follows from the state, and is carried out by whoever does so after a crash: the wallet's actor, asked by
the sweep, and the exporter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from cells.backends.postgres import Connection
from cells.compliance.checker import UNAVAILABLE, Block, Review, Verdict
from cells.compliance.decisions import RELEASES, Asked, CaseClosed, Decision, Deed, PartyBlocked, ScreeningMissing
from cells.compliance.rules import Rules
from cells.compliance.standing import Standing
from cells.journal.entry import Author
from cells.kit.operator import operator_actor
from cells.payments import officers, store
from cells.payments.machine import Event, Leg, State, public
from cells.payments.recovery import REGULATORY
from cells.payments.step import take_loaded
from cells.payments.transfer import Told, Transfer, TransferNotFound
from residency.directory import CellEntry

_ROOM = "officer"
EVENTS: Final[Mapping[Deed, Event]] = MappingProxyType(
    {
        Deed.CLEAR: Event.CLEARED,
        Deed.REFUSE: Event.REVIEW_REFUSED,
        Deed.BLOCK: Event.SANCTIONED,
        Deed.RELEASE_TO_PAYER: Event.RELEASED_TO_PAYER,
        Deed.RELEASE_TO_PAYEE: Event.RELEASED_TO_PAYEE,
    }
)
_TAKES_IN: Final = MappingProxyType({deed: State.BLOCKED if deed in RELEASES else State.IN_REVIEW for deed in EVENTS})


@dataclass(frozen=True, slots=True)
class Reviewing:
    """What officers' decisions on payments need of a cell."""

    entry: CellEntry
    standing: Standing
    rules: Rules

    async def decide(self, connection: Connection, transfer_id: str, asked: Asked) -> tuple[Decision, Transfer]:
        """Decide on a payment, in the caller's transaction: the decision on record (`proposed`, or `done`), and the payment as it stands.

        Raises TransferNotFound, CaseClosed, PartyBlocked, ScreeningMissing.
        """
        region = self.entry.region
        loaded = await store.load(connection, region, [transfer_id])
        if transfer_id not in loaded or asked.deed not in EVENTS:
            raise TransferNotFound(f"{self.entry.name} has no payment {transfer_id}.")
        transfer = loaded[transfer_id]
        version = str(transfer.version)
        repeated = await officers.decided_already(connection, self.entry, transfer_id, version, asked)
        if repeated is not None:
            return repeated, transfer
        await self._check(connection, transfer, asked.deed)
        two = asked.deed in RELEASES or self.rules.second_officer(*value_of(transfer))
        case = (transfer_id, version, transfer.tenant_id)
        decision = await officers.decide(connection, self.entry, case, asked, two=two)
        if decision.state == "done":
            transfer = await self._carry_out(connection, transfer, asked.deed, asked.officer)
        return decision, transfer

    async def _carry_out(self, connection: Connection, transfer: Transfer, deed: Deed, officer: str) -> Transfer:
        region, transfer_id = self.entry.region, transfer.transfer_id
        refuses = deed is Deed.REFUSE or (deed is Deed.BLOCK and transfer.leg is Leg.DESTINATION)
        facts = {"reason_code": REGULATORY} if refuses else {}
        told = Told(transfer_id, EVENTS[deed], facts, author=Author(operator_actor(officer)))
        step = await take_loaded(connection, region, {transfer_id: transfer}, [told], room=_ROOM)
        return step.now[transfer_id]

    async def _check(self, connection: Connection, transfer: Transfer, deed: Deed) -> None:
        """Whether the payment as it stands can be decided so."""
        if transfer.state is not _TAKES_IN[deed]:
            raise CaseClosed(f"{transfer.transfer_id} is {public(transfer.state)}.")
        over = transfer.review_until is not None and transfer.review_until <= datetime.now(UTC)
        if deed is Deed.CLEAR and over:
            raise CaseClosed(
                f"The rate was kept until {transfer.review_until:%Y-%m-%d %H:%M} UTC: the money goes back."
            )
        if deed is Deed.RELEASE_TO_PAYEE and over and transfer.source_currency != transfer.target_currency:
            raise CaseClosed(
                f"The rate was kept until {transfer.review_until:%Y-%m-%d %H:%M} UTC: release the funds to the payer."
            )
        if deed in (Deed.CLEAR, Deed.RELEASE_TO_PAYER, Deed.RELEASE_TO_PAYEE):
            await self._check_parties(connection, transfer, payee_too=deed is not Deed.RELEASE_TO_PAYER)

    async def _check_parties(self, connection: Connection, transfer: Transfer, *, payee_too: bool) -> None:
        """Nobody's money moves while the lists, or an officer, say that it may not."""
        ids = parties_here(self.entry.name, transfer)
        wanted = [one for role, one in ids.items() if role == "payer" or payee_too]
        verdicts = await self.standing.standing(connection, wanted)
        for one in wanted:
            verdict: Verdict | None = verdicts.get(one)
            if isinstance(verdict, Block):
                raise PartyBlocked(f"{one} is blocked: officers release it first, with `kovra review release {one}`.")
            if isinstance(verdict, Review) and verdict.reason == UNAVAILABLE:
                raise ScreeningMissing(f"{one} could not be screened under today's lists; try again.")


def parties_here(cell: str, transfer: Transfer) -> dict[str, str]:
    """The parties whose data lives in `cell`, by role, as their rows' ids. Pure."""
    found: dict[str, str] = {}
    if transfer.payer_id is not None:
        found["payer"] = transfer.payer_id
    if transfer.destination_cell == cell:
        found["payee"] = transfer.recipient_id.partition(".")[0]
    return found


def value_of(transfer: Transfer) -> tuple[str, int]:
    """What a case is about, in the currency of the cell that decides it, minor units. Pure."""
    if transfer.leg is Leg.DESTINATION:
        return transfer.target_currency, transfer.target_amount
    return transfer.source_currency, transfer.source_total
