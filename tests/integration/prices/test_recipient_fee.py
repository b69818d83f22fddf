"""Fees that the recipient pays (POST), through two cells' real journals and ledgers: what arrives, whose revenue it is, what comes back
of it, and that the ten invariants hold over all of it."""

from collections.abc import AsyncIterator

import pytest

from cells.backends.postgres import transaction
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.payments.machine import Event, State
from cells.reconciliation.report import Status
from cells.returns import store as store_returns
from tests.integration.payments.test_returns import back
from tests.support.reconciled_cells import Reconciled, open_reconciled
from tests.support.tariffs import circumstances, made, rule
from tests.support.two_cells import HandCell

IDR, EUR = 360, 978
ABROAD = made(rule("100 + bps(amount_minor, 20)", name="out"), rule("650050", "POST", name="in"))
AT_HOME = made(rule("20", name="out"), rule("35", "POST", name="in"), here=circumstances("EUR", "EUR", "sepa_instant"))


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        yield opened


async def held(cells: Reconciled) -> None:
    report = await cells.report()
    assert {one.status for one in report.results} == {Status.HELD}, report.to_json()


async def earned(cell: HandCell, currency: int) -> int:
    wanted = chart.platform(AccountType.FEE_REVENUE, currency)
    account = (await cell.ledger.lookup_accounts([wanted]))[wanted]
    return account.credits_posted - account.debits_posted


async def test_abroad_it_is_taken_off_where_it_arrives_and_is_that_cells_revenue(cells: Reconciled) -> None:
    transfer = await cells.abroad(tariff=ABROAD)
    assert (transfer.fee, transfer.recipient_fee) == (100 + 200, 650_000), "down to whole rupiah"
    assert transfer.payout_amount == transfer.target_amount - 650_000
    await cells.cross(cells.eu, cells.id)
    leg = await cells.id.transfer(transfer.transfer_id)
    assert (leg.recipient_fee, leg.payout_amount) == (650_000, transfer.payout_amount)
    assert await earned(cells.id, IDR) == 0, "held, until the rail has paid"
    report = await cells.report()
    assert report.ok, report.to_json()

    await cells.id.tell(leg, Event.RAIL_SETTLED, scheme_reference="BIFAST-1")
    await cells.cross(cells.id, cells.eu)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.COMPLETED
    assert await earned(cells.id, IDR) == 650_000
    assert await earned(cells.eu, EUR) == 300
    rail = chart.rail("bi_fast", IDR)
    assert (await cells.id.ledger.lookup_accounts([rail]))[rail].credits_posted == transfer.payout_amount
    await held(cells)


async def test_a_refused_payment_charges_nobody(cells: Reconciled) -> None:
    before = (await cells.eu.balance(cells.wallet))["available_minor"]
    transfer = await cells.abroad(tariff=ABROAD)
    assert (await cells.refund(transfer)).state is State.REFUNDED
    home = await cells.at_home(tariff=AT_HOME)
    await cells.eu.tell(home, Event.RAIL_REFUSED, reason_code="AC04")
    assert await earned(cells.id, IDR) == 0 == await earned(cells.eu, EUR)
    assert (await cells.eu.balance(cells.wallet))["available_minor"] == before
    await held(cells)


async def test_in_the_region_the_wallet_pays_the_whole_and_the_recipient_gets_the_rest(cells: Reconciled) -> None:
    before = (await cells.eu.balance(cells.wallet))["available_minor"]
    transfer = await cells.at_home(10_020, tariff=AT_HOME)
    assert (transfer.principal, transfer.fee, transfer.recipient_fee, transfer.payout_amount) == (10_000, 20, 35, 9_965)
    report = await cells.report()
    assert report.ok, report.to_json()
    await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    assert await earned(cells.eu, EUR) == 55
    rail = chart.rail("sepa_instant", EUR)
    assert (await cells.eu.ledger.lookup_accounts([rail]))[rail].credits_posted == 9_965
    assert (await cells.eu.balance(cells.wallet))["available_minor"] == before - 10_020
    await held(cells)


async def test_what_comes_back_is_what_arrived_and_the_recipients_fee_stays(cells: Reconciled) -> None:
    transfer = await cells.abroad(tariff=ABROAD)
    await cells.complete(transfer)
    too_much = await cells.id.receive_return(back(transfer, transfer.target_amount, "R-0"))
    assert list(too_much.refusals.values()) == ["AM02"], "more than arrived"
    before = (await cells.eu.balance(cells.wallet))["available_minor"]
    for reference, amount in (("R-1", 1_000_000), ("R-2", transfer.payout_amount - 1_000_000)):
        await cells.id.receive_return(back(transfer, amount, reference))
        await cells.cross(cells.id, cells.eu)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.RETURNED
    credited = (await cells.eu.balance(cells.wallet))["available_minor"] - before
    shares = [one * transfer.payout_amount // transfer.target_amount for one in (transfer.principal, transfer.margin)]
    assert credited == sum(shares)
    assert await earned(cells.id, IDR) == 650_000
    await held(cells)


async def test_a_policy_that_gives_the_fee_back_gives_the_payers_and_all_of_it(cells: Reconciled) -> None:
    transfer = await cells.abroad(tariff=ABROAD)
    await cells.complete(transfer)
    async with transaction(cells.eu.institution.pool) as connection:
        assert await store_returns.set_policy(connection, "EU", transfer.tenant_id, "original_and_fee")
    for reference, amount in (("R-1", 700), ("R-2", transfer.payout_amount - 700)):
        await cells.id.receive_return(back(transfer, amount, reference))
        await cells.cross(cells.id, cells.eu)
    booked = await cells.eu.returns(transfer.transfer_id)
    assert sum(one.fee_back for one in booked) == transfer.fee, "to the cent, although less came back than was paid out"
    assert (await earned(cells.eu, EUR), await earned(cells.id, IDR)) == (0, 650_000)
    await held(cells)


async def test_a_whole_return_in_the_region_gives_back_what_arrived(cells: Reconciled) -> None:
    transfer = await cells.at_home(tariff=AT_HOME)
    await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    before = (await cells.eu.balance(cells.wallet))["available_minor"]
    await cells.eu.receive_return(back(transfer, transfer.payout_amount, "H-1"))
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.RETURNED
    assert (await cells.eu.balance(cells.wallet))["available_minor"] == before + 9_965
    assert await earned(cells.eu, EUR) == 55
    await held(cells)


@pytest.mark.writes_by_hand
async def test_a_fee_that_its_quote_did_not_promise_is_found(cells: Reconciled) -> None:
    transfer = await cells.at_home(tariff=AT_HOME)
    await cells.tamper(
        cells.eu, "update transfers set recipient_fee = recipient_fee + 1 where transfer_id = $1", transfer.transfer_id
    )
    found = await cells.findings("L5")
    assert {one.what for one in found} >= {"recipient's fee of the transfer against its quote"}
