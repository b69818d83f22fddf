"""The rail that a payment leaves by, in the journal: chosen at acceptance or at admission, explained, and moved before it was asked."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cells.backends.postgres import tenant_transaction, transaction
from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.parties.models import BankAccount
from cells.payments import routed
from cells.payments.machine import Event, State
from cells.payments.routed import routing_of
from cells.payments.submissions import JournalDesk
from cells.payments.transfer import Transfer
from cells.rails import store as submissions
from cells.rails import store_routing
from cells.rails.profile_files import rail_profiles
from cells.rails.registry import connection_to, open_rail
from cells.rails.store import NewSubmission
from tests.support.two_cells import HandCell, TwoCells, open_two_cells

BCA = BankAccount(bank_code="014", account_number="1234567890")
GERMAN = BankAccount(iban="DE89370400440532013000")
WEDNESDAY = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[TwoCells]:
    async with open_two_cells(cell_database) as opened:
        yield opened


async def in_region(cells: TwoCells, deadline: datetime | None) -> Any:
    """The answer to EUR 100.20 within the EU."""
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    await cells.eu.deposit(wallet, 500_000, "sepa_instant")
    recipient = await cells.eu.recipient(cells.tenant, "EUR", GERMAN, "Jürgen Weiß")
    payer = await cells.eu.payer(cells.tenant)
    quote = await cells.eu.quote(cells.tenant, "EUR", "EUR", 10_020, "sepa_instant")
    command = cells.eu.acceptance(wallet, quote, recipient, payer)
    [answer] = await cells.eu.ask(replace(command, body=replace(command.body, deadline=deadline)))
    return answer


async def large(cells: TwoCells) -> Transfer:
    """A payment above what BI-FAST carries, admitted in Indonesia; its quote expected BI-FAST."""
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    await cells.eu.deposit(wallet, 5_000_000, "sepa_instant")
    recipient = await cells.id.recipient(cells.tenant, "IDR", BCA)
    payer = await cells.eu.payer(cells.tenant)
    quote = await cells.eu.quote(cells.tenant, "EUR", "IDR", 4_000_000, "bi_fast")
    answer = await cells.eu.accept(wallet, quote, recipient, payer)
    assert answer.status == 202, answer
    await cells.id.admit(await cells.eu.export())
    return await cells.id.transfer(answer.body["id"])


async def routing(cell: HandCell, transfer: Transfer, now: datetime = WEDNESDAY) -> dict[str, Any]:
    async with tenant_transaction(cell.api, transfer.tenant_id) as connection:
        return await routing_of(connection, cell.spec.region, rail_profiles(), transfer, now)


async def test_a_deadline_that_leaves_time_takes_the_cheap_rail_and_says_why(cells: TwoCells) -> None:
    deadline = datetime.now(UTC) + timedelta(days=6)
    answer = await in_region(cells, deadline)
    transfer = await cells.eu.transfer(answer.body["id"])
    assert transfer.rail == "sepa_credit_transfer"
    shown = await routing(cells.eu, transfer)
    assert (shown["rail"], shown["chosen_by"]) == ("sepa_credit_transfer", "eu-1")
    assert datetime.fromisoformat(shown["deadline"]) == deadline
    [choice] = shown["choices"]
    assert choice["cause"] == "accepted"
    assert [(one["rail"], one["verdict"], one["cost"]["value"]) for one in choice["candidates"]] == [
        ("sepa_instant", "possible", "0.20"),
        ("sepa_credit_transfer", "chosen", "0.05"),
    ]
    rail = chart.rail("sepa_credit_transfer", CURRENCIES["EUR"].number)
    await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    assert (await cells.eu.ledger.lookup_accounts([rail]))[rail].credits_posted == 10_000


async def test_a_closed_rail_is_shown_as_waiting_for_its_opening(cells: TwoCells) -> None:
    answer = await in_region(cells, datetime.now(UTC) + timedelta(days=6))
    transfer = await cells.eu.transfer(answer.body["id"])
    await enqueued(cells.eu, transfer)
    assert (await routing(cells.eu, transfer))["waits_for_opening"] is None
    saturday = WEDNESDAY + timedelta(days=3)
    assert (await routing(cells.eu, transfer, saturday))["waits_for_opening"] == "2026-11-23T06:00:00Z"


async def test_a_deadline_that_cannot_be_met_is_refused_with_nothing_moved(cells: TwoCells) -> None:
    answer = await in_region(cells, datetime.now(UTC))
    assert (answer.status, answer.body["code"]) == (422, "deadline-cannot-be-met")
    [wallet] = [await cells.eu.wallet(cells.tenant, "EUR")]
    assert await cells.eu.balance(wallet) == {"available_minor": 500_000, "held_minor": 0}


async def test_the_destination_chooses_and_the_origin_learns_which(cells: TwoCells) -> None:
    leg = await large(cells)
    assert (leg.rail, leg.state) == ("bi_rtgs", State.PENDING_RAIL)
    async with transaction(cells.id.institution.pool) as connection:
        [choice] = await store_routing.choices(connection, "ID", leg.transfer_id)
    assert (choice["cause"], choice["rail"]) == ("admitted", "bi_rtgs")
    assert [one["verdict"] for one in choice["candidates"]] == ["unfit", "chosen"]
    before = await routing(cells.eu, await cells.eu.transfer(leg.transfer_id))
    assert (before["rail"], before["expected_rail"], before["chosen_by"]) == ("bi_fast", "bi_fast", "id-1")
    await cells.id.tell(leg, Event.RAIL_SETTLED, scheme_reference="RTGS-1")
    await cells.eu.admit(await cells.id.export())
    done = await cells.eu.transfer(leg.transfer_id)
    assert done.state is State.COMPLETED
    assert (await routing(cells.eu, done))["rail"] == "bi_rtgs"


async def unreached(cells: TwoCells, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is registered from now on was registered before it was known which countries the schemes reach."""
    monkeypatch.setattr(cells.eu.institution.recipients, "_rails", ())
    monkeypatch.setitem(globals(), "GERMAN", BankAccount(iban="TR330006100519786457841326"))


