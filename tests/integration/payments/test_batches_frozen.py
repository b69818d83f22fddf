"""A line of a batch whose payer is on a list: its money is frozen out of the reserve, two officers release it, and it is paid or comes back,
before or after the batch has ended."""

from collections.abc import AsyncIterator

import pytest

from cells.batches.batch import State
from cells.compliance.decisions import Deed, PartyBlocked
from cells.payments.machine import Event, Leg
from cells.payments.machine import State as PaymentState
from cells.payments.transfer import Transfer
from cells.reconciliation.report import Status
from tests.support.batch_cells import BatchCells, open_batch_cells
from tests.support.officers import BEN, decide, resume

BLOCKED = "Kovra Sandbox Blocked"


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[BatchCells]:
    async with open_batch_cells(cell_database) as opened:
        yield opened


async def in_order(cells: BatchCells) -> None:
    report = await cells.reconciled.report()
    assert report.ok, report.to_json()
    assert {one.status for one in report.results} <= {Status.HELD, Status.IN_FLIGHT}, report.to_json()


async def with_a_frozen_line(cells: BatchCells, *, abroad: bool) -> tuple[str, str]:
    """A batch of three lines of which the second is frozen, and the payer of that one."""
    payer = await cells.eu.payer(cells.reconciled.cells.tenant, BLOCKED)
    frozen = (cells.abroad if abroad else cells.at_home)(2_000)._replace(payer_id=payer)
    batch_id = await cells.submit([cells.at_home(1_000), frozen, cells.at_home(3_000)])
    await cells.drive()
    first, second, third = await cells.payments(batch_id)
    assert [one.state for one in (first, second, third)] == [
        PaymentState.PENDING_RAIL, PaymentState.BLOCKED, PaymentState.PENDING_RAIL,
    ]  # fmt: skip
    assert await cells.reserve() == (4_000, 4_000), "what is frozen has left the reserve"
    await in_order(cells)
    return batch_id, payer


async def settle_the_others(cells: BatchCells, batch_id: str) -> None:
    for one in await cells.payments(batch_id):
        if one.state is PaymentState.PENDING_RAIL and one.leg is Leg.IN_REGION:
            await cells.tell(one, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    await cells.drive()


async def released(cells: BatchCells, batch_id: str, payer: str, deed: Deed) -> Transfer:
    """Two officers release the payer, then the payment; one is not enough, and the payment alone cannot be."""
    frozen = (await cells.payments(batch_id))[1]
    with pytest.raises(PartyBlocked):
        await decide(cells.eu, frozen.transfer_id, deed)
    for case, what in ((payer, Deed.RELEASE), (frozen.transfer_id, deed)):
        assert (await decide(cells.eu, case, what)).state == "proposed"
        assert (await decide(cells.eu, case, what)).state == "proposed"
        assert (await cells.eu.transfer(frozen.transfer_id)).state is PaymentState.BLOCKED
        assert (await decide(cells.eu, case, what, BEN)).state == "done"
    return await resume(cells.eu, frozen)


@pytest.mark.parametrize("when", ["while the batch is under way", "after the batch has ended"])
@pytest.mark.parametrize("abroad", [True, False], ids=["abroad", "at home"])
async def test_a_frozen_line_is_released_by_two_officers_and_paid(
    cells: BatchCells, when: str, *, abroad: bool
) -> None:
    batch_id, payer = await with_a_frozen_line(cells, abroad=abroad)
    if when == "after the batch has ended":
        await settle_the_others(cells, batch_id)
        assert (await cells.batch(batch_id)).state is State.PARTIALLY_COMPLETED
        assert (await cells.batch(batch_id)).remainder_minor == 0
        await in_order(cells)
    going = await released(cells, batch_id, payer, Deed.RELEASE_TO_PAYEE)
    await in_order(cells)
    if abroad:
        paid = await cells.reconciled.complete(going)
    else:
        await cells.tell(going, Event.RAIL_SETTLED, scheme_reference="SCT-2")
        paid = await cells.eu.transfer(going.transfer_id)
    assert paid.state is PaymentState.COMPLETED
    await settle_the_others(cells, batch_id)
    batch = await cells.batch(batch_id)
    assert (batch.state, batch.remainder_minor) == (
        State.PARTIALLY_COMPLETED if when.startswith("after") else State.COMPLETED, 0,
    )  # fmt: skip
    assert [one.state for one in await cells.lines(batch_id)] == ["COMPLETED"] * 3
    assert await cells.reserve() == (0, 0)
    assert await cells.balance() == 500_000 - 6_000
    await in_order(cells)


@pytest.mark.parametrize("when", ["while the batch is under way", "after the batch has ended"])
async def test_a_frozen_line_is_released_to_its_payer_and_comes_back_once(cells: BatchCells, when: str) -> None:
    batch_id, payer = await with_a_frozen_line(cells, abroad=True)
    if when == "after the batch has ended":
        await settle_the_others(cells, batch_id)
    back = await released(cells, batch_id, payer, Deed.RELEASE_TO_PAYER)
    assert back.state is PaymentState.REFUNDED
    await settle_the_others(cells, batch_id)
    assert (await cells.batch(batch_id)).state is State.PARTIALLY_COMPLETED
    assert await cells.reserve() == (0, 0)
    assert await cells.balance() == 500_000 - 4_000
    await in_order(cells)


async def test_a_line_that_was_released_to_its_payee_can_still_be_refused(cells: BatchCells) -> None:
    batch_id, payer = await with_a_frozen_line(cells, abroad=False)
    going = await released(cells, batch_id, payer, Deed.RELEASE_TO_PAYEE)
    await cells.tell(going, Event.RAIL_REFUSED, reason_code="AC04")
    await settle_the_others(cells, batch_id)
    assert (await cells.batch(batch_id)).state is State.PARTIALLY_COMPLETED
    assert await cells.reserve() == (0, 0)
    assert await cells.balance() == 500_000 - 4_000
    await in_order(cells)
