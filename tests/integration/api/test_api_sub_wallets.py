"""Money between a tenant's own wallets, and its sub-wallets: moved once, never out of a locked one, and known to reconciliation."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from actors.workers.sweep import Sweep
from cells.backends.postgres import tenant_transaction, transaction
from cells.cell import open_institution
from cells.journal.entry import component
from cells.reconciliation.reconcile import reconcile
from cells.sub_wallets import store as store_books
from cells.sub_wallets import store_sub_wallets
from cells.sub_wallets.internal_transfer import Book, SubWallet
from residency.ids import mint
from tests.support.api_cell import ApiCell, credit_to, open_api_cell
from tests.support.servers import CellDatabase
from tests.support.waiting import until


@pytest.fixture
def database(cell_database) -> CellDatabase:
    made: CellDatabase = cell_database("EU")
    return made


@pytest.fixture
async def cell(database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, database, schemes) as opened:
        yield opened


def main(cell: ApiCell) -> str:
    return cell.wallets["EUR"].wallet_id


async def post(cell: ApiCell, path: str, body: dict[str, Any] | None = None, key: str = "k") -> httpx.Response:
    return await cell.client.post(f"/v1/wallets/{path}", json=body, headers={"Idempotency-Key": key})


async def opened(cell: ApiCell, name: str = "Taxes", key: str = "", **more: Any) -> str:
    answer = await post(cell, f"{main(cell)}/sub-wallets", {"name": name, **more}, key or f"open-{name}")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def move(cell: ApiCell, source: str, target: str, value: str, key: str = "k") -> httpx.Response:
    body = {"to_wallet_id": target, "amount": {"value": value, "currency": "EUR"}}
    return await post(cell, f"{source}/transfers", body, key)


async def has(cell: ApiCell, wallet_id: str) -> str:
    found = (await cell.client.get(f"/v1/wallets/{wallet_id}")).json()
    return str(found["available"]["value"])


async def reconciled(cell: ApiCell) -> None:
    """All that the cell's own record can say; the schemes' statements know nothing of credits that a test brought to the door itself."""
    report = await reconcile([cell.spec])
    own = [one for one in report.results if one.invariant in {"L1", "L2", "L3", "L5", "L6", "L9"}]
    findings = [found for one in own for found in one.findings if not found.subject.startswith(("statement", "credit"))]
    assert findings == []


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_sub_wallet_is_opened_filled_emptied_and_closed(cell: ApiCell) -> None:
    await cell.fund(amount_minor=100_00)
    sub = await opened(cell, target={"value": "60.00", "currency": "EUR"})
    other = await opened(cell, "Rent")
    moved = (await move(cell, main(cell), sub, "60.00")).json()
    assert (moved["status"], moved["kind"], moved["amount"]["value"]) == ("applied", "transfer", "60.00")
    assert (await move(cell, sub, other, "15.50", "k2")).status_code == 201
    assert (await has(cell, main(cell)), await has(cell, sub), await has(cell, other)) == ("40.00", "44.50", "15.50")
    path = f"/v1/wallets/{main(cell)}/sub-wallets"
    listed = (await cell.client.get(path)).json()["data"]
    assert [(one["name"], one["available"]["value"], one["state"]) for one in listed] == [
        ("Taxes", "44.50", "open"), ("Rent", "15.50", "open"),
    ]  # fmt: skip
    assert (await cell.client.get(f"{path}/{sub}")).json() == listed[0]
    assert [one["id"] for one in (await cell.client.get("/v1/wallets")).json()["data"] if one["currency"] == "EUR"] == [
        main(cell)
    ]
    for wallet in (sub, main(cell)):
        entries = (await cell.client.get(f"/v1/wallets/{wallet}/statement")).json()["data"]
        assert moved["id"] in [one["wallet_transfer_id"] for one in entries if one["code"] == "book"]
        assert (await cell.client.get(f"/v1/wallets/{wallet}/transfers/{moved['id']}")).json() == moved
    closed = await post(cell, f"{main(cell)}/sub-wallets/{sub}/close", key="close")
    assert (closed.status_code, closed.json()["state"], closed.json()["available"]["value"]) == (200, "closed", "0.00")
    assert await has(cell, main(cell)) == "84.50"
    assert refusal(await move(cell, main(cell), sub, "1.00", "k3")) == (409, "wallet-not-open")
    assert (await opened(cell, " Taxes ", "anew")) != sub
    await reconciled(cell)


@pytest.mark.writes_by_hand
async def test_a_locked_one_takes_money_and_gives_none_until_its_date(cell: ApiCell, database: CellDatabase) -> None:
    await cell.fund(amount_minor=10_00)
    day = datetime.now(UTC) + timedelta(days=1)
    sub = await opened(cell, locked_until=day.isoformat())
    assert (await move(cell, main(cell), sub, "5.00")).status_code == 201
    assert refusal(await move(cell, sub, main(cell), "1.00", "out")) == (409, "wallet-locked")
    early = await post(cell, f"{main(cell)}/sub-wallets/{sub}/close", key="early")
    assert refusal(early) == (409, "wallet-locked")
    assert datetime.fromisoformat(early.json()["locked_until"]) == day
    assert await has(cell, sub) == "5.00"
    superuser = await asyncpg.connect(database.superuser)
    await superuser.execute("update sub_wallets set locked_until = now()")
    await superuser.close()
    assert (await move(cell, sub, main(cell), "1.00", "later")).status_code == 201
    assert (await post(cell, f"{main(cell)}/sub-wallets/{sub}/close", key="late")).status_code == 200
    assert await has(cell, main(cell)) == "10.00"
    # What was refused under a key stays refused under it.
    again = await move(cell, sub, main(cell), "1.00", "out")
    assert (*refusal(again), again.headers["Idempotent-Replayed"]) == (409, "wallet-locked", "true")


async def test_fifty_requests_with_one_key_move_once(cell: ApiCell) -> None:
    await cell.fund(amount_minor=100_00)
    sub = await opened(cell)
    answers = await asyncio.gather(*(move(cell, main(cell), sub, "3.00") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert await has(cell, sub) == "3.00"
    assert refusal(await move(cell, main(cell), sub, "4.00")) == (422, "idempotency-key-reused")
    same = await asyncio.gather(*(opened(cell, "Payroll") for _ in range(20)))
    assert len(set(same)) == 1
    await reconciled(cell)


async def test_more_than_there_is_moves_nothing(cell: ApiCell) -> None:
    await cell.fund(amount_minor=10_00)
    subs = [await opened(cell, name) for name in ("A", "B", "C")]
    answers = await asyncio.gather(*(move(cell, main(cell), one, "4.00", one) for one in subs))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 422]
    [refused] = [answer for answer in answers if answer.status_code == 422]
    assert refusal(refused) == (422, "insufficient-funds")
    problem = refused.json()
    assert problem["missing_amount"] == {"value": "2.00", "currency": "EUR"}
    assert problem["detail"].startswith("2.00 EUR is missing. Fund the wallet")
    again = await move(cell, main(cell), subs[answers.index(refused)], "4.00", subs[answers.index(refused)])
    assert again.json()["missing_amount"] == problem["missing_amount"], "the same when it is asked again"
    assert await has(cell, main(cell)) == "2.00"
    await reconciled(cell)


async def test_money_goes_in_while_it_is_closed_and_none_is_left_behind(cell: ApiCell) -> None:
    await cell.fund(amount_minor=100_00)
    sub = await opened(cell)
    path = f"{main(cell)}/sub-wallets/{sub}/close"
    wishes = [move(cell, main(cell), sub, "1.00", f"in-{number}") for number in range(20)]
    closing = [post(cell, path, key=f"close-{number}") for number in range(5)]
    answers = await asyncio.gather(*wishes[:10], *closing, *wishes[10:])
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert (await post(cell, path, key="at-last")).status_code == 200
    assert (await has(cell, sub), await has(cell, main(cell))) == ("0.00", "100.00")
    await reconciled(cell)


async def test_what_was_on_record_when_the_api_died_is_carried_out_by_the_sweep(cell: ApiCell) -> None:
    await cell.fund(amount_minor=10_00)
    sub = await opened(cell)
    tenant = cell.tenant.tenant_id
    book = Book(mint("bok", "eu-1"), tenant, main(cell), "transfer", main(cell), sub, "EUR", 2_00)
    orphan = SubWallet(mint("wal", "eu-1"), tenant, main(cell), "EUR", "Orphan")
    async with tenant_transaction(cell.parts.pool, tenant) as connection:
        await store_books.insert(connection, "EU", [book], component("test"))
        assert await store_sub_wallets.insert(connection, "EU", orphan, component("test"))
    assert (await cell.client.get(f"/v1/wallets/{main(cell)}/transfers/{book.book_id}")).json()["status"] == "asked"
    institution = await open_institution(cell.spec, "writer", name="test-sweep", connections_max=2)
    stop = asyncio.Event()
    sweeping = asyncio.create_task(Sweep(institution, cell.parts.wallets).run(stop))

    async def swept() -> bool:
        listed = (await cell.client.get(f"/v1/wallets/{main(cell)}/sub-wallets")).json()["data"]
        return "Orphan" in [one["name"] for one in listed] and await has(cell, sub) == "2.00"

    await until(swept)
    stop.set()
    await sweeping
    await institution.close()
    await reconciled(cell)


async def test_what_cannot_be_moved_or_opened(cell: ApiCell) -> None:
    sub = await opened(cell)
    stranger = (await cell.other.get("/v1/wallets")).json()["data"][0]["id"]
    sek = cell.wallets["SEK"].wallet_id
    for target, status, code in (
        (main(cell), 422, "wallets-differ"),
        (sek, 422, "wallets-differ"),
        (stranger, 404, "unknown-wallet"),
        ("nobody", 404, "unknown-wallet"),
    ):
        assert refusal(await move(cell, main(cell), target, "1.00")) == (status, code)
    for value in ("0.00", "-1.00", "1.001", "1e3"):
        assert refusal(await move(cell, main(cell), sub, value)) == (422, "invalid-amount"), value
    assert refusal(await post(cell, f"{sub}/sub-wallets", {"name": "x"})) == (422, "not-a-main-wallet")
    assert refusal(await post(cell, f"{main(cell)}/sub-wallets", {"name": "Taxes"}, "x")) == (
        409,
        "sub-wallet-name-taken",
    )
    wrong = {"name": "y", "target": {"value": "1.00", "currency": "SEK"}}
    assert refusal(await post(cell, f"{main(cell)}/sub-wallets", wrong, "y")) == (422, "invalid-amount")
    assert refusal(await post(cell, f"{main(cell)}/sub-wallets/{sek}/close", key="z")) == (404, "unknown-wallet")
    for answer in (
        await cell.client.post(f"/v1/wallets/{main(cell)}/sub-wallets", json={"name": "z"}),
        await cell.client.post(f"/v1/wallets/{main(cell)}/sub-wallets/{sub}/close"),
    ):
        assert refusal(answer) == (400, "idempotency-key-missing")


async def test_nothing_but_its_wallet_moves_money_of_a_sub_wallet(cell: ApiCell) -> None:
    """Whatever comes in, and whatever pays, is the main wallet's: a sub-wallet has one door."""
    await cell.fund(amount_minor=10_00)
    sub = await opened(cell)
    assert (await move(cell, main(cell), sub, "5.00")).status_code == 201
    assert (await cell.client.get(f"/v1/wallets/{sub}")).json()["account_number"] is None
    deposit = {"wallet_id": sub, "amount": {"value": "1.00", "currency": "EUR"}}
    answer = await cell.client.post("/v1/sandbox/deposits", json=deposit, headers={"Idempotency-Key": "d"})
    assert (refusal(answer), answer.json()["pointer"]) == ((422, "not-a-main-wallet"), "/wallet_id")
    line = {
        "recipient_id": await cell.recipient(), "payer_id": await cell.payer(),
        "source": {"value": "1.00", "currency": "EUR"}, "target_currency": "EUR",
    }  # fmt: skip
    batch = {"source_wallet_id": sub, "lines": [line]}
    answer = await cell.client.post("/v1/batches", json=batch, headers={"Idempotency-Key": "b"})
    assert (refusal(answer), answer.json()["pointer"]) == ((422, "not-a-main-wallet"), "/source_wallet_id")
    async with transaction(cell.parts.writer) as connection:
        number = await connection.fetchval("select account_number from wallets where wallet_id = $1", sub)
    await cell.inbound("sepa_instant", credit_to({"iban": number}, 1_00, remittance=sub))
    assert (await has(cell, sub), await has(cell, main(cell))) == ("5.00", "5.00")
    await reconciled(cell)


