"""Batches over two cells' real journals and ledgers, moved by hand: funding, lines, what comes back, and what a crash leaves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from cells.batches import funding, room
from cells.batches.batch import State
from cells.kit.money import amount_text
from cells.ledger import chart
from cells.ledger.codes import Code
from cells.ledger.entry import Posting, PostingResult
from cells.ledger.ledger import Ledger, LedgerUnknown
from cells.payments.machine import Event
from cells.payments.machine import State as PaymentState
from cells.rails.rail import ReturnReceived, end_to_end_id, transaction_id
from cells.reconciliation.report import Status
from residency.ids import mint
from tests.integration.payments.test_transfer_recovery import LosesAnAnswer
from tests.integration.reconcile.test_reconcile_tampering import ledger_posting
from tests.support.asking import cancel_command
from tests.support.batch_cells import BatchCells, open_batch_cells


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[BatchCells]:
    async with open_batch_cells(cell_database) as opened:
        yield opened


async def in_order(cells: BatchCells) -> None:
    report = await cells.reconciled.report()
    assert {one.status for one in report.results} <= {Status.HELD, Status.IN_FLIGHT}, report.to_json()
    assert report.ok


async def test_a_batch_is_funded_once_paid_line_by_line_and_leaves_the_reserve_empty(cells: BatchCells) -> None:
    batch_id = await cells.submit([cells.at_home(1_000), cells.abroad(2_000), cells.at_home(3_000)])
    await cells.drive()
    batch = await cells.batch(batch_id)
    assert (batch.state, batch.funding_minor) == (State.PROCESSING, 6_000)
    assert await cells.balance() == 500_000 - 6_000
    assert await cells.reserve() == (6_000, 6_000)
    await in_order(cells)

    await cells.settle_all(batch_id)
    await cells.drive()
    batch = await cells.batch(batch_id)
    assert (batch.state, batch.remainder_minor) == (State.COMPLETED, 0)
    assert await cells.balance() == 500_000 - 6_000
    assert await cells.reserve() == (0, 0)
    assert await cells.events() == ["batch.completed"]
    await in_order(cells)


async def test_bad_and_refused_lines_stop_no_other_and_their_money_comes_back(cells: BatchCells) -> None:
    unknown = cells.abroad(5_000)._replace(recipient_id="rcp_id1_" + "0" * 26 + ".IDR." + "A" * 86)
    batch_id = await cells.submit([cells.at_home(1_000), unknown, cells.at_home(2_000), cells.at_home(1)])
    await cells.drive()
    assert (await cells.batch(batch_id)).funding_minor == 3_000
    first, second = await cells.payments(batch_id)
    await cells.tell(first, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    await cells.drive()
    assert (await cells.batch(batch_id)).state is State.PROCESSING
    await cells.tell(second, Event.RAIL_REFUSED, reason_code="AC04")
    await cells.drive()
    batch = await cells.batch(batch_id)
    assert (batch.state, batch.remainder_minor) == (State.PARTIALLY_COMPLETED, 2_000)
    assert await cells.balance() == 500_000 - 1_000
    assert await cells.reserve() == (0, 0)
    lines = await cells.lines(batch_id)
    assert [one.state for one in lines] == ["COMPLETED", "INVALID", "REFUNDED", "INVALID"]
    assert [one.fault.code for one in lines if one.fault] == ["unknown-recipient", "amount-too-small"]
    assert [one.fault.pointer for one in lines if one.fault] == ["/recipient_id", "/source/value"]
    assert await cells.events() == ["batch.partially_completed"]
    await in_order(cells)


async def test_without_the_funds_nothing_is_moved(cells: BatchCells) -> None:
    batch_id = await cells.submit([cells.at_home(300_000), cells.at_home(300_000)])
    await cells.drive()
    batch = await cells.batch(batch_id)
    assert batch.state is State.FAILED
    assert batch.fault is not None
    assert batch.fault.code == "insufficient-funds"
    assert batch.funding_minor is not None
    assert batch.fault.detail.startswith(
        f"{amount_text(batch.funding_minor - 500_000, 'EUR')} is missing. Fund the wallet"
    )
    assert await cells.payments(batch_id) == []
    assert [one.state for one in await cells.lines(batch_id)] == ["NOT_SENT", "NOT_SENT"]
    assert await cells.balance() == 500_000
    assert await cells.reserve() == (0, 0)
    assert await cells.events() == ["batch.failed"]
    await in_order(cells)


@pytest.mark.parametrize("all_or_nothing", [True, False])
async def test_all_or_nothing_is_the_partners_choice(cells: BatchCells, all_or_nothing: bool) -> None:
    batch_id = await cells.submit([cells.at_home(1_000), cells.at_home(1)], all_or_nothing=all_or_nothing)
    await cells.drive()
    batch = await cells.batch(batch_id)
    assert batch.state is (State.FAILED if all_or_nothing else State.PROCESSING)
    assert len(await cells.payments(batch_id)) == (0 if all_or_nothing else 1)


async def test_a_batch_without_a_valid_line_fails(cells: BatchCells) -> None:
    batch_id = await cells.submit([cells.at_home(1), cells.at_home(2)])
    await cells.drive()
    batch = await cells.batch(batch_id)
    assert (batch.state, batch.fault and batch.fault.code) == (State.FAILED, "no-valid-line")
    await in_order(cells)


@pytest.mark.writes_by_hand
async def test_a_scheduled_batch_waits_for_its_time_and_is_priced_then(cells: BatchCells) -> None:
    batch_id = await cells.submit([cells.abroad(1_000)], scheduled_for=datetime.now(UTC) + timedelta(hours=1))
    await cells.drive()
    batch = await cells.batch(batch_id)
    assert (batch.state, batch.funding_minor) == (State.SCHEDULED, None)
    assert [one.source_minor for one in await cells.lines(batch_id)] == [None]
    await cells.reconciled.tamper(
        cells.eu, "update batches set scheduled_for = now() - interval '1 second' where batch_id = $1", batch_id
    )
    await cells.drive()
    batch = await cells.batch(batch_id)
    assert (batch.state, batch.funding_minor) == (State.PROCESSING, 1_000)


async def test_a_frozen_line_leaves_the_reserve_for_the_blocked_account(cells: BatchCells) -> None:
    listed = await cells.eu.payer(cells.reconciled.cells.tenant, "Kovra Sandbox Blocked")
    batch_id = await cells.submit([cells.at_home(1_000), cells.at_home(2_000)._replace(payer_id=listed)])
    await cells.drive()
    clear, blocked = await cells.payments(batch_id)
    assert blocked.state is PaymentState.BLOCKED
    assert await cells.reserve() == (1_000, 1_000)
    await cells.tell(clear, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    await cells.drive()
    batch = await cells.batch(batch_id)
    assert (batch.state, batch.remainder_minor) == (State.PARTIALLY_COMPLETED, 0)
    assert await cells.balance() == 500_000 - 3_000
    await in_order(cells)


async def test_the_partner_cancels_one_line_and_a_return_goes_to_the_wallet(cells: BatchCells) -> None:
    batch_id = await cells.submit([cells.at_home(1_000), cells.abroad(2_000)])
    await cells.drive()
    home, abroad = await cells.payments(batch_id)
    await cells.eu.ask(cancel_command(abroad))
    assert await cells.reserve() == (3_000, 1_000)
    await cells.tell(home, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    await cells.drive()
    batch = await cells.batch(batch_id)
    assert (batch.state, batch.remainder_minor) == (State.PARTIALLY_COMPLETED, 2_000)
    e2e = end_to_end_id(home.transfer_id)
    came = ReturnReceived(
        "sepa_instant", "RTR-1", e2e, transaction_id(e2e), home.principal, "EUR", "AC04", datetime.now(UTC)
    )
    await cells.eu.receive_return(came)
    assert await cells.balance() == 500_000 - home.fee
    assert await cells.reserve() == (0, 0)
    await in_order(cells)


class BreaksAt(LosesAnAnswer):
    """Loses the answer to the n-th request."""

    def __init__(self, ledger: Ledger, number: int, breaks: str) -> None:
        super().__init__(ledger)
        self._left, self._how = number, breaks

    async def create_postings(self, postings: Sequence[Posting]) -> list[PostingResult]:
        self._left -= 1
        self.breaks = self._how if self._left == 0 else None
        return await super().create_postings(postings)


async def one_step(cells: BatchCells, batch_id: str) -> None:
    """The worker's round, the sweep's, and then the rails' word on what they have: paid at home, cancelled abroad."""
    if await cells.worker.round():
        return
    await cells.resume(batch_id)
    for one in await cells.payments(batch_id):
        if one.state is PaymentState.PENDING_RAIL:
            await cells.tell(one, Event.RAIL_SETTLED, scheme_reference="SCT-1")
        elif one.state is PaymentState.FUNDS_HELD:
            await cells.eu.ask(cancel_command(one, mint("req", "eu-1")))


