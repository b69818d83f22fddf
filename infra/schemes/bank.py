"""What the scheme does with a payment or an inquiry:
checks, pays once, remembers, answers as the script says.
"""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from infra.schemes.clock import SchemeClock
from infra.schemes.magic import ORDINARY, Script, script_for
from infra.schemes.messages import Level, Order, Status, minor_units, now_text, report
from infra.schemes.rules import SCHEMES, SchemeRules
from infra.schemes.store import Entry, Fate, Payment, Plan, SchemeStore
from infra.schemes.store_notices import REPORT, Notice, NoticeStore
from residency.errors import needed

_PENDING = "PDNG"
_ACCEPTED = "ACSP"
_REJECTED = "RJCT"
_NEVER_RECEIVED = "AG09"
_TOO_LATE = "TM01"
_ID_LENGTH_MAX = 35


class Undecidable(Exception):
    """The scheme cannot say that of the payment; the text says why."""


class SchemeBank:
    """The books of one region's schemes."""

    def __init__(self, store: SchemeStore, notices: NoticeStore, clock: SchemeClock) -> None:
        self._store = store
        self._notices = notices
        self._clock = clock

    def pay(self, rail: str, orders: Sequence[Order], message_id: str = "") -> list[Status]:
        """The answers to give now: none for a payment that times out, two for one that is answered twice. `message_id`: of the message
        that brought them, "" where none has one.
        """
        answers: list[Status] = []
        afterwards: list[Status] = []
        rules = SCHEMES[rail]
        with self._store.transaction():
            for order in orders:
                now, later = self._pay_one(rail, rules, order)
                answers += now
                afterwards += later
            if message_id and len(orders) == 1:
                script = script_for(orders[0].creditor_name, minor_units(orders[0].amount) or 0, rules)
                level: Level = "message" if script.whole else "transaction"
                answers, afterwards = ([replace(one, level=level) for one in some] for some in (answers, afterwards))
            self._tell(rail, afterwards, message_id)
        return answers

    def knows(self, rail: str, end_to_end_id: str) -> bool:
        """Whether it was asked for that payment before."""
        return bool(self._store.payments_of(rail, end_to_end_id))

    def inquire(self, rail: str, asked: Sequence[tuple[str, str]]) -> list[Status]:
        with self._store.transaction():
            return [self._inquire_one(rail, end_to_end_id, tx_id) for end_to_end_id, tx_id in asked]

    def decide(self, rail: str, end_to_end_id: str, refusal: str | None) -> Payment:
        """A payment that was not paid is paid after all, or refused for a reason; the participant is told by a pacs.002 of its own.

        Raises Undecidable.
        """
        found = self._store.payments_of(rail, end_to_end_id)
        if not found:
            raise Undecidable("The scheme was never asked for that payment.")
        if found[0].paid:
            raise Undecidable("It is paid; what is paid can only be returned.")
        with self._store.transaction():
            return self._decide(found[0], "rejected" if refusal else "settled", refusal or "")

    def carry_out(self, plan: Plan) -> None:
        """What was planned for a payment: within the caller's transaction."""
        known = needed(self._store.payment(plan.rail, plan.tx_id), "plans are made for payments on record")
        if known.fate == "open" and plan.what != "return":
            self._decide(known, plan.what, plan.reason)

    def _pay_one(self, rail: str, rules: SchemeRules, order: Order) -> tuple[list[Status], list[Status]]:
        """(the answers now, what is told afterwards)."""
        if not order.tx_id or not order.end_to_end_id or len(order.tx_id) > _ID_LENGTH_MAX:
            return [_rejected(order.end_to_end_id, order.tx_id, "CH16")], []
        known = self._store.payment(rail, order.tx_id)
        if known is not None:
            self._store.count_asked(rail, order.tx_id)
            if known.fingerprint != _fingerprint(order):
                return [_rejected(order.end_to_end_id, order.tx_id, "AM05")], []
            return [_truth(rules, known)], []
        amount_minor = minor_units(order.amount)
        objection = _objection(rules, order, amount_minor)
        if objection is None and not self._clock.is_open(rail, rules):
            objection = _TOO_LATE
        if objection is not None or amount_minor is None:
            script = Script("", 0, "", "rejected", objection or "AM12")
        else:
            script = script_for(order.creditor_name, amount_minor, rules)
        payment = _payment(rail, rules, order, amount_minor or 0, script)
        self._store.add_payment(payment)
        if payment.paid:
            self._book(payment)
        self._plan(payment, script, rules)
        truth = _truth(rules, payment)
        if script.contradicts:
            return [truth, _rejected(order.end_to_end_id, order.tx_id, "AC04")], []
        if script.pending_inquiries or script.settles_after_days:
            return [replace(truth, code=payment.pending_code, reason="", at="")] * script.answers, []
        if rules.settles_later and payment.paid and script.answers:
            return [replace(truth, code=_ACCEPTED)] * script.answers, [truth] * script.answers
        return [truth] * script.answers, [truth] * (script.answers - 1)

    def _inquire_one(self, rail: str, end_to_end_id: str, tx_id: str) -> Status:
        known = self._store.payment(rail, tx_id)
        if known is None or known.end_to_end_id != end_to_end_id:
            return _rejected(end_to_end_id, tx_id, _NEVER_RECEIVED)
        self._store.count_inquiry(rail, tx_id)
        if known.deaf and known.inquiries == 0:
            return Status(end_to_end_id, tx_id, _REJECTED, "FF01", level="inquiry")
        truth = _truth(SCHEMES[rail], known)
        if known.inquiries < known.pending_inquiries:
            if known.late and known.inquiries == 0:
                self._tell(rail, [truth])
            return Status(end_to_end_id, tx_id, known.pending_code)
        return truth

    def _decide(self, known: Payment, fate: Fate, reason: str) -> Payment:
        decided = replace(known, fate=fate, reason=reason, paid=1 if fate == "settled" else 0, at=now_text())
        self._store.decide(decided)
        if decided.paid:
            self._book(decided)
        self._tell(known.rail, [_truth(SCHEMES[known.rail], decided)])
        return decided

    def _plan(self, payment: Payment, script: Script, rules: SchemeRules) -> None:
        if script.settles_after_days:
            due = self._clock.now() + timedelta(days=script.settles_after_days)
            self._store.add_plan(Plan(payment.rail, due.isoformat(), "settled", payment.tx_id, 0, ""))
        if script.returns_after_days:
            due = self._clock.now() + timedelta(days=script.returns_after_days)
            amount_minor = payment.amount_minor
            if script.returns_half:
                amount_minor = max(amount_minor // 2 // rules.unit_minor, 1) * rules.unit_minor
            plan = Plan(payment.rail, due.isoformat(), "return", payment.tx_id, amount_minor, script.reason)
            self._store.add_plan(plan)

    def _book(self, payment: Payment) -> None:
        self._store.book(
            Entry(
                rail=payment.rail,
                day=self._clock.today(payment.rail),
                direction="DBIT",
                kind="payment",
                currency=payment.currency,
                amount_minor=payment.amount_minor,
                reference=payment.tx_id,
                end_to_end_id=payment.end_to_end_id,
                at=payment.at,
            )
        )

    def _tell(self, rail: str, statuses: Sequence[Status], message_id: str = "") -> None:
        """Send a pacs.002 that nobody asked for."""
        if not statuses:
            return
        first = statuses[0]
        self._notices.add(
            Notice(
                rail=rail,
                reference="ST" + uuid.uuid4().hex,
                kind=REPORT,
                end_to_end_id=first.end_to_end_id,
                tx_id=first.tx_id,
                currency=SCHEMES[rail].currency,
                amount_minor=0,
                why=first.reason,
                body=report(statuses, message_id),
            )
        )


def _objection(rules: SchemeRules, order: Order, amount_minor: int | None) -> str | None:
    """The reason code under which the scheme refuses the order on sight."""
    if order.currency != rules.currency:
        return "AM03"
    if amount_minor is None or amount_minor % rules.unit_minor:
        return "AM12"
    if amount_minor <= rules.above_minor:
        return "AM06"
    if rules.ceiling_minor is not None and amount_minor > rules.ceiling_minor:
        return "AM02"
    if not order.creditor_account:
        return "AC03"
    named = 0 < len(order.creditor_name) <= rules.name_length
    if not named or not all(rules.text.fullmatch(text) for text in order.texts):
        return "CH16"
    return None


def _payment(rail: str, rules: SchemeRules, order: Order, amount_minor: int, script: Script) -> Payment:
    accepted = bool(script.settles_after_days) or (rules.settles_later and script == ORDINARY)
    return Payment(
        rail=rail,
        tx_id=order.tx_id,
        end_to_end_id=order.end_to_end_id,
        currency=order.currency,
        amount_minor=amount_minor,
        fingerprint=_fingerprint(order),
        asked=1,
        paid=1 if script.fate == "settled" else 0,
        inquiries=0,
        pending_inquiries=script.pending_inquiries,
        pending_code=_ACCEPTED if accepted else _PENDING,
        late=int(script.late),
        recall=script.recall,
        deaf=int(script.deaf),
        fate=script.fate,
        # What a paid one's script says belongs to its return or its recall.
        reason=script.reason,
        at=now_text(),
    )


def _truth(rules: SchemeRules, known: Payment) -> Status:
    match known.fate:
        case "settled":
            return Status(known.end_to_end_id, known.tx_id, rules.positive, at=known.at)
        case "rejected":
            return Status(known.end_to_end_id, known.tx_id, _REJECTED, known.reason, known.at)
        case "open":
            return Status(known.end_to_end_id, known.tx_id, known.pending_code)
        case _:
            return _rejected(known.end_to_end_id, known.tx_id, _NEVER_RECEIVED)


def _rejected(end_to_end_id: str, tx_id: str, reason: str) -> Status:
    return Status(end_to_end_id, tx_id, _REJECTED, reason, now_text())


def _fingerprint(order: Order) -> str:
    whole = f"{order.end_to_end_id}|{order.amount}|{order.currency}|{order.creditor_account}"
    return hashlib.sha256(whole.encode()).hexdigest()
