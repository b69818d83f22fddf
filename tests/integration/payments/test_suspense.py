"""Money that matches no wallet: it rests, is assigned once or goes back once, whatever breaks in between, and the books say so."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from actors.workers.sweep import deposit_command
from cells.backends.postgres import transaction
from cells.credits.receive import Reception, receive
from cells.events import feed
from cells.journal.entry import Author
from cells.kit.command import Command
from cells.ledger.ledger import LedgerUnknown
from cells.rails import store_collections
from cells.rails.rail import Account, Collection, InDoubt, Outcome, Party, Refused, Settled
from cells.rails.store_collections import CollectionRow
from cells.reconciliation.report import Status
from cells.resolutions import decide
from cells.resolutions import store as store_orders
from cells.resolutions.resolution import AlreadyOrdered, NotSuspended, Order, WrongWallet
from tests.integration.payments.test_transfer_recovery import LosesAnAnswer
from tests.support.reconciled_cells import Reconciled, open_reconciled

BY = Author("operator:ana.ops")

NOBODY = Account("iban", "DE89370400440532013000")
NOW = datetime.now(UTC)
AMOUNT = 70_000


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        opened.eu.saga._ledger = LosesAnAnswer(opened.eu.ledger)
        yield opened


def credit(reference: str = "IN-1", account: Account = NOBODY, amount: int = AMOUNT, **more: str) -> Collection:
    debtor = Party("Müller & Söhne GmbH", Account("iban", "FR1420041010050500013M02606"))
    rail = more.pop("rail", "sepa_credit_transfer")
    return Collection(rail, reference, "NOTPROVIDED", amount, "EUR", debtor, account, "Invoice 4711", NOW)


async def came(cells: Reconciled, one: Collection) -> Reception:
    institution = cells.eu.institution
    async with transaction(institution.pool) as connection:
        return await receive(connection, cells.eu.spec.entry, institution.vault, [one], b"<message/>")


async def rests(cells: Reconciled, reference: str = "IN-1") -> CollectionRow:
    """A credit for nobody, at rest in suspense."""
    reception = await came(cells, credit(reference))
    assert reception.refusals == {}
    await cells.eu.ask(*(deposit_command(row) for row in reception.open))
    return await found(cells, reception.rows[0].collection_id)


async def found(cells: Reconciled, collection_id: str) -> CollectionRow:
    async with transaction(cells.eu.institution.pool) as connection:
        return (await store_collections.find(connection, "EU", [collection_id]))[collection_id]


async def assign(cells: Reconciled, row: CollectionRow, wallet_id: str = "") -> Order:
    async with transaction(cells.eu.institution.pool) as connection:
        return await decide.assign(
            connection, cells.eu.spec.entry, row.collection_id, wallet_id or cells.wallet.wallet_id, BY
        )


async def give_back(cells: Reconciled, row: CollectionRow, *, of_wallets: bool = False) -> Order:
    async with transaction(cells.eu.institution.pool) as connection:
        return await decide.give_back(connection, cells.eu.spec.entry, row.collection_id, "", BY, of_wallets=of_wallets)


async def carry_out(cells: Reconciled, order: Order) -> Order:
    """As the sweep: whatever the order stands at."""
    await cells.eu.ask((await standing(cells, order)).command("again"))
    return await standing(cells, order)


async def standing(cells: Reconciled, order: Order) -> Order:
    async with transaction(cells.eu.institution.pool) as connection:
        return (await store_orders.load(connection, "EU", [order.order_id]))[order.order_id]


async def scheme_says(cells: Reconciled, order: Order, outcome: Outcome) -> Order:
    async with transaction(cells.eu.institution.pool) as connection:
        await store_orders.answered(connection, "EU", [(order.order_id, outcome)], BY)
    return await carry_out(cells, order)


async def held(cells: Reconciled) -> None:
    """All invariants, of this cell alone as far as they can be told of one."""
    report = await cells.report()
    assert {one.status for one in report.results} == {Status.HELD}, report.to_json()


async def in_flight(cells: Reconciled) -> None:
    report = await cells.report()
    assert report.ok, report.to_json()
    assert not report.at_rest


async def available(cells: Reconciled) -> int:
    return int((await cells.eu.balance(cells.wallet))["available_minor"])


async def test_it_rests_where_the_scheme_lets_nobody_refuse_and_is_refused_elsewhere(cells: Reconciled) -> None:
    row = await rests(cells)
    assert (row.state, row.reason_code, row.tenant_id) == ("suspended", "AC01", "cell:eu-1")
    assert row.debtor_subject_id == row.collection_id
    refused = await came(cells, credit("IN-2", rail="sepa_instant"))
    assert refused.refusals == {"IN-2": "AC01"}
    assert await available(cells) == 500_000
    await held(cells)


async def test_money_for_a_closed_wallet_rests_too(cells: Reconciled) -> None:
    account = Account("iban", cells.wallet.account_number)
    async with transaction(cells.eu.institution.pool) as connection:
        await connection.execute("update wallets set state = 'closed' where wallet_id = $1", cells.wallet.wallet_id)
    reception = await came(cells, credit(account=account))
    assert reception.refusals == {}
    await cells.eu.ask(*(deposit_command(row) for row in reception.open))
    row = await found(cells, reception.rows[0].collection_id)
    assert (row.state, row.reason_code) == ("suspended", "AC04")
    with pytest.raises(WrongWallet):
        await assign(cells, row)
    assert await available(cells) == 500_000


async def test_a_duplicate_is_answered_as_the_first_whatever_has_become_of_it(cells: Reconciled) -> None:
    row = await rests(cells)
    for _ in range(2):
        again = await came(cells, credit())
        assert (again.refusals, again.open, again.rows[0].collection_id) == ({}, [], row.collection_id)
    assert (await came(cells, credit(amount=1))).refusals == {"IN-1": "AM05"}
    order = await carry_out(cells, await assign(cells, row))
    assert order.state == "done"
    again = await came(cells, credit())
    assert (again.refusals, again.open) == ({}, [])
    assert await available(cells) == 500_000 + AMOUNT


async def test_it_is_assigned_once_and_its_tenant_told(cells: Reconciled) -> None:
    row = await rests(cells)
    order = await assign(cells, row)
    with pytest.raises(AlreadyOrdered):
        await assign(cells, row)
    with pytest.raises(AlreadyOrdered):
        await give_back(cells, row)
    await in_flight(cells)
    for _ in range(3):
        assert (await carry_out(cells, order)).state == "done"
    with pytest.raises(NotSuspended):
        await assign(cells, row)
    assert await available(cells) == 500_000 + AMOUNT
    assert (await found(cells, row.collection_id)).wallet_id == cells.wallet.wallet_id
    async with transaction(cells.eu.institution.pool) as connection:
        told = await feed.read_resources(connection, cells.eu.spec.region, [row.collection_id])
    assert [one.event_type for one in told] == ["wallet.credited"]
    await held(cells)


async def test_two_who_order_at_once_are_one_order(cells: Reconciled) -> None:
    row = await rests(cells)
    made = await asyncio.gather(assign(cells, row), give_back(cells, row), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == ["AlreadyOrdered", "Order"]


async def test_another_currency_a_peers_wallet_or_none_is_refused(cells: Reconciled) -> None:
    row = await rests(cells)
    kronor = await cells.eu.wallet(cells.cells.tenant, "SEK")
    async with transaction(cells.eu.institution.pool) as connection:
        peers = await connection.fetchval(
            "select wallet_id from wallets where tenant_id = 'cell:id-1' and currency = 'EUR'"
        )
    for wallet_id in (kronor.wallet_id, peers, "wal_eu1_00000000000000000000000000"):
        with pytest.raises(WrongWallet):
            await assign(cells, row, wallet_id)
    credited = await cells.deposit(1_000)
    with pytest.raises(NotSuspended):
        await assign(cells, await found(cells, credited.collection_id))
    await held(cells)


async def test_it_goes_back_once_the_scheme_has_taken_it(cells: Reconciled) -> None:
    row = await rests(cells)
    order = await carry_out(cells, await give_back(cells, row))
    assert (order.state, order.reason_code) == ("held", "AC01")
    assert (await carry_out(cells, order)).state == "held"
    await in_flight(cells)
    assert (await scheme_says(cells, order, InDoubt(NOW))).version == order.version, (
        "when it is asked again is in no entry"
    )
    async with transaction(cells.eu.institution.pool) as connection:
        assert await connection.fetchval("select asked = 1 and due_at > now() from orders")
    await in_flight(cells)
    async with transaction(cells.eu.institution.pool) as connection:
        await store_orders.answered(connection, "EU", [(order.order_id, Settled("X", NOW))], BY)
    await in_flight(cells)
    order = await carry_out(cells, order)
    assert (order.state, order.outcome) == ("done", "settled")
    assert (await found(cells, row.collection_id)).state == "returned"
    with pytest.raises(NotSuspended):
        await give_back(cells, row)
    await held(cells)


async def test_what_the_scheme_will_not_take_back_rests_again(cells: Reconciled) -> None:
    row = await rests(cells)
    first = await carry_out(cells, await give_back(cells, row))
    first = await scheme_says(cells, first, Refused("AG01", "No.", NOW))
    assert (first.state, first.outcome, first.answer_code) == ("done", "refused", "AG01")
    assert (await found(cells, row.collection_id)).state == "suspended"
    await held(cells)
    second = await carry_out(cells, await assign(cells, row))
    assert (second.number, second.state) == (2, "done")
    assert await available(cells) == 500_000 + AMOUNT
    await held(cells)


async def test_a_credited_one_goes_back_out_of_the_wallet_or_fails_for_want_of_funds(cells: Reconciled) -> None:
    deposit = await cells.deposit(30_000)
    row = await found(cells, deposit.collection_id)
    with pytest.raises(NotSuspended):
        await give_back(cells, row)
    order = await carry_out(cells, await give_back(cells, row, of_wallets=True))
    assert await available(cells) == 500_000
    await in_flight(cells)
    await scheme_says(cells, order, Settled("X", NOW))
    assert await available(cells) == 500_000
    await held(cells)
    other = await found(cells, (await cells.deposit(30_000)).collection_id)
    await cells.at_home(520_000)
    order = await carry_out(cells, await give_back(cells, other, of_wallets=True))
    assert (order.state, order.answer_code) == ("failed", "AM04")
    assert (await found(cells, other.collection_id)).state == "credited"
    assert (await cells.report()).ok


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_a_kill_between_journal_and_ledger_at_every_step(cells: Reconciled, breaks: str) -> None:
    ledger: LosesAnAnswer = cells.eu.saga._ledger  # type: ignore[assignment]

    async def survive(command: Command) -> None:
        ledger.breaks = breaks
        with pytest.raises(LedgerUnknown):
            await cells.eu.ask(command)
        assert (await cells.report()).ok

    for place, going in enumerate((False, True)):
        reception = await came(cells, credit(f"IN-{place}"))
        await survive(deposit_command(reception.rows[0]))
        await cells.eu.ask(deposit_command(reception.rows[0]))
        row = await found(cells, reception.rows[0].collection_id)
        assert row.state == "suspended"
        order = await (give_back(cells, row) if going else assign(cells, row))
        await survive(order.command())
        order = await carry_out(cells, order)
        if going:
            async with transaction(cells.eu.institution.pool) as connection:
                await store_orders.answered(connection, "EU", [(order.order_id, Settled("X", NOW))], BY)
            await survive(replace(order, state="answered").command())
            order = await carry_out(cells, order)
        assert order.state == "done"
    assert await available(cells) == 500_000 + AMOUNT
    await held(cells)


@pytest.mark.writes_by_hand
async def test_rows_that_were_tampered_with_are_told(cells: Reconciled) -> None:
    row = await rests(cells)
    await cells.tamper(
        cells.eu, "update collections set amount = amount + 1 where collection_id = $1", row.collection_id
    )
    assert "SUSPENSE" in (await cells.findings("L9"))[0].subject
