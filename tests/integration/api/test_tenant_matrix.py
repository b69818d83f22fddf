"""No route shows or changes what is another tenant's: every route of the OpenAPI document × every kind of id, called by the wrong tenant.

The answer to another's id is the answer to an id that nobody has.
"""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cells.tenants.tenant import Tenant
from tests.support.api_cell import PAYER, RECIPIENT, ApiCell, credit_to, open_api_cell
from tests.support.tenant_matrix import Attempt, attempts, nobodys
from tests.support.waiting import until
from tests.support.whole_document import whole_document

HERE = {"Kovra-Region": "EU"}


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def made(client: httpx.AsyncClient, path: str, body: dict[str, Any], key: str = "of-everything") -> str:
    answer = await client.post(path, json=body, headers=HERE | {"Idempotency-Key": key})
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


async def everything_of(cell: ApiCell, client: httpx.AsyncClient, tenant: Tenant, name: str) -> dict[str, str]:
    """One of everything that a tenant can have, by the name of the parameter that asks for it."""
    [wallet] = [one for one in (await client.get("/v1/wallets")).json()["data"] if one["currency"] == "EUR"]
    await cell.inbound("sepa_instant", credit_to({"iban": wallet["account_number"]}, 500_000))
    wish = {"source": {"value": "1.00", "currency": "EUR"}, "target_currency": "EUR"}
    recipient = await made(client, "/v1/recipients", {**RECIPIENT, "name": f"Recipient of {name}"})
    payer = await made(client, "/v1/payers", {**PAYER, "name": f"Payer of {name}"})
    endpoint = await made(client, "/v1/webhooks", {"url": f"http://127.0.0.1:9/{name}"})
    used = {"quote_id": await made(client, "/v1/quotes", wish), "recipient_id": recipient, "payer_id": payer}
    transfer = await made(client, "/v1/transfers", used)
    sub_wallet = await made(client, f"/v1/wallets/{wallet['id']}/sub-wallets", {"name": f"Sub-wallet of {name}"})
    into = {"to_wallet_id": sub_wallet, "amount": {"value": "1.00", "currency": "EUR"}}
    book = await made(client, f"/v1/wallets/{wallet['id']}/transfers", into)
    line = {"recipient_id": recipient, "payer_id": payer, **wish}
    batch = await made(client, "/v1/batches", {"source_wallet_id": wallet["id"], "lines": [line]})
    intent = await made(client, "/v1/intents", line)
    events: list[dict[str, Any]] = []

    async def told() -> bool:
        events[:] = (await client.get("/v1/events")).json()["data"]
        return bool(events)

    await until(told)
    return {
        "transfer_id": transfer,
        "quote_id": await made(client, "/v1/quotes", wish, key="unused"),
        "recipient_id": recipient,
        "payer_id": payer,
        "wallet_id": wallet["id"],
        "sub_wallet_id": sub_wallet,
        "to_wallet_id": sub_wallet,
        "book_id": book,
        "batch_id": batch,
        "intent_id": intent,
        "source_wallet_id": wallet["id"],
        "endpoint_id": endpoint,
        "event_id": events[0]["id"],
        "tenant_id": tenant.tenant_id,
        "key_id": (await cell.key(tenant))[1],
    }


async def call(client: httpx.AsyncClient, one: Attempt, key: str) -> httpx.Response:
    headers = HERE | {"Idempotency-Key": key}
    return await client.request(one.method, one.path, params=one.query, json=one.body, headers=headers)


def said(answer: httpx.Response) -> tuple[int, str, str | None]:
    problem = answer.json() if answer.status_code >= 400 else {}
    return answer.status_code, problem.get("code", ""), problem.get("pointer")


async def state_of(client: httpx.AsyncClient, ids: dict[str, str]) -> list[Any]:
    """What the other tenant sees of his own."""
    paths = [
        *(f"/v1/{noun}/{ids[name]}" for noun, name in (("recipients", "recipient_id"), ("payers", "payer_id"))),
        f"/v1/quotes/{ids['quote_id']}",
        f"/v1/wallets/{ids['wallet_id']}",
        "/v1/webhooks",
        "/v1/transfers",
    ]
    return [(await client.get(path)).json() for path in paths]


async def test_another_tenants_ids_are_nobodys_on_every_route(cell: ApiCell) -> None:
    theirs = await everything_of(cell, cell.client, cell.tenant, "tenant-a-marker")
    own = await everything_of(cell, cell.other, cell.stranger, "tenant-b")
    missing = nobodys("eu-1")
    document = whole_document(cell.app)

    async def at_rest() -> bool:
        return bool((await cell.client.get(f"/v1/transfers/{theirs['transfer_id']}")).json()["status"] == "COMPLETED")

    await until(at_rest)
    before = await state_of(cell.client, theirs)
    tried = list(zip(attempts(document, own, theirs), attempts(document, own, missing), strict=True))
    assert len(tried) > 50
    for number, (foreign, unknown) in enumerate(tried):
        answer = await call(cell.other, foreign, f"foreign-{number}")
        assert answer.status_code < 500, f"{foreign}: {answer.text}"
        shown = [value for name, value in theirs.items() if value in answer.text and name not in foreign.foreign]
        assert not shown, f"{foreign} shows {shown}"
        assert "tenant-a-marker" not in answer.text, f"{foreign} shows {answer.text}"
        if not foreign.foreign:
            continue
        nothing = await call(cell.other, unknown, f"unknown-{number}")
        assert said(answer) == said(nothing), f"{foreign}: {answer.text}, but of nobody's: {nothing.text}"
        if foreign.query and answer.is_success:
            assert answer.json()["data"] == [], f"{foreign}: {answer.text}"
        elif foreign.foreign.startswith("body's lines"):
            assert answer.status_code == 201, "a batch's lines are judged one by one, and afterwards"
        elif foreign.foreign.startswith("body's"):
            assert answer.status_code in (404, 422), f"{foreign}: {answer.text}"
        elif foreign.template.startswith("/v1/admin/"):
            assert answer.status_code == 403, f"{foreign}: {answer.text}"
        else:
            assert answer.status_code in (404, 405), f"{foreign}: {answer.text}"
    assert await state_of(cell.client, theirs) == before, "nothing of theirs has changed"