async def test_two_workers_at_once_do_each_step_once(cells: BatchCells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(funding, "CHUNK", 2)
    monkeypatch.setattr(room, "CHUNK", 2)
    batch_id = await cells.submit([cells.at_home(1_000) for _ in range(7)])
    first = cells.worker
    cells.restart()
    while any(await asyncio.gather(first.round(), cells.worker.round())):
        pass
    assert len(await cells.payments(batch_id)) == 7
    assert await cells.reserve() == (7_000, 7_000)
    await cells.settle_all(batch_id)
    while any(await asyncio.gather(first.round(), cells.worker.round())):
        pass
    assert (await cells.batch(batch_id)).state is State.COMPLETED
    assert await cells.balance() == 500_000 - 7_000
    assert await cells.events() == ["batch.completed"]
    await in_order(cells)


@pytest.mark.parametrize("breaks", ["before", "after"])
@pytest.mark.parametrize("request_number", range(1, 8))
async def test_a_kill_at_any_ledger_request_pays_each_line_once(
    cells: BatchCells, monkeypatch: pytest.MonkeyPatch, request_number: int, breaks: str
) -> None:
    """Funding, two chunks, three endings, the remainder: whichever answer is lost, a new worker brings the batch to the same end."""
    monkeypatch.setattr(funding, "CHUNK", 2)
    monkeypatch.setattr(room, "CHUNK", 2)
    cells.eu.saga._ledger = BreaksAt(cells.eu.ledger, request_number, breaks)
    batch_id = await cells.submit([cells.at_home(1_000), cells.abroad(2_000), cells.at_home(3_000)])
    broken = 0
    while (await cells.batch(batch_id)).state is not State.PARTIALLY_COMPLETED:
        try:
            await one_step(cells, batch_id)
        except LedgerUnknown:
            broken += 1
            cells.restart()
    batch = await cells.batch(batch_id)
    assert (broken, batch.funding_minor, batch.remainder_minor) == (1, 6_000, 2_000)
    assert await cells.balance() == 500_000 - 4_000
    assert await cells.reserve() == (0, 0)
    assert await cells.events() == ["batch.partially_completed"]
    assert len(await cells.payments(batch_id)) == 3
    await in_order(cells)


@pytest.mark.writes_by_hand
@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            "update batches set funding_minor = funding_minor + 1 where batch_id = $1",
            "funding against the prices of its lines",
        ),
        ("update batches set remainder_minor = 1 where batch_id = $1", "what its lines have spent, at rest"),
        (
            "update batch_lines set source_minor = 1 where batch_id = $1 and line = 1",
            "funding against the prices of its lines",
        ),
        ("update transfers set batch_id = null where batch_id = $1 and leg = 'origin'", "payments that are its lines"),
        ("update batches set state = 'PROCESSING' where batch_id = $1", "remainder, before every line has ended"),
    ],
)
async def test_whoever_changes_the_record_of_a_batch_is_found(cells: BatchCells, statement: str, what: str) -> None:
    batch_id = await cells.submit([cells.at_home(1_000), cells.abroad(2_000)])
    await cells.drive()
    home, abroad = await cells.payments(batch_id)
    await cells.tell(home, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    await cells.reconciled.refund(abroad)
    await cells.drive()
    await in_order(cells)
    await cells.reconciled.tamper(cells.eu, statement, batch_id)
    found = await cells.reconciled.findings("L3")
    assert what in {one.what for one in found if one.subject == batch_id}


async def test_money_in_the_reserve_that_no_batch_knows_of_is_found(cells: BatchCells) -> None:
    await cells.submit([cells.at_home(1_000)])
    await cells.drive()
    wallet = chart.wallet(cells.reconciled.cells.tenant.owner_number, 978)
    rail = chart.rail("sepa_instant", 978)
    await ledger_posting(cells.eu, rail, chart.reserve(wallet), 100, 7 << 80, Code.BATCH_FUNDING)
    found = await cells.reconciled.findings("L3")
    assert [("BATCH_RESERVE" in one.subject, one.what, one.expected, one.found) for one in found] == [
        (True, "posted", "10.00 EUR", "11.00 EUR")
    ]
