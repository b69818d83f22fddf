"""Quote and payment in one call: paid once under a key, carried on after a crash, refused with a reason that stays readable."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cells.backends.postgres import tenant_transaction, transaction
from cells.fx.quotes import NewQuote
from cells.fx.store import lock_quotes
from cells.idempotency import store as idempotency
from cells.idempotency.store import Claim
from residency.ids import mint
from router.api.v1.intents import OPERATION, IntentNew, priced
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.waiting import until


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def wish(cell: ApiCell, value: str = "100.00", **more: Any) -> dict[str, Any]:
    return {
        "source": {"value": value, "currency": "EUR"},
        "target_currency": "EUR",
        "recipient_id": await cell.recipient(),
        "payer_id": await cell.payer(),
        **more,
    }


async def ask(cell: ApiCell, asked: dict[str, Any], key: str = "k") -> httpx.Response:
    return await cell.client.post("/v1/intents", json=asked, headers={"Idempotency-Key": key})


async def read(cell: ApiCell, intent_id: str) -> dict[str, Any]:
    answer = await cell.client.get(f"/v1/intents/{intent_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def counts(cell: ApiCell) -> tuple[int, int]:
    async with transaction(cell.parts.writer) as connection:
        return (
            await connection.fetchval("select count(*) from quotes"),
            await connection.fetchval("select count(*) from transfers"),
        )


async def test_one_call_quotes_and_pays_and_the_intent_follows_the_payment(cell: ApiCell) -> None:
    await cell.fund()
    answer = await ask(cell, await wish(cell, reference="Invoice 4711", metadata={"reference": "o-1"}))
    made = answer.json()
    assert answer.status_code == 202, answer.text
    assert made["status"] in ("VALIDATED", "AUTHORIZED", "SETTLED")
    assert made["quote"]["transfer_id"] == made["transfer"]["id"]
    assert made["transfer"]["metadata"] == {"reference": "o-1"}

    async def settled() -> bool:
        return bool((await read(cell, made["id"]))["status"] == "SETTLED")

    await until(settled)
    found = await read(cell, made["id"])
    assert (found["transfer"]["status"], found["problem"]) == ("COMPLETED", None)
    assert (await cell.client.get(f"/v1/transfers/{made['transfer']['id']}")).json()["status"] == "COMPLETED"


async def test_the_target_may_be_fixed_instead(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell)
    del asked["source"], asked["target_currency"]
    answer = await ask(cell, {**asked, "target": {"value": "50.00", "currency": "EUR"}, "source_currency": "EUR"})
    assert answer.json()["transfer"]["target"]["value"] == "50.00", answer.text


async def test_a_hundred_requests_with_one_key_pay_once(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell)
    answers = await asyncio.gather(*(ask(cell, asked) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert await counts(cell) == (1, 1)
    other = await ask(cell, {**asked, "reference": "x"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    # The key of a transfer is another matter.
    quote = await cell.quote()
    transfer = {"quote_id": quote["id"], "recipient_id": asked["recipient_id"], "payer_id": asked["payer_id"]}
    paid = await cell.client.post("/v1/transfers", json=transfer, headers={"Idempotency-Key": "k"})
    assert paid.status_code == 202


async def test_an_api_that_died_after_the_price_was_locked_is_followed_by_the_same_key(cell: ApiCell) -> None:
    await cell.fund()
    body = json.dumps(await wish(cell)).encode()
    asked, quote_id = IntentNew.model_validate_json(body), mint("qt", "eu-1")
    digest = hashlib.sha256(b"/v1/intents\n" + body).digest()
    found, rail = await priced(cell.parts, cell.tenant, asked)
    async with tenant_transaction(cell.parts.pool, cell.tenant.tenant_id) as connection:
        await idempotency.claim(connection, "EU", [Claim(cell.tenant.tenant_id, OPERATION, "k", digest, quote_id)])
        await lock_quotes(connection, "EU", [NewQuote(quote_id, cell.tenant.tenant_id, rail.name, found)])
    intent = "int" + quote_id.removeprefix("qt")
    assert (await read(cell, intent))["status"] == "CREATED"
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = await cell.client.post("/v1/intents", content=body, headers=headers)
    assert (answer.status_code, answer.json()["id"]) == (202, intent), answer.text
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert await counts(cell) == (1, 1)


async def test_what_the_wallet_refuses_stays_refused_and_says_why(cell: ApiCell) -> None:
    asked = await wish(cell)
    poor = await ask(cell, asked)
    assert (poor.status_code, poor.json()["code"]) == (422, "insufficient-funds")
    found = await read(cell, poor.json()["intent_id"])
    assert (found["status"], found["transfer"]["status"]) == ("FAILED", "REJECTED")
    await cell.fund()
    again = await ask(cell, asked)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (422, "true")
    nobody = await ask(cell, {**asked, "payer_id": mint("pyr", "eu-1")}, "k2")
    assert (nobody.status_code, nobody.json()["code"], nobody.json()["pointer"]) == (422, "unknown-payer", "/payer_id")
    failed = await read(cell, nobody.json()["intent_id"])
    assert (failed["status"], failed["transfer"], failed["problem"]["code"]) == ("FAILED", None, "unknown-payer")


async def test_fields_that_do_not_fit_each_other_lock_no_price_and_leave_the_key_free(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell)
    for more, code, pointer in (
        ({"target_currency": "GBP"}, "recipient-currency", "/recipient_id"),
        ({"recipient_id": "rcp_eu1_nobody"}, "unknown-recipient", "/recipient_id"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "deadline-cannot-be-met", "/deadline"),
        ({"source": {"value": "100.00", "currency": "DKK"}}, "no-rail", "/source/currency"),
        ({"source": {"value": "0.00", "currency": "EUR"}}, "invalid-amount", "/source/value"),
        ({"target": {"value": "1.00", "currency": "EUR"}}, "invalid-request", None),
    ):
        answer = await ask(cell, {**asked, **more})
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
        assert pointer is None or answer.json()["pointer"] == pointer
    assert await counts(cell) == (0, 0)
    assert (await ask(cell, asked)).status_code == 202
    keyless = await cell.client.post("/v1/intents", json=asked)
    assert keyless.json()["code"] == "idempotency-key-missing"


async def test_only_the_tenants_own_intents_are_found(cell: ApiCell) -> None:
    await cell.fund()
    intent = (await ask(cell, await wish(cell))).json()["id"]
    plain = await cell.quote()
    no_intent = "int" + plain["id"].removeprefix("qt")
    for client, wanted in ((cell.other, intent), (cell.client, no_intent), (cell.client, "nothing")):
        answer = await client.get(f"/v1/intents/{wanted}")
        assert (answer.status_code, answer.json()["code"]) == (404, "intent-not-found")
