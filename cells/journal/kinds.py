"""What may be written: the closed list of kinds of entries, each with the body that its facts have.

A kind is `<life>.<event>.<version of its body>`. A body that changes gets the next version, and the old one stays: what was written once is
read for ever. Invariant: no body has a field that is Personal, unmarked or of an open type, by the very rule of what crosses a border in
clear (residency/crossing.py); such a body cannot be defined.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from residency.classes import Confidential, Public
from residency.crossing import check_clear

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:=~-]{1,512}$")]
_Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
# A scheme's own code or reference, in its own letters: what the readers of its messages let in.
_OfScheme = Annotated[str, StringConstraints(pattern=r"^[^\x00]{0,140}$")]


class UnknownKind(ValueError):
    """The kind is not on the list, or its facts are not those of its body."""


class Body(BaseModel):
    """Base of the bodies; each is checked as it is defined. Raises UnfitForBorder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        check_clear(cls, cls.__name__)


class TransferBorn(Body):
    """A leg of a payment begins: all that never changes of it, and what it begins with. Amounts in minor units, as in `transfers`.

    What the partner wrote itself (`metadata`) is left out: it stands on the payment's row alone.
    """

    leg: Annotated[_Name, Public]
    state: Annotated[_Name, Public]
    wallet_id: Annotated[_Name, Public]
    origin_cell: Annotated[_Name, Public]
    destination_cell: Annotated[_Name, Public]
    recipient_id: Annotated[_Name, Public]
    source_currency: Annotated[_Currency, Confidential]
    target_currency: Annotated[_Currency, Confidential]
    principal: Annotated[int, Confidential]
    margin: Annotated[int, Confidential]
    fee: Annotated[int, Confidential]
    target_amount: Annotated[int, Confidential]
    recipient_fee: Annotated[int, Confidential]
    rail: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{0,64}$"), Public]
    review_reasons: Annotated[tuple[_Name, ...], Public]
    quote_id: Annotated[_Name | None, Public] = None
    payer_id: Annotated[_Name | None, Public] = None
    screening: Annotated[_Name | None, Confidential] = None
    review_until: Annotated[AwareDatetime | None, Public] = None
    instruction_sha256: Annotated[_Hash | None, Public] = None
    batch_id: Annotated[_Name | None, Public] = None
    deadline: Annotated[AwareDatetime | None, Public] = None


class TransferMoved(Body):
    """A leg takes a step of its life: the state that it is in now, and of the rest what changed with it. `ledger_result`: the code with
    which the ledger refused the chain that it was asked for.
    """

    state: Annotated[_Name, Public]
    attempt: Annotated[int, Public] = 1
    in_doubt: Annotated[bool, Public] = False
    export_due: Annotated[_Name | None, Public] = None
    instruction_sha256: Annotated[_Hash | None, Public] = None
    reason_code: Annotated[_OfScheme | None, Public] = None
    scheme_reference: Annotated[_OfScheme | None, Confidential] = None
    released: Annotated[bool, Public] = False
    screening: Annotated[_Name | None, Confidential] = None
    review_reasons: Annotated[tuple[_Name, ...], Public] = ()
    review_until: Annotated[AwareDatetime | None, Public] = None
    ledger_result: Annotated[int, Public] = 0
    returned: Annotated[int, Confidential] = 0
    credited: Annotated[int, Confidential] = 0


class CreditShown(Body):
    """What has become of money that came, with all that its owner is told of it. `reason_code`: why it went back."""

    state: Annotated[_Name, Public]
    wallet_id: Annotated[_Name, Public]
    rail: Annotated[_Name, Public]
    amount: Annotated[int, Confidential]
    currency: Annotated[_Currency, Confidential]
    settlement_date: Annotated[_Day | None, Public] = None
    available_at: Annotated[AwareDatetime | None, Public] = None
    reason_code: Annotated[_OfScheme | None, Public] = None


class LinesEnded(Body):
    """How many lines of a batch have ended so."""

    status: Annotated[_Name, Public]
    count: Annotated[int, Confidential]