async def test_another_tenant_finds_none_of_it(cell: ApiCell) -> None:
    await cell.fund(amount_minor=10_00)
    sub = await opened(cell)
    moved = (await move(cell, main(cell), sub, "1.00")).json()["id"]
    theirs = (await cell.other.get("/v1/wallets")).json()["data"][0]["id"]
    body = {"to_wallet_id": theirs, "amount": {"value": "1.00", "currency": "EUR"}}
    for method, path, sent in [
        ("POST", f"/v1/wallets/{sub}/transfers", body),
        ("GET", f"/v1/wallets/{sub}/transfers/{moved}", None),
        ("GET", f"/v1/wallets/{theirs}/transfers/{moved}", None),
        ("POST", f"/v1/wallets/{main(cell)}/sub-wallets", {"name": "mine"}),
        ("GET", f"/v1/wallets/{main(cell)}/sub-wallets", None),
        ("GET", f"/v1/wallets/{main(cell)}/sub-wallets/{sub}", None),
        ("GET", f"/v1/wallets/{theirs}/sub-wallets/{sub}", None),
        ("POST", f"/v1/wallets/{main(cell)}/sub-wallets/{sub}/close", None),
        ("POST", f"/v1/wallets/{theirs}/sub-wallets/{sub}/close", None),
        ("GET", f"/v1/wallets/{sub}", None),
        ("GET", f"/v1/wallets/{sub}/statement", None),
    ]:
        answer = await cell.other.request(method, path, json=sent, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 404, (method, path, answer.text)
