"""Whoever changes the record, even with the superuser's hand, is found, and what was changed is named."""

from uuid import UUID

import pytest

from cells.kit.money import CURRENCIES, amount_text
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.ledger.codes import Code, Leg, Phase, Step
from cells.ledger.entry import Posting, PostingFlag, PostingResult
from cells.payments.transfer import Transfer
from cells.reconciliation.report import Finding
from residency.ids import mint, number
from tests.support.reconciled_cells import Reconciled
from tests.support.two_cells import HandCell

EUR, IDR = CURRENCIES["EUR"].number, CURRENCIES["IDR"].number
EU, ID = 1, 3


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


async def ledger_posting(cell: HandCell, debit: int, credit: int, amount: int, payment: int, code: Code) -> Posting:
    """Put a posting into the ledger that no journal knows."""
    posting = Posting(
        id=chart.posting_id(payment, Leg.HOUSE, Step.S1, Phase.DIRECT, 9), debit_account_id=debit, credit_account_id=credit,
        amount=amount, ledger=credit & 0xFFFFFF, code=code, user_data_128=payment,
    )  # fmt: skip
    assert await cell.ledger.create_postings([posting]) == [PostingResult.CREATED]
    return posting


@pytest.mark.writes_by_hand
@pytest.mark.parametrize("column", ["fee", "margin"])
async def test_a_changed_charge_names_the_transfer(cells: Reconciled, paid: Transfer, column: str) -> None:
    await cells.tamper(
        cells.eu, f"update transfers set {column} = {column} + 50 where transfer_id = $1", paid.transfer_id
    )
    found = [one for one in await cells.findings("L5") if one.subject == paid.transfer_id]
    charged = getattr(paid, column)
    assert any(
        f"{column} of the transfer" in one.what
        and (one.expected, one.found) == tuple(amount_text(minor, "EUR") for minor in (charged, charged + 50))
        for one in found
    )


@pytest.mark.writes_by_hand
@pytest.mark.parametrize("column", ["principal", "target_amount"])
async def test_a_changed_amount_names_the_transfer(cells: Reconciled, paid: Transfer, column: str) -> None:
    await cells.tamper(
        cells.eu, f"update transfers set {column} = {column} + 100 where transfer_id = $1", paid.transfer_id
    )
    assert {one.subject for one in await cells.findings("L4")} == {paid.transfer_id}


@pytest.mark.writes_by_hand
async def test_an_ending_that_the_other_cell_does_not_know_is_named(cells: Reconciled, paid: Transfer) -> None:
    await cells.tamper(cells.id, "update transfers set state = 'PENDING_RAIL' where transfer_id = $1", paid.transfer_id)
    found = await cells.findings("L4")
    assert {one.subject for one in found} == {paid.transfer_id}
    assert any(one.cells == ("eu-1", "id-1") and one.what == "the two legs" for one in found)


@pytest.mark.writes_by_hand
async def test_a_leg_that_nobody_instructed_is_named(cells: Reconciled, paid: Transfer) -> None:
    await cells.tamper(cells.eu, "delete from transfers where transfer_id = $1", paid.transfer_id)
    assert any(one.subject == paid.transfer_id and one.cells == ("id-1", "eu-1") for one in await cells.findings("L4"))


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "update customs_log set envelope_sha256 = sha256('x') where direction = 'exported'",
            ("position 1", "customs entry 1 from"),
        ),
        ("delete from customs_log where direction = 'exported'", ("position 2", "customs entry 1 from")),
        ("delete from customs_log where direction = 'admitted'", ("position 2",)),
        ("update customs_head set hash = sha256('x')", ("position 3",)),
    ],
)
async def test_a_changed_customs_log_is_named_at_its_entry(
    cells: Reconciled, paid: Transfer, statement: str, named: tuple[str, ...]
) -> None:
    await cells.tamper(cells.eu, statement)
    found = await cells.findings("L7")
    for text in named:
        assert any(text in one.subject for one in found), found


async def test_a_log_rewritten_as_a_whole_still_differs_from_the_peers(cells: Reconciled, paid: Transfer) -> None:
    """The chain of hashes can be made anew by whoever owns the database; the other cell's log cannot."""
    await cells.tamper(cells.id, "update customs_log set envelope_sha256 = sha256('x') where direction = 'admitted'")
    found = await cells.findings("L7")
    assert any(
        one.cells == ("eu-1", "id-1") and paid.transfer_id in one.subject and one.found == "other-bytes"
        for one in found
    )


async def test_an_extra_posting_on_a_mirrored_position_names_cell_currency_and_posting(
    cells: Reconciled, paid: Transfer
) -> None:
    fx, settlement = chart.platform(AccountType.FX_POSITION, IDR), chart.settlement(ID, IDR)
    extra = await ledger_posting(cells.eu, fx, settlement, 777, number(mint("tr", "eu-1")), Code.DEALING)
    found = await cells.findings("L8")
    own = only([one for one in found if one.cells == ("eu-1",)])
    assert "IDR with id-1" in own.subject
    assert (own.expected, own.found) == tuple(amount_text(paid.target_amount + one, "IDR") for one in (0, 777))
    assert any(one.cells == ("eu-1", "id-1") for one in found)
    assert f"{extra.id:032x}" in only(await cells.findings("L6")).subject