class BatchEnded(Body):
    """A batch has ended. `spent`: what its payments took of the wallet, and `missing`: what the wallet lacked, in minor units; `reason_code`: why
    none was paid."""

    state: Annotated[_Name, Public]
    wallet_id: Annotated[_Name, Public]
    currency: Annotated[_Currency, Confidential]
    spent: Annotated[int, Confidential]
    lines: Annotated[tuple[LinesEnded, ...], Confidential]
    missing: Annotated[int | None, Confidential] = None
    reason_code: Annotated[_Name | None, Public] = None


class EndpointTested(Body):
    """An endpoint's owner asks for a test event."""


class EndpointDisabled(Body):
    """An endpoint gets nothing more."""

    reason_code: Annotated[_Name, Public]


class CellAnswer(Body):
    """What the instructed cell has answered; `event`: of the lifecycle."""

    event: Annotated[_Name, Public]
    at: Annotated[AwareDatetime, Public]
    rail: Annotated[_Name | None, Public] = None
    reason_code: Annotated[_OfScheme | None, Public] = None
    scheme_reference: Annotated[_OfScheme | None, Confidential] = None


class TransferAnswered(Body):
    """The instructed cell's answer is admitted; the wallet has yet to act upon it."""

    answer: Annotated[CellAnswer, Confidential]


class TransferDoubted(Body):
    """The rail has not said what became of the payment."""

    in_doubt: Annotated[bool, Public]


class TransferRerouted(Body):
    """Another rail is to pay: the one before was never asked."""

    rail: Annotated[_Name, Public]


class TransferReviewMoved(Body):
    """The case ends at another moment: the sandbox let time go by."""

    review_until: Annotated[AwareDatetime, Public]


# The steps of a leg's life, as cells.payments.machine has its events; a test holds the two together.
STEPS: Final = (
    "taken", "held", "held_for_review", "referred", "hold_refused", "cleared", "review_refused", "sanctioned", "frozen", "released_to_payer",
    "released_to_payee", "unfrozen", "cancel", "instruct", "receipted", "rail_settled", "rail_refused", "restore", "settled", "rail_rejected",
    "destination_rejected", "posted", "voided", "loss_booked", "export", "partially_returned", "returned",
)  # fmt: skip
BIRTHS: Final = frozenset({"transfer.accepted.1", "transfer.admitted.1"})
KINDS: Final[Mapping[str, type[Body]]] = MappingProxyType(
    {
        **dict.fromkeys(sorted(BIRTHS), TransferBorn),
        **{f"transfer.{step}.1": TransferMoved for step in STEPS},
        **dict.fromkeys(("batch.completed.1", "batch.partially_completed.1", "batch.failed.1"), BatchEnded),
        **dict.fromkeys(("credit.pending.1", "credit.booked.1", "credit.assigned.1", "credit.returned.1"), CreditShown),
        "endpoint.tested.1": EndpointTested,
        "endpoint.disabled.1": EndpointDisabled,
        "transfer.answered.1": TransferAnswered,
        "transfer.doubted.1": TransferDoubted,
        "transfer.rerouted.1": TransferRerouted,
        "transfer.review_moved.1": TransferReviewMoved,
    }
)
# What a partner sees of a payment's life; the rest is between the parts of the cells.
SHOWN: Final = BIRTHS | {f"transfer.{step}.1" for step in STEPS}
_check = {kind: TypeAdapter(body).validator.validate_python for kind, body in KINDS.items()}


def check(kind: str, facts: Mapping[str, Any]) -> None:
    """Raises UnknownKind where `facts` is not a body of `kind`. What it says quotes none of the facts."""
    try:
        _check[kind](dict(facts))
    except KeyError:
        raise UnknownKind(f"{kind} is no kind of entry") from None
    except ValidationError as error:
        wrong = sorted({".".join(map(str, one["loc"])) for one in error.errors(include_input=False, include_url=False)})
        raise UnknownKind(f"{kind} does not hold {', '.join(wrong)}") from None


def instant(at: datetime | None) -> str | None:
    """A time as facts have it: RFC 3339, microseconds where there are any."""
    return None if at is None else at.isoformat()
