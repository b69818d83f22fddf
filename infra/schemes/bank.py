"""What the scheme does with a payment or an inquiry:
checks, pays once, remembers, answers as the script says.
"""

import hashlib
from collections.abc import Sequence

from infra.schemes.magic import Script, script_for
from infra.schemes.messages import Order, Status, minor_units, now_text
from infra.schemes.rules import SCHEMES, SchemeRules
from infra.schemes.store import Payment, SchemeStore

_PENDING = "PDNG"
_REJECTED = "RJCT"
_NEVER_RECEIVED = "AG09"
_ID_LENGTH_MAX = 35


class SchemeBank:
    """The books of one region's schemes."""

    def __init__(self, store: SchemeStore) -> None:
        self._store = store

    def pay(self, rail: str, orders: Sequence[Order]) -> list[Status]:
        """The answers to give now: none for a payment that times out, two for one that is answered twice."""
        answers: list[Status] = []
        with self._store.transaction():
            for order in orders:
                answers += self._pay_one(rail, SCHEMES[rail], order)
        return answers

    def inquire(self, rail: str, asked: Sequence[tuple[str, str]]) -> list[Status]:
        with self._store.transaction():
            return [self._inquire_one(rail, end_to_end_id, tx_id) for end_to_end_id, tx_id in asked]

    def _pay_one(self, rail: str, rules: SchemeRules, order: Order) -> list[Status]:
        if not order.tx_id or not order.end_to_end_id or len(order.tx_id) > _ID_LENGTH_MAX:
            return [_rejected(order.end_to_end_id, order.tx_id, "CH16")]
        known = self._store.payment(rail, order.tx_id)
        if known is not None:
            self._store.count_asked(rail, order.tx_id)
            if known.fingerprint != _fingerprint(order):
                return [_rejected(order.end_to_end_id, order.tx_id, "AM05")]
            return [_truth(rules, known)]
        amount_minor = minor_units(order.amount)
        objection = _objection(rules, order, amount_minor)
        if objection is not None or amount_minor is None:
            script = Script("", 0, "rejected", objection or "AM12")
        else:
            script = script_for(order.creditor_name, amount_minor, rules.unit_minor)
        payment = _payment(rail, order, amount_minor or 0, script)
        self._store.add_payment(payment)
        if script.pending_inquiries:
            return [Status(order.end_to_end_id, order.tx_id, _PENDING)]
        return [_truth(rules, payment)] * script.answers

    def _inquire_one(self, rail: str, end_to_end_id: str, tx_id: str) -> Status:
        known = self._store.payment(rail, tx_id)
        if known is None or known.end_to_end_id != end_to_end_id:
            return _rejected(end_to_end_id, tx_id, _NEVER_RECEIVED)
        self._store.count_inquiry(rail, tx_id)
        if known.inquiries < known.pending_inquiries:
            return Status(end_to_end_id, tx_id, _PENDING)
        return _truth(SCHEMES[rail], known)


def _objection(rules: SchemeRules, order: Order, amount_minor: int | None) -> str | None:
    """The reason code under which the scheme refuses the order on sight."""
    if order.currency != rules.currency:
        return "AM03"
    if amount_minor is None or amount_minor % rules.unit_minor:
        return "AM12"
    if rules.ceiling_minor is not None and amount_minor > rules.ceiling_minor:
        return "AM02"
    if not order.creditor_account:
        return "AC03"
    named = 0 < len(order.creditor_name) <= rules.name_length
    if not named or not all(rules.text.fullmatch(text) for text in order.texts):
        return "CH16"
    return None


def _payment(rail: str, order: Order, amount_minor: int, script: Script) -> Payment:
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
        fate=script.fate,
        reason=script.reason,
        at=now_text(),
    )


def _truth(rules: SchemeRules, known: Payment) -> Status:
    match known.fate:
        case "settled":
            return Status(known.end_to_end_id, known.tx_id, rules.positive, at=known.at)
        case "rejected":
            return Status(known.end_to_end_id, known.tx_id, _REJECTED, known.reason, known.at)
        case _:
            return _rejected(known.end_to_end_id, known.tx_id, _NEVER_RECEIVED)


def _rejected(end_to_end_id: str, tx_id: str, reason: str) -> Status:
    return Status(end_to_end_id, tx_id, _REJECTED, reason, now_text())


def _fingerprint(order: Order) -> str:
    whole = f"{order.end_to_end_id}|{order.amount}|{order.currency}|{order.creditor_account}"
    return hashlib.sha256(whole.encode()).hexdigest()
