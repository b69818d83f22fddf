"""A batch's row against the ledger: what was moved for it follows from the row, and where it does not, the batch is named."""

from collections.abc import AsyncIterator

import pytest

from cells.payments.machine import Event
from cells.reconciliation.report import Status
from tests.support.batch_cells import BatchCells, open_batch_cells


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[BatchCells]:
    async with open_batch_cells(cell_database) as opened:
        yield opened


@pytest.mark.writes_by_hand
@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("update batches set funding_minor = funding_minor + 1 where batch_id = $1", "amount in the ledger"),
        ("update batches set remainder_minor = 1 where batch_id = $1", "amount in the ledger"),
        ("update batches set remainder_minor = null where batch_id = $1", "posting in the ledger"),
        (
            "update batches set state = 'VALIDATING', remainder_minor = null where batch_id = $1",
            "posting in the ledger",
        ),
    ],
)
async def test_a_batch_that_is_not_what_the_ledger_moved_is_found(cells: BatchCells, statement: str, what: str) -> None:
    batch_id = await cells.submit([cells.at_home(1_000), cells.at_home(2_000)])
    await cells.drive()
    paid, refused = await cells.payments(batch_id)
    await cells.tell(paid, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    await cells.tell(refused, Event.RAIL_REFUSED, reason_code="AC04")
    await cells.drive()
    assert {one.status for one in (await cells.reconciled.report()).results} == {Status.HELD}
    await cells.reconciled.tamper(cells.eu, statement, batch_id)
    assert any(batch_id in one.subject and one.what.startswith(what) for one in await cells.reconciled.findings("L6"))
