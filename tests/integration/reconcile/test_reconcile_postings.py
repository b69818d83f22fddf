"""L6 by hand: whatever is changed in the ledger, or in what its postings follow from, is found, and the posting is named."""

from dataclasses import replace
from uuid import UUID

import pytest

from cells.backends.postgres import transaction
from cells.journal import store as journal
from cells.kit.money import amount_text
from cells.ledger import chart
from cells.ledger.codes import Leg, Phase, Step
from cells.ledger.entry import PostingResult
from cells.payments.lives import account_of, chain_of
from cells.payments.machine import Effect
from cells.payments.transfer import Transfer
from cells.reconciliation.report import Finding
from residency.ids import number
from tests.support.reconciled_cells import Reconciled

_ANOTHER = (
    "select id from ledger.accounts a where a.ledger = 978 and a.id <> credit_account_id order by id desc limit 1"
)


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("amount = amount + 1", "amount"),
        (f"debit_account_id = ({_ANOTHER})", "debit_account_id"),
        ("code = 21", "code"),
        ("flags = 0", "flags"),
        ("ledger = 840", "ledger"),
        ("pending_id = id", "pending_id"),
        ("user_data_64 = 1", "user_data_64"),
        ("user_data_32 = 7", "user_data_32"),
    ],
)
async def test_a_changed_posting_in_the_ledger_is_named_with_the_field(
    cells: Reconciled, paid: Transfer, change: str, field: str
) -> None:
    changed = chart.posting_id(number(paid.transfer_id), Leg.ORIGIN, Step.S1, Phase.HOLD, 1)
    await cells.tamper(cells.eu, f"update ledger.postings set {change} where id = $1", UUID(int=changed))
    found = [one for one in await cells.findings("L6") if f"posting {changed:032x}" in one.subject]
    assert field in {one.what.split()[0] for one in found}
    assert all(one.cells == ("eu-1",) and one.expected != one.found for one in found)


async def test_a_posting_that_says_it_is_of_another_payment_is_missing_in_its_own(
    cells: Reconciled, paid: Transfer
) -> None:
    changed = chart.posting_id(number(paid.transfer_id), Leg.ORIGIN, Step.S1, Phase.HOLD, 1)
    await cells.tamper(
        cells.eu, "update ledger.postings set user_data_128 = gen_random_uuid() where id = $1", UUID(int=changed)
    )
    found = [one for one in await cells.findings("L6") if f"{changed:032x}" in one.subject]
    assert any(one.found.startswith("none") for one in found), "no life asks for it there"
    assert any(paid.transfer_id in one.subject and one.what.startswith("user_data_128") for one in found)


@pytest.mark.writes_by_hand
@pytest.mark.parametrize(("leg", "step"), [(Leg.DESTINATION, Step.D2), (Leg.ORIGIN, Step.S1)])
async def test_a_posting_whose_chain_no_entry_asks_for_is_named(
    cells: Reconciled, paid: Transfer, leg: Leg, step: Step
) -> None:
    """Whoever takes the last entries of a life away, and turns its row back with them, is found by the ledger."""
    cell = cells.id if leg is Leg.DESTINATION else cells.eu
    async with transaction(cell.institution.pool) as connection:
        entries = (await journal.read(connection, cell.spec.region, [paid.transfer_id]))[paid.transfer_id]
    settled = next(one.version for one in entries if one.event in ("rail_settled", "settled"))
    await cells.tamper_many(cell, "delete from journal where stream = $1 and version >= $2", paid.transfer_id, settled)
    stray = chart.posting_id(number(paid.transfer_id), leg, step, Phase.DIRECT if step is Step.D2 else Phase.POST, 1)
    found = only([one for one in await cells.findings("L6") if f"{stray:032x}" in one.subject])
    assert found.cells == (cell.spec.name,)
    assert paid.transfer_id in found.subject
    assert found.found.startswith("none")


@pytest.mark.writes_by_hand
async def test_a_hold_that_the_journal_calls_refused_is_not_believed_against_the_ledger(
    cells: Reconciled, paid: Transfer
) -> None:
    held = chart.posting_id(number(paid.transfer_id), Leg.ORIGIN, Step.S4, Phase.HOLD, 1)
    await cells.tamper(
        cells.eu,
        "update journal set kind = 'transfer.hold_refused.1' where stream = $1 and kind = 'transfer.held.1'",
        paid.transfer_id,
    )
    found = [one for one in await cells.findings("L6") if f"{held:032x}" in one.subject]
    assert "the journal calls it failed" in only(found).expected


@pytest.mark.writes_by_hand
async def test_a_payment_without_its_stream_leaves_every_posting_of_it_without_a_life(
    cells: Reconciled, paid: Transfer
) -> None:
    await cells.tamper_many(cells.id, "delete from journal where stream = $1", paid.transfer_id)
    found = await cells.findings("L6")
    assert len(found) == len(
        [
            one
            for one in await cells.id.ledger.query_postings(limit=100)
            if one.user_data_128 == number(paid.transfer_id)
        ]
    )
    assert all(one.cells == ("id-1",) and paid.transfer_id in one.subject for one in found)


@pytest.mark.writes_by_hand
async def test_an_entry_whose_chain_the_ledger_has_not_got_is_named(cells: Reconciled, paid: Transfer) -> None:
    """The ledger is asked for nothing, and the record says that it has answered."""
    asked = await cells.abroad(20_000)
    await cells.tamper_many(
        cells.eu, "delete from ledger.postings where user_data_128 = $1", UUID(int=number(asked.transfer_id))
    )
    found = [one for one in await cells.findings("L6") if asked.transfer_id in one.subject]
    assert {one.what for one in found} == {"posting that the journal calls applied"}
    assert len(found) == 4


async def test_a_chain_that_was_asked_twice_under_other_ids_is_named(cells: Reconciled, paid: Transfer) -> None:
    """As a bug would that raised an attempt without a word of the ledger: the second hold is no life's."""
    numbers = {entry.name: entry.number for entry in cells.eu.spec.directory.cells.values()}
    again = chain_of(replace(paid, attempt=2), Effect.HOLD, account_of(cells.wallet), numbers)
    assert await cells.eu.ledger.create_postings(again) == [PostingResult.CREATED] * len(again)
    found = await cells.findings("L6")
    assert {one.subject.split()[1] for one in found} == {f"{one.id:032x}" for one in again}
    assert all(one.found.startswith("none") and paid.transfer_id in one.subject for one in found)


@pytest.mark.writes_by_hand
@pytest.mark.parametrize(
    "statement", ["update collections set amount = amount + 1", "update collections set rail = 'sepa_credit'"]
)
async def test_a_credit_that_is_not_what_the_ledger_booked_is_named(
    cells: Reconciled, paid: Transfer, statement: str
) -> None:
    await cells.tamper(cells.eu, statement)
    assert any("col_eu1" in one.subject for one in await cells.findings("L6"))


async def test_a_posting_missing_in_the_ledger_is_named_and_its_accounts_with_it(
    cells: Reconciled, paid: Transfer
) -> None:
    gone = chart.posting_id(number(paid.transfer_id), Leg.ORIGIN, Step.S3, Phase.POST, 1)
    await cells.tamper(cells.eu, "delete from ledger.postings where id = $1", UUID(int=gone))
    found = only(await cells.findings("L6"))
    assert f"{gone:032x}" in found.subject
    assert paid.transfer_id in found.subject
    assert (found.expected, found.found) == (f"{amount_text(paid.fee, 'EUR')} in the ledger", "none")
    accounts = await cells.findings("L1")
    assert any("FEE_REVENUE EUR" in one.subject for one in accounts)
