"""What the entries of a payment's leg say."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AwareDatetime

from cells.journal.body import Body, Currency, Hash, Name, OfScheme, Rail
from residency.classes import Confidential, Public


class TransferBorn(Body):
    """A leg of a payment begins: all that never changes of it, and what it begins with. Amounts in minor units, as in `transfers`.

    What the partner wrote itself (`metadata`) is left out: it stands on the payment's row alone.
    """

    leg: Annotated[Name, Public]
    state: Annotated[Name, Public]
    wallet_id: Annotated[Name, Public]
    origin_cell: Annotated[Name, Public]
    destination_cell: Annotated[Name, Public]
    recipient_id: Annotated[Name, Public]
    source_currency: Annotated[Currency, Confidential]
    target_currency: Annotated[Currency, Confidential]
    principal: Annotated[int, Confidential]
    margin: Annotated[int, Confidential]
    fee: Annotated[int, Confidential]
    target_amount: Annotated[int, Confidential]
    recipient_fee: Annotated[int, Confidential]
    rail: Annotated[Rail, Public]
    review_reasons: Annotated[tuple[Name, ...], Public] = ()
    quote_id: Annotated[Name | None, Public] = None
    payer_id: Annotated[Name | None, Public] = None
    screening: Annotated[Name | None, Confidential] = None
    review_until: Annotated[AwareDatetime | None, Public] = None
    instruction_sha256: Annotated[Hash | None, Public] = None
    batch_id: Annotated[Name | None, Public] = None
    deadline: Annotated[AwareDatetime | None, Public] = None


class TransferMoved(Body):
    """A leg takes a step of its life: the state that it is in now, and of the rest what changed with it. `ledger_result`: the code with
    which the ledger refused the chain that it was asked for.
    """

    state: Annotated[Name, Public]
    attempt: Annotated[int, Public] = 1
    in_doubt: Annotated[bool, Public] = False
    export_due: Annotated[Name | None, Public] = None
    instruction_sha256: Annotated[Hash | None, Public] = None
    reason_code: Annotated[OfScheme | None, Public] = None
    scheme_reference: Annotated[OfScheme | None, Confidential] = None
    released: Annotated[bool, Public] = False
    screening: Annotated[Name | None, Confidential] = None
    review_reasons: Annotated[tuple[Name, ...], Public] = ()
    review_until: Annotated[AwareDatetime | None, Public] = None
    ledger_result: Annotated[int, Public] = 0
    returned: Annotated[int, Confidential] = 0
    credited: Annotated[int, Confidential] = 0


class CellAnswer(Body):
    """What the instructed cell has answered; `event`: of the lifecycle."""

    event: Annotated[Name, Public]
    at: Annotated[AwareDatetime, Public]
    rail: Annotated[Name | None, Public] = None
    reason_code: Annotated[OfScheme | None, Public] = None
    scheme_reference: Annotated[OfScheme | None, Confidential] = None


class TransferAnswered(Body):
    """The instructed cell's answer is admitted; the wallet has yet to act upon it."""

    answer: Annotated[CellAnswer, Confidential]


class TransferDoubted(Body):
    """The rail has not said what became of the payment."""

    in_doubt: Annotated[bool, Public]


class TransferRerouted(Body):
    """Another rail is to pay: the one before was never asked."""

    rail: Annotated[Name, Public]


class TransferReviewMoved(Body):
    """The case ends at another moment: the sandbox let time go by."""

    review_until: Annotated[AwareDatetime, Public]


# The steps of a leg's life, as cells.payments.machine has its events; a test holds the two together.
STEPS: Final = (
    "taken", "held", "held_for_review", "referred", "hold_refused", "cleared", "review_refused", "sanctioned", "frozen", "released_to_payer",
    "released_to_payee", "unfrozen", "cancel", "instruct", "receipted", "rail_settled", "rail_refused", "restore", "settled", "rail_rejected",
    "destination_rejected", "posted", "voided", "loss_booked", "export", "partially_returned", "returned",
)  # fmt: skip
BIRTHS: Final = dict.fromkeys(("transfer.accepted.1", "transfer.admitted.1"), TransferBorn)
LATER: Final[Mapping[str, type[Body]]] = {
    **{f"transfer.{step}.1": TransferMoved for step in STEPS},
    "transfer.answered.1": TransferAnswered,
    "transfer.doubted.1": TransferDoubted,
    "transfer.rerouted.1": TransferRerouted,
    "transfer.review_moved.1": TransferReviewMoved,
}
# What a partner sees of a payment's life; the rest is between the parts of the cells.
SHOWN: Final = BIRTHS.keys() | {f"transfer.{step}.1" for step in STEPS}