async def test_an_account_that_no_scheme_reaches_is_not_paid_within_the_region(
    cells: TwoCells, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unreached(cells, monkeypatch)
    answer = await in_region(cells, None)
    assert (answer.status, answer.body["code"], answer.body["extra"]["reason_code"]) == (422, "no-route", "CNOR")
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    assert await cells.eu.balance(wallet) == {"available_minor": 500_000, "held_minor": 0}


async def test_an_account_that_no_scheme_reaches_is_refused_where_it_is_paid_out(
    cells: TwoCells, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unreached(cells, monkeypatch)
    answer = await abroad(cells, None)
    assert answer.status == 202, answer
    await cells.eu.admit(await cells.id.export())
    leg = await cells.eu.transfer(answer.body["id"])
    assert (leg.state, leg.reason_code) == (State.DESTINATION_REJECTED, "CNOR")


async def abroad(cells: TwoCells, within: timedelta | None) -> Any:
    """The answer to rupiahs from Indonesia for euros that shall arrive within that time."""
    wallet = await cells.id.wallet(cells.tenant, "IDR")
    await cells.id.deposit(wallet, 1_000_000_000, "bi_fast")
    recipient = await cells.eu.recipient(cells.tenant, "EUR", GERMAN, "Jürgen Weiß")
    payer = await cells.id.payer(cells.tenant)
    quote = await cells.id.quote(cells.tenant, "IDR", "EUR", 450_000_000, "sepa_instant")
    command = cells.id.acceptance(wallet, quote, recipient, payer)
    deadline = None if within is None else datetime.now(UTC) + within
    [answer] = await cells.id.ask(replace(command, body=replace(command.body, deadline=deadline)))
    return answer


@pytest.mark.parametrize(
    ("within", "rail"),
    [
        (None, "sepa_instant"),
        (timedelta(days=6), "sepa_credit_transfer"),
        # Nothing settles as soon as that: the money is on its way, and goes by the soonest.
        (timedelta(seconds=5), "sepa_instant"),
    ],
)
async def test_a_deadline_crosses_the_border_to_whoever_chooses_the_rail(
    cells: TwoCells, within: timedelta | None, rail: str
) -> None:
    answer = await abroad(cells, within)
    await cells.eu.admit(await cells.id.export())
    leg = await cells.eu.transfer(answer.body["id"])
    assert (leg.rail, leg.state) == (rail, State.PENDING_RAIL)
    assert (leg.deadline is None) == (within is None)
    here, there = await routing(cells.id, await cells.id.transfer(leg.transfer_id)), await routing(cells.eu, leg)
    assert here["deadline"] == there["deadline"]


async def test_a_deadline_in_the_past_is_refused_before_anything_crosses(cells: TwoCells) -> None:
    answer = await abroad(cells, timedelta(0))
    assert (answer.status, answer.body["code"]) == (422, "deadline-cannot-be-met")


async def enqueued(cell: HandCell, transfer: Transfer) -> None:
    async with transaction(cell.institution.pool) as connection:
        new = [NewSubmission(transfer.transfer_id, transfer.tenant_id)]
        await submissions.enqueue(connection, cell.spec.region, transfer.rail, new)


async def move(cell: HandCell, transfer: Transfer, to: str) -> set[str]:
    async with transaction(cell.institution.pool) as connection:
        return await routed.move(connection, cell.spec.region, transfer.rail, {transfer.transfer_id: to})


async def test_what_was_never_asked_moves_with_its_leg_and_settles_on_the_other_rail(cells: TwoCells) -> None:
    answer = await in_region(cells, None)
    transfer = await cells.eu.transfer(answer.body["id"])
    await enqueued(cells.eu, transfer)
    assert await move(cells.eu, transfer, "sepa_credit_transfer") == {transfer.transfer_id}
    assert await move(cells.eu, transfer, "sepa_credit_transfer") == set(), "it is with the other rail now"
    async with transaction(cells.eu.institution.pool) as connection:
        stale = await submissions.mark_asked(connection, "EU", "sepa_instant", [transfer.transfer_id])
        asked = await submissions.mark_asked(connection, "EU", "sepa_credit_transfer", [transfer.transfer_id])
    assert (list(stale), list(asked)) == ([], [transfer.transfer_id])
    moved = await cells.eu.transfer(transfer.transfer_id)
    assert moved.rail == "sepa_credit_transfer"
    await cells.eu.tell(moved, Event.RAIL_SETTLED, scheme_reference="SCT-2")
    found = await cells.eu.ledger.lookup_accounts([chart.rail(moved.rail, CURRENCIES["EUR"].number)])
    assert [one.credits_posted for one in found.values()] == [10_000]


async def test_the_desk_gives_a_payment_to_a_rail_that_meets_its_deadline_and_journals_why(cells: TwoCells) -> None:
    institution = cells.eu.institution
    answer = await in_region(cells, datetime.now(UTC) + timedelta(days=6))
    transfer = await cells.eu.transfer(answer.body["id"])
    await enqueued(cells.eu, transfer)
    rail = open_rail("sepa_credit_transfer", connection_to("sepa_credit_transfer", 1, "http://127.0.0.1:9", "unused"))
    desk = JournalDesk(cells.eu.spec, institution.pool, institution.vault, institution.router, rail, transfer.rail)
    moved = await desk.fall_back([transfer.transfer_id], datetime.now(UTC))
    assert moved == {"sepa_instant": [transfer.transfer_id]}
    assert await desk.fall_back([transfer.transfer_id], datetime.now(UTC)) == {}, "it has gone already"
    shown = await routing(cells.eu, await cells.eu.transfer(transfer.transfer_id))
    assert shown["rail"] == "sepa_instant"
    assert [(one["cause"], one["rail"]) for one in shown["choices"]] == [
        ("accepted", "sepa_credit_transfer"),
        ("fallback", "sepa_instant"),
    ]
    assert [one["verdict"] for one in shown["choices"][1]["candidates"]] == ["chosen", "unhealthy"]
    await rail.close()


async def test_acceptance_goes_round_a_rail_whose_circuit_is_open_on_record(cells: TwoCells) -> None:
    async with transaction(cells.eu.institution.pool) as connection:
        await store_routing.note_breaker(connection, "EU", "sepa_instant", "open")
    waits = await in_region(cells, None)
    assert (await cells.eu.transfer(waits.body["id"])).rail == "sepa_instant", "the other takes days"
    answer = await in_region(cells, datetime.now(UTC) + timedelta(days=10))
    assert (await cells.eu.transfer(answer.body["id"])).rail == "sepa_credit_transfer"


async def test_what_was_asked_never_moves(cells: TwoCells) -> None:
    answer = await in_region(cells, None)
    transfer = await cells.eu.transfer(answer.body["id"])
    await enqueued(cells.eu, transfer)
    async with transaction(cells.eu.institution.pool) as connection:
        await submissions.mark_asked(connection, "EU", "sepa_instant", [transfer.transfer_id])
    assert await move(cells.eu, transfer, "sepa_credit_transfer") == set()
    assert (await cells.eu.transfer(transfer.transfer_id)).rail == "sepa_instant"
