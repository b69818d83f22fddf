"""Money that goes back: returns and answers to recalls by the payee's bank, and what the participant itself gives back.

Invariant: of one payment, or one credit, no more goes back than was paid, unless a command says `unchecked` (to see the participant
refuse it).
"""

import uuid
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from infra.schemes.clock import SchemeClock
from infra.schemes.messages import Status, minor_units, now_text
from infra.schemes.messages_returns import Cancellation, Return, recall_message, refusal_of_recall, return_message
from infra.schemes.rules import SCHEMES
from infra.schemes.store import Entry, Payment, Plan, SchemeStore
from infra.schemes.store_notices import CREDIT, NEGATIVE, RECALL, RETURN, GivenBack, Notice, NoticeStore, Recall
from residency.classes import Confidential, Public
from residency.errors import needed

_REJECTED = "RJCT"
_FOLLOWING_A_RECALL = "FOCR"
_KEPT = "RJCR"
_NO_ORIGINAL, _ALREADY_RETURNED = "NOOR", "ARDT"


class Unreturnable(Exception):
    """That money cannot go back; the text says why."""


class SimulatedReturn(BaseModel):
    """`POST /{rail}/simulate/returns`: the payee's bank gives a payment back, all that is left of it where no amount is named.

    The same `return_id` again changes nothing. `unchecked`: send it whatever was paid.
    """

    model_config = ConfigDict(extra="forbid")
    end_to_end_id: Annotated[str, Confidential] = Field(min_length=1, max_length=35)
    amount_minor: Annotated[int | None, Confidential] = Field(default=None, gt=0, le=10**16)
    reason: Annotated[str, Public] = Field(default="AC04", pattern=r"^[A-Z0-9]{4}$")
    return_id: Annotated[str | None, Public] = Field(default=None, min_length=1, max_length=35)
    deliveries: Annotated[int, Public] = Field(default=1, ge=1, le=20)
    unchecked: Annotated[bool, Public] = False


class SimulatedRecall(BaseModel):
    """`POST /{rail}/simulate/recalls`: the payer's bank wants a credit back."""

    model_config = ConfigDict(extra="forbid")
    scheme_reference: Annotated[str, Public] = Field(min_length=1, max_length=35)
    reason: Annotated[str, Public] = Field(default="DUPL", pattern=r"^[A-Z0-9]{4}$")


