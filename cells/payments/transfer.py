"""One leg of one payment, as the journal keeps it. Pure data and pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Self

from cells.journal.entry import Author
from cells.kit.money import amount_text, money
from cells.limits.rules import ANY, Sender
from cells.payments.machine import Effect, Event, Leg, State, public
from cells.rails.iso20022.reason_words import reason_in_words
from residency.errors import KovraError

ScreeningResult = Literal["clear", "review", "block"]
ExportKind = Literal["instructed", "settled", "rejected"]
PEER_TENANT_PREFIX = "cell:"


class TransferNotFound(KovraError):
    code = "transfer-not-found"
    status = 404
    title = "There is no such transfer"


class Contradiction(KovraError):
    """Two words that cannot both be true of one payment: somebody must look."""

    code = "contradiction"
    status = 409
    title = "The payment cannot take this word in its state"


class NotYet(KovraError):
    """The payment must come to rest first; the word is to be brought again."""

    code = "not-yet"
    status = 503
    retryable = True
    title = "The payment is still being given back"


class InsufficientFunds(KovraError):
    code = "insufficient-funds"
    status = 422
    title = "The wallet does not hold enough"

    @classmethod
    def by(cls, missing_minor: int | None, currency: str, remedy: str, **extra: Any) -> Self:
        """With what the wallet lacked when the ledger refused, in its own currency; None where that is not known any more."""
        if missing_minor is None:
            return cls(remedy, **extra)
        return cls(
            f"{amount_text(missing_minor, currency)} is missing. {remedy}",
            missing_amount=money(missing_minor, currency),
            **extra,
        )


class TooLateToCancel(KovraError):
    code = "too-late-to-cancel"
    status = 409
    title = "The payment has been instructed and can no longer be cancelled"


@dataclass(frozen=True, slots=True)
class Transfer:
    """A row of `transfers`. Amounts in minor units: principal, margin and fee of the source currency, the rest of the target.

    `screening`: what screening said of the parties; None where it was not asked (an instruction that was refused for another cause).
    `review_reasons`: codes of why a person must look, none when nobody need. `review_until`: how long a case holds the funds and
    the rate. `released`: two officers have released it from a freeze; of a batch's line, its funds have left the batch's reserve for good.
    `returned`: what of the payout has come back, and `credited`: what the wallet got for it. `deadline`: by when the payee shall have the money; None = as soon as possible.
    """

    transfer_id: str
    tenant_id: str
    leg: Leg
    state: State
    version: int
    wallet_id: str
    origin_cell: str
    destination_cell: str
    quote_id: str | None
    recipient_id: str
    payer_id: str | None
    source_currency: str
    target_currency: str
    principal: int
    margin: int
    fee: int
    target_amount: int
    recipient_fee: int
    rail: str
    screening: ScreeningResult | None
    review_reasons: tuple[str, ...] = ()
    review_until: datetime | None = None
    released: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 1
    in_doubt: bool = False
    export_due: ExportKind | None = None
    instruction_sha256: bytes | None = None
    answer: Mapping[str, Any] | None = None
    reason_code: str | None = None
    scheme_reference: str | None = None
    batch_id: str | None = None
    deadline: datetime | None = None
    returned: int = 0
    credited: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def source_total(self) -> int:
        """What leaves the wallet, fee included."""
        return self.principal + self.margin + self.fee

    def sender(self, tier: str = ANY) -> Sender:
        """Whose limits it counts against. The tier says which limits those are, and nothing of what was counted."""
        return Sender(self.tenant_id, tier, self.source_currency, self.wallet_id, self.payer_id or "")

    @property
    def needs_review(self) -> bool:
        """Whether a person must look before it goes on."""
        return self.screening != "clear" or bool(self.review_reasons)

    @property
    def payout_amount(self) -> int:
        """What reaches the recipient's account."""
        return self.target_amount - self.recipient_fee

    @property
    def rail_used(self) -> str:
        """The rail that paid, as far as this cell knows: across a border the destination may take another than was expected."""
        return str((self.answer or {}).get("rail", self.rail))


class Told(NamedTuple):
    """An event told of a transfer; `facts` are the columns that it brings with it, such as a reason code.

    `attempt`: the attempt that the ledger spoke of, when it was the ledger. A copy of the actor that was paused may bring the refusal
    of an earlier one, which says nothing of the one that is under way. `ledger_result`: the code with which it refused. `author`: who does
    it, where it is not the part of the cell that takes the step.
    """

    transfer_id: str
    event: Event
    facts: Mapping[str, Any] = {}
    attempt: int | None = None
    author: Author | None = None
    ledger_result: int | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """The body of the command `cancel`: which payment, and who asks."""

    transfer_id: str
    author: Author

    def told(self) -> Told:
        return Told(self.transfer_id, Event.CANCEL, author=self.author)


@dataclass(frozen=True, slots=True)
class Move:
    """One transition of one transfer, and the effects that come with it."""

    before: Transfer
    now: Transfer
    told: Told
    effects: tuple[Effect, ...]


def resource(transfer: Transfer) -> dict[str, Any]:
    """A transfer on the wire, as residency/wire.py has it: what the API answers and what events carry. No personal data, no internal moment."""
    source, target = transfer.source_currency, transfer.target_currency
    return {
        "id": transfer.transfer_id,
        "status": str(public(transfer.state)),
        "quote_id": transfer.quote_id,
        "recipient_id": transfer.recipient_id,
        "payer_id": transfer.payer_id,
        "source_wallet_id": transfer.wallet_id,
        "source": money(transfer.source_total, source),
        "fee": money(transfer.fee, source),
        "margin": money(transfer.margin, source),
        "target": money(transfer.payout_amount, target),
        "rail": transfer.rail_used,
        "in_doubt": transfer.in_doubt,
        "reason_code": transfer.reason_code,
        "reason": reason_in_words(transfer.reason_code),
        "scheme_reference": transfer.scheme_reference,
        "metadata": dict(transfer.metadata),
        "batch_id": transfer.batch_id,
        "returned": returned_shown(transfer),
        "created_at": _stamp(transfer.created_at),
        "updated_at": _stamp(transfer.updated_at),
    }


def returned_shown(transfer: Transfer) -> dict[str, Any] | None:
    """What has come back so far: of the recipient's amount, and what of it the wallet got. None while nothing has."""
    if not transfer.returned:
        return None
    return {
        "amount": money(transfer.returned, transfer.target_currency),
        "credited": money(transfer.credited, transfer.source_currency),
    }


def _stamp(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