async def test_a_wallet_credited_from_nowhere_is_named_and_its_posting_too(cells: Reconciled, paid: Transfer) -> None:
    wallet = chart.wallet(cells.wallet.owner_number, EUR)
    equity = chart.platform(AccountType.EQUITY, EUR)
    extra = await ledger_posting(cells.eu, equity, wallet, 900_000, number(paid.transfer_id), Code.BOOK)
    found = await cells.findings("L9")
    credited = only([one for one in found if cells.wallet.wallet_id in one.subject])
    assert (credited.expected, credited.found) == ("4000.00 EUR", "13000.00 EUR")
    assert any("what is owed to tenants" in one.what for one in found)
    stray = only(await cells.findings("L6"))
    assert f"{extra.id:032x}" in stray.subject
    assert paid.transfer_id in stray.subject


async def test_prefunding_is_no_cover_for_other_money(cells: Reconciled, paid: Transfer) -> None:
    """A posting with the house's own code is only the house's between a peer's position and its cap."""
    wallet = chart.wallet(cells.wallet.owner_number, EUR)
    await ledger_posting(cells.eu, chart.platform(AccountType.EQUITY, EUR), wallet, 5, 77, Code.CAP)
    assert "posting" in only(await cells.findings("L6")).subject


async def test_money_left_in_a_passage_is_named(cells: Reconciled, paid: Transfer) -> None:
    passage = chart.platform(AccountType.PENDING_OUTBOUND, EUR)
    await ledger_posting(cells.eu, chart.platform(AccountType.EQUITY, EUR), passage, 5, 77, Code.IN_REGION)
    found = only(await cells.findings("L3"))
    assert "PENDING_OUTBOUND EUR" in found.subject
    assert (found.expected, found.found) == ("0.00 EUR", "0.05 EUR")


async def test_a_hold_for_no_payment_on_its_way_is_named(cells: Reconciled, paid: Transfer) -> None:
    wallet, fee = chart.wallet(cells.wallet.owner_number, EUR), chart.platform(AccountType.FEE_REVENUE, EUR)
    payment = number(paid.transfer_id)
    hold = Posting(
        chart.posting_id(payment, Leg.ORIGIN, Step.S3, Phase.HOLD, 5), wallet, fee, 10, EUR, Code.FEE,
        PostingFlag.PENDING, user_data_128=payment,
    )  # fmt: skip
    assert await cells.eu.ledger.create_postings([hold]) == [PostingResult.CREATED]
    assert any(f"{hold.id:032x}" in one.subject for one in await cells.findings("L3"))
    assert any("FEE pending" in one.what for one in await cells.findings("L5"))


@pytest.mark.parametrize("figure", ["credits_posted", "debits_pending"])
async def test_an_account_whose_balance_was_written_by_hand_is_named(
    cells: Reconciled, paid: Transfer, figure: str
) -> None:
    fee = chart.platform(AccountType.FEE_REVENUE, EUR)
    await cells.tamper(cells.eu, f"update ledger.accounts set {figure} = {figure} + 9 where id = $1", UUID(int=fee))
    found = await cells.findings("L1")
    assert any(one.subject == "ledger EUR" for one in found)
    assert any("FEE_REVENUE EUR" in one.subject for one in found)


async def test_an_overdrawn_account_is_named(cells: Reconciled, paid: Transfer) -> None:
    """The engine and the table both refuse it, so both are switched off first."""
    suspense = chart.platform(AccountType.SUSPENSE, EUR)
    await cells.tamper(
        cells.eu, "update ledger.accounts set debits_posted = 4, flags = flags & ~2 where id = $1", UUID(int=suspense)
    )
    found = only(await cells.findings("L2"))
    assert "SUSPENSE EUR" in found.subject
    assert found.found == "-0.04 EUR"


@pytest.mark.writes_by_hand
async def test_a_quote_used_twice_is_named_with_both_transfers(cells: Reconciled, paid: Transfer) -> None:
    other = await cells.complete(await cells.abroad(20_000))
    # The unique key stands in the way of one tenant's two uses: so under another tenant's name.
    await cells.tamper(
        cells.eu,
        "update transfers set quote_id = $1, tenant_id = $2 where transfer_id = $3",
        paid.quote_id, cells.cells.stranger.tenant_id, other.transfer_id,
    )  # fmt: skip
    found = await cells.findings("L10")
    assert any(
        paid.transfer_id in one.subject and other.transfer_id in one.subject and one.found == "2" for one in found
    )
    assert any(other.quote_id in one.subject and "took the quote" in one.what for one in found)


async def test_a_quote_that_lost_its_transfer_is_named(cells: Reconciled, paid: Transfer) -> None:
    await cells.tamper(
        cells.eu, "update quotes set transfer_id = null, used_at = null where quote_id = $1", paid.quote_id
    )
    found = only(await cells.findings("L10"))
    assert paid.quote_id in found.subject
    assert paid.transfer_id in found.subject


async def test_tampering_is_found_while_payments_move(cells: Reconciled, paid: Transfer) -> None:
    await cells.abroad(15_000)
    await cells.at_home()
    changed = chart.posting_id(number(paid.transfer_id), Leg.ORIGIN, Step.S1, Phase.POST, 1)
    await cells.tamper(cells.eu, "update ledger.postings set amount = amount - 1 where id = $1", UUID(int=changed))
    assert f"{changed:032x}" in only(await cells.findings("L6")).subject
