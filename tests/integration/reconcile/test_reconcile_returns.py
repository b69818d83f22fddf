"""The ten invariants over money that came back, and over money that was lost: held at rest, in flight while it moves, told when it
is not what the rows say."""

from collections.abc import AsyncIterator

import pytest

from cells.payments.machine import Event, State
from cells.reconciliation.report import Status
from cells.returns.returned import TIMED_OUT
from tests.integration.payments.test_returns import back
from tests.support.reconciled_cells import Reconciled, open_reconciled


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        yield opened


async def held(cells: Reconciled) -> None:
    report = await cells.report()
    assert {one.status for one in report.results} == {Status.HELD}, report.to_json()


async def test_returns_of_every_kind_at_rest(cells: Reconciled) -> None:
    abroad, kept = await cells.abroad(), await cells.abroad(50_000)
    for transfer in (abroad, kept):
        await cells.complete(transfer)
    home = await cells.at_home()
    await cells.eu.tell(home, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    await cells.eu.receive_return(back(home, 1_000, "H-1"))
    await cells.id.receive_return(back(abroad, 10_000, "A-1"))
    await cells.id.receive_return(back(abroad, abroad.target_amount - 10_000, "A-2"))
    await cells.id.receive_return(back(kept, 5_000, "K-1"))
    await cells.eu.admit(await cells.id.export())
    assert (await cells.eu.transfer(abroad.transfer_id)).state is State.RETURNED
    assert (await cells.eu.transfer(kept.transfer_id)).state is State.PARTIALLY_RETURNED
    await held(cells)


async def test_every_moment_of_a_return_is_in_flight_and_none_is_a_fault(cells: Reconciled) -> None:
    transfer = await cells.abroad()
    await cells.complete(transfer)

    async def moment() -> None:
        report = await cells.report()
        assert report.ok, report.to_json()
        assert not report.at_rest

    reception = await cells.id.receive_return(back(transfer, 5_000), act=False)
    await moment()
    await cells.id.book(reception.open)
    await moment()
    envelopes = await cells.id.export()
    await moment()
    await cells.eu.admit(envelopes, act=False)
    await moment()
    await cells.eu.book(await cells.eu.returns(transfer.transfer_id))
    await held(cells)


@pytest.mark.writes_by_hand
@pytest.mark.parametrize(
    ("change", "invariant"),
    [
        ("update returns set amount = amount + 1", "L4"),
        ("update returns set margin_back = margin_back + 1", "L5"),
        ("update transfers set state = 'COMPLETED' where state = 'PARTIALLY_RETURNED'", "L4"),
        ("update returns set state = 'received'", "L4"),
        ("update transfers set target_amount = 4999", "L4"),
    ],
)
async def test_rows_that_were_tampered_with_are_told(cells: Reconciled, change: str, invariant: str) -> None:
    transfer = await cells.abroad()
    await cells.complete(transfer)
    await cells.id.receive_return(back(transfer, 5_000))
    await cells.eu.admit(await cells.id.export())
    await held(cells)
    await cells.tamper(cells.eu, change)
    assert invariant in {one.invariant for result in (await cells.report()).results for one in result.findings}


async def test_what_was_lost_in_doubt_is_known_and_shown(cells: Reconciled) -> None:
    transfer = await cells.at_home()
    await cells.eu.tell(transfer, Event.RESTORE, reason_code=TIMED_OUT)
    await held(cells)
    await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.LOST
    await held(cells)
    report = await cells.report()
    notes = [note for one in report.results if one.invariant == "L9" for note in one.notes]
    assert any("lost in doubt" in note for note in notes), notes
