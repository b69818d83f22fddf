"""Two cells with one payment made, for whoever changes their record."""

from collections.abc import AsyncIterator

import pytest

from cells.payments.transfer import Transfer
from cells.reconciliation.report import Status
from tests.support.reconciled_cells import Reconciled, open_reconciled


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        yield opened


@pytest.fixture
async def paid(cells: Reconciled) -> Transfer:
    """One payment that has reached Indonesia; everything at rest, and found in order."""
    transfer = await cells.complete(await cells.abroad())
    report = await cells.report()
    assert {one.status for one in report.results} == {Status.HELD}, report.to_json()
    return transfer
