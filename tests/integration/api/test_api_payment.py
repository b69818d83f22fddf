"""The way of a payment through the API of one cell, over its real actors, ledger and rail."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from cells.backends.postgres import tenant_transaction, transaction
from cells.fx.quotes import NewQuote
from cells.fx.store import lock_quotes
from cells.parties.token import sign_tokens
from residency.ids import mint
from residency.keys import load_keys
from router.api.v1.quotes import QuoteNew, priced
from tests.support.api_cell import PAYER, ApiCell, open_api_cell


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def wish(cell: ApiCell, **more: Any) -> dict[str, Any]:
    quote, recipient, payer = await cell.quote(), await cell.recipient(), await cell.payer()
    return {"quote_id": quote["id"], "recipient_id": recipient, "payer_id": payer, **more}


def indonesian_token(cell: ApiCell, tenant_id: str | None = None) -> str:
    """A token as the Indonesian cell would sign it."""
    keys = load_keys(cell.spec.home, "id-1", cell.spec.directory)
    _, key = keys.signer(cell.spec.directory, datetime.now(UTC))
    [token] = sign_tokens(key, tenant_id or cell.tenant.tenant_id, [(mint("rcp", "id-1"), "IDR")])
    return token


async def cross_border_wish(cell: ApiCell) -> dict[str, Any]:
    quote = await cell.quote(target="IDR")
    return {"quote_id": quote["id"], "recipient_id": indonesian_token(cell), "payer_id": await cell.payer()}


async def pay(cell: ApiCell, asked: dict[str, Any], key: str = "pay-1") -> httpx.Response:
    return await cell.client.post("/v1/transfers", json=asked, headers={"Idempotency-Key": key})


async def refusal(answer: httpx.Response, status: int, code: str, pointer: str | None = None) -> dict[str, Any]:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == answer.headers["Kovra-Request-Id"]
    assert problem.get("pointer") == pointer
    return problem


async def payments(cell: ApiCell) -> int:
    async with transaction(cell.parts.writer) as connection:
        return await connection.fetchval("select count(*) from transfers")


async def until_final(cell: ApiCell, transfer_id: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            found = (await cell.client.get(f"/v1/transfers/{transfer_id}")).json()
            if found["status"] in ("COMPLETED", "REFUNDED"):
                return found
            await asyncio.sleep(0.02)


async def test_money_arrives_is_quoted_and_paid(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell, reference="Invoice 4711", metadata={"order": "A-1"})
    answer = await pay(cell, asked)
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert made["metadata"] == {"order": "A-1"}
    assert made["source"] == {"value": "100.00", "currency": "EUR"}
    assert made["target"] == {"value": "99.80", "currency": "EUR"}
    done = await until_final(cell, made["id"])
    assert done["status"] == "COMPLETED"
    assert [line["status"] for line in done["timeline"]][:2] == ["CREATED", "FUNDS_HELD"]
    wallet_id = cell.wallets["EUR"].wallet_id
    wallet = (await cell.client.get(f"/v1/wallets/{wallet_id}")).json()
    assert (wallet["available"]["value"], wallet["held"]["value"]) == ("4900.00", "0.00")
    entries = (await cell.client.get(f"/v1/wallets/{wallet_id}/statement")).json()["data"]
    assert entries[0]["entry"] == "credit"
    assert entries[0]["collection_id"].startswith("col_eu1_")
    assert {entry["transfer_id"] for entry in entries[1:]} == {made["id"]}
    quote = (await cell.client.get(f"/v1/quotes/{asked['quote_id']}")).json()
    assert (quote["status"], quote["transfer_id"]) == ("used", made["id"])


async def test_the_remittance_text_is_sealed_and_in_no_table(cell: ApiCell) -> None:
    await cell.fund()
    await pay(cell, await wish(cell, reference="Invoice 4711 private"))
    async with transaction(cell.parts.writer) as connection:
        kinds = await connection.fetchval("select array_agg(kind) from subjects where kind in ('transfer', 'debtor')")
        assert sorted(kinds) == ["debtor", "transfer"]
        for table in ("transfers", "idempotency_keys", "sealed_records", "journal", "audit_log", "collections"):
            text = await connection.fetchval(f"select string_agg(t::text, '') from {table} t")
            assert "Invoice 4711" not in (text or "")
            assert "Müller" not in (text or "")


async def test_two_hundred_requests_with_one_key_pay_once(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell)
    answers = await asyncio.gather(*(pay(cell, asked) for _ in range(200)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await payments(cell) == 1
    again = await pay(cell, asked)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == answers[0].json()


async def test_a_key_with_another_body_is_refused(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell)
    await pay(cell, asked)
    await refusal(await pay(cell, {**asked, "metadata": {"a": "b"}}), 422, "idempotency-key-reused")
    assert await payments(cell) == 1


async def test_a_used_quote_is_refused_and_so_is_its_replay(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell)
    await pay(cell, asked)
    first = await refusal(await pay(cell, asked, "pay-2"), 409, "quote-used")
    replay = await pay(cell, asked, "pay-2")
    second = await refusal(replay, 409, "quote-used")
    assert replay.headers["Idempotent-Replayed"] == "true"
    assert {**first, "request_id": ""} == {**second, "request_id": ""}


async def test_an_expired_quote_is_refused(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell)
    body = QuoteNew.model_validate({"source": {"value": "10.00", "currency": "EUR"}, "target_currency": "EUR"})
    found, rail = await priced(cell.parts, cell.tenant, body)
    async with tenant_transaction(cell.parts.pool, cell.tenant.tenant_id) as connection:
        new = NewQuote(mint("qt", "eu-1"), cell.tenant.tenant_id, rail.name, found)
        [quote] = await lock_quotes(connection, "EU", [new], lifetime_s=0.001)
    await refusal(await pay(cell, {**asked, "quote_id": quote.quote_id}), 409, "quote-expired")
    assert (await cell.client.get(f"/v1/quotes/{quote.quote_id}")).json()["status"] == "expired"


async def test_another_tenants_quote_is_unknown(cell: ApiCell) -> None:
    asked = await wish(cell)
    answer = await cell.other.post("/v1/transfers", json=asked, headers={"Idempotency-Key": "k"})
    await refusal(answer, 404, "unknown-quote", "/quote_id")
    await refusal(await cell.other.get(f"/v1/quotes/{asked['quote_id']}"), 404, "unknown-quote")


async def test_another_tenants_recipient_and_payer_are_unknown(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell)
    theirs = (await cell.other.post("/v1/payers", json=PAYER, headers={"Kovra-Region": "EU"})).json()["id"]
    await refusal(await pay(cell, {**asked, "payer_id": theirs}, "k1"), 422, "unknown-payer", "/payer_id")
    foreign = indonesian_token(cell, cell.stranger.tenant_id)
    quote = await cell.quote(target="IDR")
    stolen = {**asked, "quote_id": quote["id"], "recipient_id": foreign}
    await refusal(await pay(cell, stolen, "k2"), 422, "unknown-recipient", "/recipient_id")


async def test_a_token_of_another_region_does_not_fit_a_quote_of_this_one(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell)
    answer = await pay(cell, {**asked, "recipient_id": indonesian_token(cell)}, "k1")
    await refusal(answer, 422, "recipient-currency", "/recipient_id")
    forged = indonesian_token(cell).replace(".IDR.", ".EUR.")
    await refusal(await pay(cell, {**asked, "recipient_id": forged}, "k2"), 422, "unknown-recipient", "/recipient_id")
    await refusal(await cell.client.get(f"/v1/recipients/{indonesian_token(cell)}"), 421, "wrong-region")


async def test_insufficient_funds_are_said_at_once(cell: ApiCell) -> None:
    await cell.fund(amount_minor=2_500)
    asked = await wish(cell)
    quote = (await cell.client.get(f"/v1/quotes/{asked['quote_id']}")).json()
    answer = await pay(cell, asked)
    problem = await refusal(answer, 422, "insufficient-funds")
    missing = Decimal(quote["source"]["value"]) - 25
    assert problem["missing_amount"] == {"value": f"{missing:.2f}", "currency": "EUR"}
    assert problem["detail"].startswith(f"{missing:.2f} EUR is missing. This quote is used up: fund the wallet")
    assert (await pay(cell, asked)).json()["missing_amount"] == problem["missing_amount"], (
        "the same when it is asked again"
    )
    found = await cell.client.get(f"/v1/transfers/{problem['transfer_id']}")
    assert found.json()["status"] == "REJECTED"


async def test_a_payer_without_what_the_law_makes_travel_is_refused(cell: ApiCell) -> None:
    await cell.fund(amount_minor=5_000_000)
    asked = await cross_border_wish(cell)
    bare = await cell.client.post("/v1/payers", json={"name": "Astrid Berg"}, headers={"Kovra-Region": "EU"})
    answer = await pay(cell, {**asked, "payer_id": bare.json()["id"]})
    problem = await refusal(answer, 422, "travel-rule-incomplete", "/payer_id")
    assert all(name.startswith("payer.") for name in problem["missing"])


async def test_a_payment_is_cancelled_before_it_is_instructed_and_not_after(cell: ApiCell) -> None:
    await cell.fund()
    made = (await pay(cell, await cross_border_wish(cell))).json()
    assert made["status"] == "FUNDS_HELD"
    cancelled = await cell.client.post(f"/v1/transfers/{made['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "CANCELLED"), cancelled.text
    assert (await cell.client.post(f"/v1/transfers/{made['id']}/cancel")).json()["status"] == "CANCELLED"
    instant = (await pay(cell, await wish(cell), "pay-2")).json()
    await refusal(await cell.client.post(f"/v1/transfers/{instant['id']}/cancel"), 409, "too-late-to-cancel")


async def test_the_list_is_the_tenants_own_newest_first_in_pages(cell: ApiCell) -> None:
    await cell.fund()
    made = [(await pay(cell, await wish(cell), f"pay-{place}")).json()["id"] for place in range(3)]
    first = (await cell.client.get("/v1/transfers", params={"limit": 2})).json()
    assert [one["id"] for one in first["data"]] == [made[2], made[1]]
    rest = (await cell.client.get("/v1/transfers", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert ([one["id"] for one in rest["data"]], rest["next_cursor"]) == ([made[0]], None)
    assert (await cell.other.get("/v1/transfers")).json()["data"] == []


async def test_other_tenants_ids_are_not_found_on_any_route(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell)
    transfer = (await pay(cell, asked)).json()["id"]
    endpoint = (await cell.client.post("/v1/webhooks", json={"url": "https://example.com/hook"})).json()["id"]
    wallet = cell.wallets["EUR"].wallet_id
    for method, path in [
        ("GET", f"/v1/transfers/{transfer}"),
        ("GET", f"/v1/transfers/{transfer}/timeline"),
        ("POST", f"/v1/transfers/{transfer}/cancel"),
        ("GET", f"/v1/quotes/{asked['quote_id']}"),
        ("GET", f"/v1/recipients/{asked['recipient_id']}"),
        ("DELETE", f"/v1/recipients/{asked['recipient_id']}"),
        ("GET", f"/v1/payers/{asked['payer_id']}"),
        ("DELETE", f"/v1/payers/{asked['payer_id']}"),
        ("GET", f"/v1/wallets/{wallet}"),
        ("GET", f"/v1/wallets/{wallet}/statement"),
        ("DELETE", f"/v1/webhooks/{endpoint}"),
    ]:
        answer = await cell.other.request(method, path)
        assert answer.status_code == 404, (method, path, answer.text)
    deposit = {"wallet_id": wallet, "amount": {"value": "1.00", "currency": "EUR"}}
    answer = await cell.other.post("/v1/sandbox/deposits", json=deposit, headers={"Idempotency-Key": "k"})
    await refusal(answer, 404, "unknown-wallet", "/wallet_id")


async def test_every_change_is_on_the_audit_trail(cell: ApiCell) -> None:
    await cell.fund()
    made = (await pay(cell, await wish(cell))).json()
    async with transaction(cell.parts.writer) as connection:
        rows = await connection.fetch("select action, resource_id, outcome, tenant_id from audit_log order by sequence")
    assert {row["tenant_id"] for row in rows} == {cell.tenant.tenant_id}
    assert [row["action"] for row in rows] == [
        "POST /v1/quotes",
        "POST /v1/recipients",
        "POST /v1/payers",
        "POST /v1/transfers",
    ]
    assert (rows[-1]["resource_id"], rows[-1]["outcome"]) == (made["id"], "202")


async def test_a_reference_is_shown_as_the_scheme_is_given_it(cell: ApiCell) -> None:
    await cell.fund()
    given = "щ" * 60
    made = (await pay(cell, await wish(cell, reference=given))).json()
    found = (await cell.client.get(f"/v1/transfers/{made['id']}")).json()
    assert found["reference"] == {"given": given, "sent": ("sht" * 60)[:140], "cut": 40}
    none = (await pay(cell, await wish(cell), key="pay-2")).json()
    assert (await cell.client.get(f"/v1/transfers/{none['id']}")).json()["reference"] is None
    lost = await refusal(
        await pay(cell, await wish(cell, reference="発票 4711"), key="pay-3"), 422, "invalid-request", "/reference"
    )
    assert "Latin letters" in lost["detail"]
