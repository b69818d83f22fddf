"""The connector for a bank that pays on our behalf and speaks SNAP, JSON over HTTP. One request is one payment.

- The reference the bank knows a payment by, and the X-EXTERNAL-ID of the order, are functions of the transfer id: asked twice, it is
  one payment, and the second answer ("duplicate") makes us ask its status.
- An answer that names another payment, amount or service is no answer: in doubt.
- SNAP has no message that gives a credit back. `give_back` refuses, unsent.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from cells.rails.connection import SchemeConnection
from cells.rails.iso20022.amounts import decimal_of
from cells.rails.iso20022.reasons import says_duplicate
from cells.rails.iso20022.text import Unwritable, written, written_or_empty
from cells.rails.profile import RailProfile
from cells.rails.rail import InDoubt, Outcome, Payout, RailUnavailable, Refused, ReturnOut, Settled, utc_now
from cells.rails.snap import codes
from cells.rails.snap.access import SnapAccess, fitted
from cells.rails.snap.door import Answer, NotTaken, SnapDoor, Unknown
from cells.rails.snap.signatures import timestamp

_TRANSFER_PATH = "/v1.0/transfer-interbank"
_STATUS_PATH = "/v1.0/transfer/status"
# ASPI: beneficiaryAccountName is String(100), X-EXTERNAL-ID a numeric String(36); remark as banks have it (Midtrans: 50).
_EXTERNAL_ID_DIGITS = 32
_CANNOT_BE_WRITTEN = "CH16"
_NO_RETURNS = "AG01"
_REFERENCE = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_Item = TypeVar("_Item")


class SnapRail:
    """A Rail over SNAP. Safe for concurrent use on one event loop; opens its client at the first request."""

    def __init__(self, profile: RailProfile, connection: SchemeConnection, access: SnapAccess) -> None:
        self.profile = fitted(profile)
        self._access = access
        self._door = SnapDoor(connection, access, profile.answer_time_s)

    async def submit(self, payouts: Sequence[Payout]) -> Sequence[Outcome]:
        """See Rail.submit. What the scheme could never carry is Refused here and not sent."""
        ids = [one.end_to_end_id for one in payouts]
        assert len(set(ids)) == len(ids), "one payment twice in one submission"
        refused = {one.end_to_end_id: refusal for one in payouts if (refusal := self._refusal(one)) is not None}
        orders = [one for one in payouts if one.end_to_end_id not in refused]
        outcomes = refused | await self._exchange([one.end_to_end_id for one in orders], orders, self._pay)
        return [outcomes[one] for one in ids]

    async def inquire(self, end_to_end_ids: Sequence[str]) -> Sequence[Outcome]:
        """See Rail.inquire."""
        asked = list(dict.fromkeys(end_to_end_ids))
        outcomes = await self._exchange(asked, asked, self._status)
        return [outcomes[one] for one in end_to_end_ids]

    async def give_back(self, returns: Sequence[ReturnOut]) -> Sequence[Outcome]:
        """See Rail.give_back. Refused: SNAP has no return of a credit; who holds the money pays it back as a payment of its own."""
        text = f"{self.profile.title} over SNAP gives no credit back; pay it to its sender instead."
        return [Refused(_NO_RETURNS, text, utc_now()) for _ in returns]

    async def close(self) -> None:
        await self._door.close()

    def _refusal(self, payout: Payout) -> Outcome | None:
        assert payout.creditor.account is not None, "a payout names the account it pays"
        objection = self.profile.objection(payout.amount_minor, payout.currency, payout.creditor.account.country)
        if objection is not None:
            return Refused(*objection, utc_now())
        try:
            self._name(payout.creditor.name)
            self._name(payout.debtor.name)
        except Unwritable:
            text = f"A name has a letter that {self.profile.title} cannot carry; give it in Latin letters."
            return Refused(_CANNOT_BE_WRITTEN, text, utc_now())
        return None

    def _name(self, name: str) -> str:
        return written(name, self.profile.text, self.profile.text.name_length)

    async def _exchange(
        self, references: Sequence[str], items: Sequence[_Item], ask: Callable[[_Item], Awaitable[Outcome]]
    ) -> dict[str, Outcome]:
        """All at once, by reference. Raises RailUnavailable when the bank took none of them."""
        answers = await asyncio.gather(*(self._taken(ask(one)) for one in items))
        if answers and all(one is None for one in answers):
            raise RailUnavailable(f"{self.profile.title} took nothing; the same request may be sent again.")
        # One not taken beside others that were: in doubt is always a true answer, and an inquiry ends it.
        return {
            reference: InDoubt(utc_now()) if one is None else one
            for reference, one in zip(references, answers, strict=True)
        }

    async def _taken(self, asking: Awaitable[Outcome]) -> Outcome | None:
        """The outcome; None when the bank took nothing."""
        try:
            return await asking
        except NotTaken:
            return None
        except Unknown:
            return InDoubt(utc_now())

    async def _pay(self, payout: Payout) -> Outcome:
        fields = self._order(payout)
        answer = await self._door.ask(_TRANSFER_PATH, fields, external_id(payout.end_to_end_id))
        meaning = codes.transfer_meaning(answer.http_status, answer.code)
        now = utc_now()
        match meaning:
            case "not_taken":
                raise NotTaken
            case _ if not _speaks_of(answer, "partnerReferenceNo", fields):
                return InDoubt(now)
            case "settled":
                return Settled(_reference(answer, "referenceNo", payout.end_to_end_id), now)
            case "pending":
                return InDoubt(now, "pending")
            case "not_found" | "unknown":
                return InDoubt(now)
            case _:
                return self._refused(meaning, answer, now)

    async def _status(self, end_to_end_id: str) -> Outcome:
        fields = {
            "originalPartnerReferenceNo": end_to_end_id,
            "originalExternalId": external_id(end_to_end_id),
            "serviceCode": codes.TRANSFER,
        }
        # An inquiry may be repeated within the day, and its X-EXTERNAL-ID may not.
        answer = await self._door.ask(_STATUS_PATH, fields, str(secrets.randbelow(10**_EXTERNAL_ID_DIGITS)))
        now = utc_now()
        match codes.inquiry_meaning(answer.http_status, answer.code):
            case "not_taken":
                raise NotTaken
            case "not_found":
                return InDoubt(now, "not_found")
            case "settled" if answer.fields.get("originalPartnerReferenceNo") == end_to_end_id:
                return self._told(answer, end_to_end_id, now)
            case _:
                return InDoubt(now)

    def _told(self, answer: Answer, end_to_end_id: str, now: datetime) -> Outcome:
        """What an answered inquiry says."""
        match codes.status_meaning(str(answer.fields.get("latestTransactionStatus"))):
            case "settled":
                return Settled(_reference(answer, "originalReferenceNo", end_to_end_id), now)
            case "refused":
                return self._refused(codes.refusal_meaning(_text(answer, "previousResponseCode")), answer, now)
            case "unknown":
                return InDoubt(now)
            case cause:
                return InDoubt(now, cause)

    def _refused(self, meaning: str, answer: Answer, now: datetime) -> Outcome:
        """`meaning`: of the refusal's code. Final only for a reason on the profile's list, and not where the answer's words say duplicate."""
        words = (_text(answer, "responseMessage"), _text(answer, "transactionStatusDesc"))
        code = meaning.removeprefix(":")
        match meaning:
            case "contradiction" | "not_found":
                return InDoubt(now, meaning)
            case _ if meaning == "pending" or says_duplicate((), words):
                return InDoubt(now, "pending")
            case _ if code not in self.profile.reasons:
                return InDoubt(now, "unclear", _text(answer, "previousResponseCode") or answer.code)
        return Refused(code, self.profile.reasons[code], now)

    def _order(self, payout: Payout) -> dict[str, Any]:
        account, rules = payout.creditor.account, self.profile.text
        assert account is not None, "a payout has the creditor's account"
        return {
            "partnerReferenceNo": payout.end_to_end_id,
            "amount": amount(payout.amount_minor, payout.currency),
            "beneficiaryAccountName": self._name(payout.creditor.name),
            "beneficiaryAccountNo": account.number,
            "beneficiaryBankCode": account.bank,
            "sourceAccountNo": self._access.source_account,
            "transactionDate": timestamp(utc_now()),
            "originatorInfos": [{"originatorCustomerName": self._name(payout.debtor.name)}],
            "remark": written_or_empty(payout.remittance.text, rules, rules.remittance_length),
        }


