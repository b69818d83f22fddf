"""Every life but a payment's as a stream: what its entries say and who wrote them. That rows are what they make is held after each test."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cells.backends.postgres import tenant_transaction, transaction
from cells.credits.receive import receive
from cells.journal import store as journal
from cells.journal.entry import Author, component
from cells.kit.command import Command
from cells.rails import store_collections, store_recalls
from cells.rails.later import RecallReceived
from cells.rails.rail import Account, Collection, Party, Settled, utc_now
from cells.resolutions import store as store_orders
from cells.returns import recalls
from cells.sub_wallets import store as store_books
from cells.sub_wallets import store_sub_wallets
from cells.sub_wallets.internal_transfer import Book, SubWallet
from residency.ids import mint
from tests.integration.payments.test_returns import back
from tests.integration.payments.test_transfer_journey import cross
from tests.support.batch_cells import open_batch_cells
from tests.support.reconciled_cells import Reconciled, open_reconciled
from tests.support.two_cells import HandCell

NOBODY = Account("iban", "DE89370400440532013000")


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        yield opened


async def said(cells: Reconciled, stream: str, cell: HandCell | None = None) -> list[tuple[str, str, str]]:
    """What happened, who did it, and whose it was then."""
    cell = cell or cells.eu
    async with transaction(cell.institution.pool) as connection:
        entries = await journal.stream(connection, cell.spec.region, stream)
    assert [one.version for one in entries] == list(range(1, len(entries) + 1))
    return [(one.event, one.actor, one.tenant_id) for one in entries]


async def test_a_credit_is_received_and_booked_once_however_often_it_comes(cells: Reconciled) -> None:
    made = await cells.deposit(900)
    async with transaction(cells.eu.institution.pool) as connection:
        row = (await store_collections.find(connection, "EU", [made.collection_id]))[made.collection_id]
        again = await store_collections.receive(connection, "EU", [row], component("test"))
    assert again == [row]
    ours = cells.wallet.tenant_id
    assert await said(cells, made.collection_id) == [
        ("received", "component:rail", ours),
        ("booked", "component:wallet", ours),
    ]


async def test_a_credit_for_nobody_is_the_houses_and_says_why(cells: Reconciled) -> None:
    institution = cells.eu.institution
    one = Collection("sepa_instant", "IN-9", "NOTPROVIDED", 700, "EUR", Party("Astrid"), NOBODY, "Invoice", utc_now())
    async with transaction(institution.pool) as connection:
        got = await receive(connection, cells.eu.spec.entry, institution.vault, [one], b"<message/>")
        entries = await journal.stream(connection, "EU", got.rows[0].collection_id)
    assert await said(cells, got.rows[0].collection_id) == [("refused", "component:rail", "cell:eu-1")]
    assert (entries[0].facts["reason_code"], entries[0].facts["amount"]) == ("AC01", 700)
    assert "Astrid" not in str(entries)


async def test_a_return_is_received_booked_and_exported_and_admitted_where_the_payment_began(cells: Reconciled) -> None:
    paid = await cells.complete(await cells.abroad())
    await cells.id.receive_return(back(await cells.id.transfer(paid.transfer_id), 1_000))
    await cross(cells.id, cells.eu)
    [here] = await cells.eu.returns(paid.transfer_id)
    assert await said(cells, here.return_id) == [
        ("admitted", "component:border", cells.wallet.tenant_id),
        ("booked", "component:wallet", cells.wallet.tenant_id),
    ]
    [there] = await cells.id.returns(paid.transfer_id)
    assert [one[:2] for one in await said(cells, there.return_id, cells.id)] == [
        ("received", "component:rail"),
        ("booked", "component:wallet"),
        ("exported", "component:border"),
    ]


async def test_a_resolution_and_the_recall_that_it_follows_say_who_decided_and_what_became_of_it(
    cells: Reconciled,
) -> None:
    made, ours, ana = await cells.deposit(900), cells.wallet.tenant_id, Author("operator:ana.ops")
    institution, house = cells.eu.institution, "cell:eu-1"
    async with transaction(institution.pool) as connection:
        row = (await store_collections.find(connection, "EU", [made.collection_id]))[made.collection_id]
        asked = [
            RecallReceived("sepa_instant", case, reference, "NOTPROVIDED", "DUPL", utc_now())
            for case, reference in (("RC-1", row.scheme_reference), ("RC-2", "unknown"), ("RC-1", row.scheme_reference))
        ]
        await store_recalls.receive(connection, "EU", "eu-1", asked, house, component("rail"))
    async with transaction(institution.pool) as connection:
        of = {one.case_id: one for one in await store_recalls.latest(connection, "EU", 9)}
        order = await recalls.accept(connection, cells.eu.spec.entry, of["RC-1"].recall_id, ana)
    await cells.eu.ask(order.command())
    async with transaction(institution.pool) as connection:
        settled = [(order.order_id, Settled("X", utc_now()))]
        assert await store_orders.answered(connection, "EU", settled, component("rail")) == {order.order_id}
        assert await store_orders.answered(connection, "EU", settled, component("rail")) == set()
        order = (await store_orders.load(connection, "EU", [order.order_id]))[order.order_id]
    await cells.eu.ask(order.command())
    assert await said(cells, order.order_id) == [
        ("ordered", "operator:ana.ops", ours), ("held", "component:wallet", ours),
        ("answered", "component:rail", ours), ("applied", "component:wallet", ours),
    ]  # fmt: skip
    assert await said(cells, of["RC-1"].recall_id) == [
        ("received", "component:rail", ours), ("accepted", "operator:ana.ops", ours), ("granted", "component:wallet", ours),
    ]  # fmt: skip
    assert await said(cells, of["RC-2"].recall_id) == [("received", "component:rail", house)]
    assert [one[0] for one in await said(cells, made.collection_id)] == ["received", "booked", "returned"]


async def test_a_sub_wallet_is_asked_for_opened_and_closed_with_the_money_in_it(cells: Reconciled) -> None:
    await cells.deposit(900)
    main, ours, key = cells.wallet.wallet_id, cells.wallet.tenant_id, Author("key_1", "req_1")
    sub = SubWallet(mint("wal", "eu-1"), ours, main, "EUR", "Astrid's holiday")
    there = Book(mint("bok", "eu-1"), ours, main, "transfer", main, sub.wallet_id, "EUR", 300)
    much = Book(mint("bok", "eu-1"), ours, main, "transfer", main, sub.wallet_id, "EUR", 10**12)
    back_again = Book(mint("bok", "eu-1"), ours, main, "close", sub.wallet_id, main, "EUR", 0)
    async with tenant_transaction(cells.eu.api, ours) as connection:
        assert await store_sub_wallets.insert(connection, "EU", sub, key)
        assert not await store_sub_wallets.insert(connection, "EU", replace(sub, wallet_id=mint("wal", "eu-1")), key)
    await cells.eu.ask(Command("open", main, "open_sub_wallet", sub.wallet_id))
    async with tenant_transaction(cells.eu.api, ours) as connection:
        await store_books.insert(connection, "EU", [there, much, back_again], key)
    for one in (there, much, back_again):
        await cells.eu.ask(Command(f"{one.book_id}:book", main, "book", one.book_id))
    partner, wallet = ("key_1", ours), ("component:wallet", ours)
    assert await said(cells, sub.wallet_id) == [("asked", *partner), ("opened", *wallet), ("closed", *wallet)]
    assert await said(cells, there.book_id) == [("asked", *partner), ("planned", *wallet), ("applied", *wallet)]
    assert await said(cells, much.book_id) == [("asked", *partner), ("planned", *wallet), ("refused", *wallet)]
    assert await said(cells, back_again.book_id) == [("asked", *partner), ("planned", *wallet), ("applied", *wallet)]
    async with transaction(cells.eu.institution.pool) as connection:
        entries = [await journal.stream(connection, "EU", one) for one in (sub.wallet_id, back_again.book_id)]
        closed = (await store_sub_wallets.read(connection, "EU", [sub.wallet_id]))[sub.wallet_id]
    assert "Astrid" not in str(entries), "a partner's own words are in no entry"
    assert entries[1][1].facts == {"state": "planned", "amount": 300}
    assert (closed.label, closed.closed_at) == ("Astrid's holiday", entries[0][-1].at)


async def test_a_batch_is_created_validated_priced_funded_taken_and_ended(cell_database) -> None:
    async with open_batch_cells(cell_database) as batches:
        batch_id = await batches.submit([batches.at_home(10_00), batches.at_home(20_00)])
        await batches.drive()
        await batches.settle_all(batch_id)
        await batches.drive()
        events = [one[:2] for one in await said(batches.reconciled, batch_id)]
        assert events == [
            ("created", "component:test"), ("validated", "component:batches"), ("priced", "component:batches"),
            ("funded", "component:wallet"), ("taking", "component:wallet"), ("closing", "component:wallet"),
            ("completed", "component:wallet"),
        ]  # fmt: skip
        broke = await batches.submit([batches.at_home(10**9)])
        await batches.drive()
        async with transaction(batches.eu.institution.pool) as connection:
            last = (await journal.stream(connection, "EU", broke))[-1]
        assert (last.event, last.facts["state"], last.facts["fault"]["code"]) == (
            "failed",
            "FAILED",
            "insufficient-funds",
        )