class SchemeReturns:
    """Beside SchemeBank, on the same books."""

    def __init__(self, store: SchemeStore, notices: NoticeStore, clock: SchemeClock) -> None:
        self._store = store
        self._notices = notices
        self._clock = clock

    def simulate(self, rail: str, asked: SimulatedReturn) -> Notice:
        """Send the return; a known id is left as it is. Raises Unreturnable."""
        return_id = asked.return_id or "RT" + uuid.uuid4().hex
        known = self._notices.find(rail, return_id)
        if known is not None:
            return known
        found = self._store.payments_of(rail, asked.end_to_end_id)
        paid = next((one for one in found if one.paid), None)
        if asked.unchecked:
            amount_minor = asked.amount_minor or (paid.amount_minor if paid else 1)
        else:
            if paid is None:
                raise Unreturnable("The scheme never paid that payment.")
            amount_minor = asked.amount_minor or self.left_of(paid)
            if not 0 < amount_minor <= self.left_of(paid) or amount_minor % SCHEMES[rail].unit_minor:
                raise Unreturnable(f"Of that payment {self.left_of(paid)} minor units are left to return.")
        tx_id = paid.tx_id if paid else asked.end_to_end_id
        with self._store.transaction():
            return self._send(
                rail, return_id, (asked.end_to_end_id, tx_id), (paid.amount_minor if paid else amount_minor, amount_minor),
                asked.reason, asked.deliveries,
            )  # fmt: skip

    def left_of(self, payment: Payment) -> int:
        """What has not been returned of a payment, or is on its way to be; minor units."""
        returns = self._notices.about(payment.rail, payment.tx_id, RETURN)
        return payment.amount_minor - sum(one.amount_minor for one in returns if one.status in ("sent", "accepted"))

    def carry_out(self, plan: Plan) -> None:
        """A planned return: within the caller's transaction."""
        known = needed(self._store.payment(plan.rail, plan.tx_id), "plans are made for payments on record")
        amount_minor = min(plan.amount_minor, self.left_of(known))
        if known.paid and amount_minor:
            ids = (known.end_to_end_id, known.tx_id)
            self._send(plan.rail, "RT" + uuid.uuid4().hex, ids, (known.amount_minor, amount_minor), plan.reason)

    def take(self, rail: str, asked: Sequence[Return]) -> list[Status]:
        """What the participant gives back of credits that it had accepted: once per return id."""
        with self._store.transaction():
            return [self._take_one(rail, one) for one in asked]

    def recall(self, rail: str, asked: Sequence[Cancellation]) -> None:
        """Requests to have payments back; each is answered by a message of its own, as the payment's script says."""
        with self._store.transaction():
            for one in asked:
                new = Recall(rail, one.recall_id, one.tx_id, one.end_to_end_id, one.reason, 1)
                if self._notices.recalled(new):
                    self._answer(rail, one)

    def simulate_recall(self, rail: str, asked: SimulatedRecall) -> Notice:
        """Ask for a credit back. Raises Unreturnable."""
        credit = self._notices.find(rail, asked.scheme_reference)
        if credit is None or credit.kind != CREDIT or credit.status != "accepted":
            raise Unreturnable("The participant has accepted no such credit.")
        recall_id = "RC" + uuid.uuid4().hex
        body = recall_message(
            recall_id, credit.end_to_end_id, credit.tx_id, credit.amount_minor, credit.currency, asked.reason
        )
        notice = Notice(
            rail, recall_id, RECALL, credit.end_to_end_id, credit.tx_id, credit.currency, credit.amount_minor, asked.reason, body
        )  # fmt: skip
        with self._store.transaction():
            self._notices.add(notice)
        return notice

    def resolve(self, rail: str, answers: Sequence[tuple[str, str, str]]) -> None:
        """The participant's word on credits that were recalled: (transaction id, status, reason)."""
        with self._store.transaction():
            for tx_id, status, reason in answers:
                if status == _KEPT:
                    self._notices.resolved(rail, tx_id, reason)

    def _answer(self, rail: str, one: Cancellation) -> None:
        known = self._store.payment(rail, one.tx_id)
        if known is None or not known.paid:
            self._refuse(rail, one, _NO_ORIGINAL)
        elif not (left := self.left_of(known)):
            self._refuse(rail, one, _ALREADY_RETURNED)
        elif known.recall == "granted":
            ids = (known.end_to_end_id, known.tx_id)
            self._send(rail, "RT" + uuid.uuid4().hex, ids, (known.amount_minor, left), _FOLLOWING_A_RECALL)
        elif known.recall == "refused":
            self._refuse(rail, one, known.reason)

    def _refuse(self, rail: str, one: Cancellation, reason: str) -> None:
        reference = "CX" + uuid.uuid4().hex
        body = refusal_of_recall(reference, [one], reason)
        currency = SCHEMES[rail].currency
        self._notices.add(Notice(rail, reference, NEGATIVE, one.end_to_end_id, one.tx_id, currency, 0, reason, body))

    def _send(
        self,
        rail: str,
        return_id: str,
        ids: tuple[str, str],
        amounts_minor: tuple[int, int],
        reason: str,
        deliveries: int = 1,
    ) -> Notice:
        """`ids`: end-to-end and transaction id; `amounts_minor`: what was paid, and what goes back."""
        currency = SCHEMES[rail].currency
        reason = _FOLLOWING_A_RECALL if SCHEMES[rail].recalls_only else reason
        body = return_message(return_id, *ids, amounts_minor, currency, reason)
        notice = Notice(rail, return_id, RETURN, *ids, currency, amounts_minor[1], reason, body, deliveries)
        self._notices.add(notice)
        return notice

    def _take_one(self, rail: str, asked: Return) -> Status:
        amount_minor = minor_units(asked.amount) or 0
        known = self._notices.given_back(rail, asked.return_id)
        if known is not None:
            self._notices.count_given_back(rail, asked.return_id)
            same = (known.tx_id, known.amount_minor, known.currency) == (asked.tx_id, amount_minor, asked.currency)
            return _status(rail, asked, known.reason if same else "AM05")
        objection = self._objection(rail, asked, amount_minor)
        status = "refused" if objection else "accepted"
        self._notices.give_back(
            GivenBack(
                rail, asked.return_id, asked.tx_id, asked.currency, amount_minor, asked.reason, 1, status, objection
            )
        )
        if not objection:
            self._store.book(
                Entry(
                    rail, self._clock.today(rail), "DBIT", "give_back", asked.currency, amount_minor, asked.return_id,
                    asked.end_to_end_id, now_text(),
                )
            )  # fmt: skip
        return _status(rail, asked, objection)

    def _objection(self, rail: str, asked: Return, amount_minor: int) -> str:
        rules = SCHEMES[rail]
        credit = self._notices.find(rail, asked.tx_id)
        if not asked.return_id:
            return "CH16"
        if credit is None or credit.kind != CREDIT:
            return "AG09"
        if asked.currency != rules.currency:
            return "AM03"
        if not amount_minor or amount_minor % rules.unit_minor:
            return "AM12"
        gone = sum(
            one.amount_minor for one in self._notices.given_back_of(rail, asked.tx_id) if one.status == "accepted"
        )
        return "AM02" if credit.status == "refused" or amount_minor > credit.amount_minor - gone else ""


def _status(rail: str, asked: Return, objection: str) -> Status:
    """The answer to one return, under its own id."""
    code = _REJECTED if objection else SCHEMES[rail].positive
    return Status(asked.end_to_end_id, asked.return_id, code, objection, now_text())