def external_id(end_to_end_id: str) -> str:
    """The X-EXTERNAL-ID of a payment's order: 32 digits, a function of its id."""
    digest = hashlib.sha256(b"kovra-snap-v1|" + end_to_end_id.encode()).digest()
    return str(int.from_bytes(digest, "big") % 10**_EXTERNAL_ID_DIGITS).zfill(_EXTERNAL_ID_DIGITS)


def amount(amount_minor: int, currency: str) -> dict[str, str]:
    """`{"value": "10000.00", "currency": "IDR"}`: two decimals, which the standard wants of rupiah too."""
    return {"value": f"{decimal_of(amount_minor, currency):.2f}", "currency": currency}


def _speaks_of(answer: Answer, name: str, order: Mapping[str, Any]) -> bool:
    """Whether the answer is to this order: its reference, and the amount where it is repeated, are the order's. An error answer may
    leave both out.
    """
    repeated = answer.fields.get(name)
    if repeated is None and answer.http_status >= 400:
        return True
    return bool(
        repeated == order["partnerReferenceNo"] and answer.fields.get("amount", order["amount"]) == order["amount"]
    )


def _text(answer: Answer, name: str) -> str:
    """A field that is text; "" of any other, and of one that is not there."""
    found = answer.fields.get(name)
    return found if isinstance(found, str) else ""


def _reference(answer: Answer, name: str, otherwise: str) -> str:
    """The bank's reference of the payment; ours where it gives none, as the standard lets it, or none that the standard has (String(64))."""
    found = answer.fields.get(name)
    return found if isinstance(found, str) and _REFERENCE.fullmatch(found) else otherwise
