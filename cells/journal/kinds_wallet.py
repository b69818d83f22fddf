"""What the entries of sub-wallets, of transfers between own wallets and of batches say. Amounts in minor units, as in their rows."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AwareDatetime, StringConstraints

from cells.journal.body import Body, Currency, Name
from residency.classes import Confidential, Public

# A sentence of the house's own, which quotes nothing, and the place in a document that it is about.
_Sentence = Annotated[str, StringConstraints(pattern=r"^[^\x00]{0,2000}$")]


class SubWalletBorn(Body):
    """A partner asks for a sub-wallet. How it is called is the partner's own word, and stands on its row alone."""

    parent_wallet_id: Annotated[Name, Public]
    currency: Annotated[Currency, Confidential]
    target_minor: Annotated[int | None, Confidential] = None
    locked_until: Annotated[AwareDatetime | None, Confidential] = None


class SubWalletMoved(Body):
    """It is open, or closed."""

    state: Annotated[Name, Public]


class SubWalletLockMoved(Body):
    """Money may be taken out from another moment: the sandbox let time go by."""

    locked_until: Annotated[AwareDatetime, Confidential]


class InternalTransferBorn(Body):
    """A partner moves money between two of its wallets, or closes one (`close`: whatever is there, and `amount` is 0)."""

    writer_wallet_id: Annotated[Name, Public]
    kind: Annotated[Literal["transfer", "close"], Public]
    from_wallet_id: Annotated[Name, Public]
    to_wallet_id: Annotated[Name, Public]
    currency: Annotated[Currency, Confidential]
    amount: Annotated[int, Confidential]


class InternalTransferPlanned(Body):
    """The ledger is about to be asked; `amount`: of a close, what is there."""

    state: Annotated[Name, Public]
    amount: Annotated[int, Confidential] = 0


class InternalTransferApplied(Body):
    """The money is in the other wallet."""

    state: Annotated[Name, Public]


class InternalTransferRefused(Body):
    """Nothing was moved. `reason`: the code of the problem; `missing_minor`: what the wallet lacked, where that is known."""

    state: Annotated[Name, Public]
    reason: Annotated[Name, Public]
    missing_minor: Annotated[int | None, Confidential] = None


class BatchBorn(Body):
    """A partner hands a batch in. Its lines are in `batch_lines`, and become payments; the id of its file stands on its row alone."""

    wallet_id: Annotated[Name, Public]
    source_currency: Annotated[Currency, Confidential]
    format: Annotated[Literal["json", "csv", "pain.001"], Public]
    all_or_nothing: Annotated[bool, Public]
    line_count: Annotated[int, Public]
    scheduled_for: Annotated[AwareDatetime | None, Public] = None
    message_created_at: Annotated[AwareDatetime | None, Public] = None


class BatchMoved(Body):
    """A step of it."""

    state: Annotated[Name, Public]


class BatchPriced(Body):
    """Its lines have prices; `funding_minor`: what they add up to, which the ledger is about to be asked for."""

    state: Annotated[Name, Public]
    funding_minor: Annotated[int, Confidential]


class BatchClosing(Body):
    """Its lines have all ended; `remainder_minor`: what they have not spent, and goes back to the wallet."""

    state: Annotated[Name, Public]
    remainder_minor: Annotated[int, Confidential]


class BatchFault(Body):
    """Why a batch is not paid."""

    code: Annotated[Name, Public]
    detail: Annotated[_Sentence, Public]
    pointer: Annotated[_Sentence | None, Public] = None
    errors: Annotated[tuple[dict[Annotated[Name, Public], Annotated[_Sentence, Public]], ...], Public] = ()


class LinesEnded(Body):
    """How many lines of a batch have ended so."""

    status: Annotated[Name, Public]
    count: Annotated[int, Confidential]


class BatchEnded(Body):
    """Its last state, with all that its partner is told. `spent`: what its payments took of the wallet; `fault`: where the whole batch failed for
    one reason."""

    repeats: ClassVar[frozenset[str]] = frozenset({"wallet_id", "source_currency"})
    state: Annotated[Name, Public]
    wallet_id: Annotated[Name, Public]
    source_currency: Annotated[Currency, Confidential]
    spent: Annotated[int, Confidential]
    lines: Annotated[tuple[LinesEnded, ...], Confidential]
    fault: Annotated[BatchFault | None, Public] = None


class BatchScheduleMoved(Body):
    """It is due at another moment: the sandbox let time go by."""

    scheduled_for: Annotated[AwareDatetime, Public]


BIRTHS: Final[Mapping[str, type[Body]]] = {
    "sub_wallet.asked.1": SubWalletBorn,
    "internal_transfer.asked.1": InternalTransferBorn,
    "batch.created.1": BatchBorn,
}
# `batch.validated`: its lines are, and it waits for its time; `batch.taking`: its lines are becoming payments.
LATER: Final[Mapping[str, type[Body]]] = {
    "sub_wallet.opened.1": SubWalletMoved,
    "sub_wallet.closed.1": SubWalletMoved,
    "sub_wallet.lock_moved.1": SubWalletLockMoved,
    "internal_transfer.planned.1": InternalTransferPlanned,
    "internal_transfer.applied.1": InternalTransferApplied,
    "internal_transfer.refused.1": InternalTransferRefused,
    "batch.validated.1": BatchMoved,
    "batch.priced.1": BatchPriced,
    "batch.funded.1": BatchMoved,
    "batch.taking.1": BatchMoved,
    "batch.closing.1": BatchClosing,
    **dict.fromkeys(("batch.completed.1", "batch.partially_completed.1", "batch.failed.1"), BatchEnded),
    "batch.cancelled.1": BatchMoved,
    "batch.schedule_moved.1": BatchScheduleMoved,
}
