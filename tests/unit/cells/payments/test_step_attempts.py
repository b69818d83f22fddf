"""What the ledger said of one attempt at a hold is not said of another. Found by the explorer (tests/model)."""

from dataclasses import replace

import pytest

from cells.ledger.entry import PostingResult
from cells.ledger.submit import ChainResult
from cells.payments.machine import Effect, Leg, State
from cells.payments.step import Owed, plan
from cells.payments.transfer import Transfer
from cells.wallets.replies import ledger_said

_FIRST = Transfer(
    transfer_id="tr_eu1_06a1b2c3d4e5f6g7h8i9j0a0a0", tenant_id="ten", leg=Leg.DESTINATION, state=State.HOLDING, version=2,
    wallet_id="peer", origin_cell="eu-1", destination_cell="id-1", quote_id=None, recipient_id="rcp", payer_id=None,
    source_currency="EUR", target_currency="IDR", principal=0, margin=0, fee=0, target_amount=100, recipient_fee=0,
    rail="bi_fast", screening="clear",
)  # fmt: skip
_REFUSED = ChainResult(False, PostingResult.EXCEEDS_CREDITS)
_APPLIED = ChainResult(True, PostingResult.CREATED)


@pytest.mark.parametrize(
    ("asked", "result", "state"),
    [
        (1, _REFUSED, State.HOLDING),  # a paused copy's late word on the first attempt, while the second is under way
        (2, _REFUSED, State.WAITING),
        (2, _APPLIED, State.PENDING_RAIL),
    ],
)
def test_a_word_on_an_earlier_attempt_moves_nothing(asked: int, result: ChainResult, state: State) -> None:
    second = replace(_FIRST, version=4, attempt=2)
    owed = Owed(replace(_FIRST, attempt=asked), Effect.HOLD)
    step = plan({second.transfer_id: second}, ledger_said(owed, result))
    assert step.now[second.transfer_id].state is state
    assert not step.refused
