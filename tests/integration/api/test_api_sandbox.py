"""The sandbox's routes: what a partner makes the schemes do, and who may."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from cells.backends.postgres import transaction
from cells.compliance.magic import SCREENED_NAMES
from cells.tenants import store as tenants
from cells.tenants.tenant import mint_tenant
from infra.schemes.magic import NAME_SCRIPTS, SCRIPTS
from residency.ids import mint
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.schemes import RunningSchemes
from tests.support.servers import CellDatabase
from tests.support.waiting import until


@pytest.fixture
async def cell(cell_database, schemes: RunningSchemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with served_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


@asynccontextmanager
async def served_cell(home: Path, database: CellDatabase, schemes: RunningSchemes) -> AsyncIterator[ApiCell]:
    """Served where the schemes expect it. KOVRA_HOME must name `home`."""
    async with open_api_cell(home, database, schemes) as opened:
        config = uvicorn.Config(opened.app, port=schemes.gateway_port, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        yield opened
        server.should_exit = True
        await serving


async def pay(cell: ApiCell, name: str) -> str:
    await cell.fund()
    quote, recipient, payer = await cell.quote(), await cell.recipient(name=name), await cell.payer()
    asked = {"quote_id": quote["id"], "recipient_id": recipient, "payer_id": payer}
    answer = await cell.client.post("/v1/transfers", json=asked, headers={"Idempotency-Key": quote["id"]})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def simulate(cell: ApiCell, what: str, key: str = "k", **body: Any) -> httpx.Response:
    """As a partner asks: what may succeed later is asked again."""
    path = f"/v1/sandbox/{what}"
    while True:
        answer = await cell.client.post(path, json=body, headers={"Idempotency-Key": key})
        if answer.status_code < 400 or not answer.json()["retryable"]:
            return answer


async def until_status(cell: ApiCell, transfer_id: str, status: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}

    async def reached() -> bool:
        shown.update((await cell.client.get(f"/v1/transfers/{transfer_id}")).json())
        return bool(shown["status"] == status)

    await until(reached)
    return shown


async def at_the_scheme(cell: ApiCell, transfer_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}

    async def asked() -> bool:
        answer = await cell.client.get("/v1/sandbox/payments", params={"transfer_id": transfer_id})
        assert answer.status_code in (200, 409), answer.text
        shown.update(answer.json())
        return answer.status_code == 200

    await until(asked)
    return {name: shown[name] for name in ("rail", "asked", "paid", "returned")}


async def test_an_undecided_payment_is_settled_and_comes_back_when_its_bank_returns_it(cell: ApiCell) -> None:
    transfer = await pay(cell, "SANDBOX TIMEOUT UNKNOWN")
    first = await simulate(cell, "settlements", transfer_id=transfer)
    assert (first.status_code, first.json()["outcome"], first.json()["rail"]) == (202, "settled", "sepa_instant"), (
        first.text
    )
    again = await simulate(cell, "settlements", transfer_id=transfer)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    await until_status(cell, transfer, "COMPLETED")
    refused = await simulate(cell, "rejections", key="k2", transfer_id=transfer)
    assert (refused.status_code, refused.json()["code"]) == (422, "sandbox-refused")
    part = {"value": "10.00", "currency": "EUR"}
    back = await simulate(cell, "returns", key="k3", transfer_id=transfer, amount=part, reason="AC06")
    assert back.json()["scheme_reference"], back.text
    shown = await until_status(cell, transfer, "PARTIALLY_RETURNED")
    assert (
        await simulate(cell, "returns", key="k3", transfer_id=transfer, amount=part, reason="AC06")
    ).json() == back.json()
    assert shown["returned"]["amount"]["value"] == "10.00"
    assert (await simulate(cell, "returns", key="k4", transfer_id=transfer)).status_code == 202
    await until_status(cell, transfer, "RETURNED")


async def test_an_undecided_payment_is_rejected(cell: ApiCell) -> None:
    transfer = await pay(cell, "SANDBOX TIMEOUT UNKNOWN")
    answer = await simulate(cell, "rejections", transfer_id=transfer, reason="AC06")
    assert answer.json()["reason"] == "AC06", answer.text
    assert (await until_status(cell, transfer, "REFUNDED"))["reason_code"] == "AC06"


async def test_days_go_by_once_for_each_key(cell: ApiCell) -> None:
    transfer = await pay(cell, "SANDBOX SETTLE LATER")
    asked = await at_the_scheme(cell, transfer)
    assert asked == {"rail": "sepa_instant", "asked": 1, "paid": 0, "returned": {"value": "0.00", "currency": "EUR"}}
    first = await simulate(cell, "time", key=transfer, seconds=86_400)
    assert first.status_code == 202, first.text
    assert (await simulate(cell, "time", key=transfer, seconds=86_400)).json() == first.json()
    await until_status(cell, transfer, "COMPLETED")
    for seconds in (0, -1, 1e12, 0.5, "1d"):
        assert (await simulate(cell, "time", key="bad", seconds=seconds)).status_code == 422


async def test_the_table_is_what_the_schemes_and_the_screening_go_by(cell: ApiCell) -> None:
    rows = (await cell.client.get("/v1/sandbox/magic-values")).json()["data"]
    assert [row["name"] for row in rows] == [
        *(one.phrase for one in SCRIPTS),
        *(one.phrase for one in NAME_SCRIPTS),
        *(one.name for one in SCREENED_NAMES),
    ]
    reject = rows[0]
    assert {one["rail"]: one["amount"]["value"] for one in reject["amounts"]}["sepa_instant"] == "90911.01"
    assert all(row["outcome"] for row in rows)


async def test_a_magic_name_of_screening_does_what_its_line_says(cell: ApiCell) -> None:
    await cell.fund()
    for one in SCREENED_NAMES:
        if one.kind == "person":
            quote, recipient = await cell.quote(value="1.00"), await cell.recipient()
            payer = {"name": one.name, "customer_number": "C-1"}
            if one.born is not None:
                payer["date_of_birth"] = one.born.isoformat()
            made = await cell.client.post("/v1/payers", json=payer, headers={"Kovra-Region": "EU"})
            asked = {"quote_id": quote["id"], "recipient_id": recipient, "payer_id": made.json()["id"]}
            answer = await cell.client.post(
                "/v1/transfers", json=asked, headers={"Idempotency-Key": one.name.split()[2]}
            )
            status = {"block": "BLOCKED", "review": "IN_REVIEW"}[one.verdict]
            await until_status(cell, answer.json()["id"], status)
            for entry in ("SYNTHETIC.EU", "SYN0001", "99001", "list_checker", "possible-match", "eu_consolidated"):
                assert entry not in answer.text, "what was met on a list is nobody's business"


async def test_only_a_sandbox_key_and_only_its_own_payments(cell: ApiCell) -> None:
    transfer = await pay(cell, "Jürgen Weiß")
    key = {"Idempotency-Key": "k"}
    for what, body in (
        ("settlements", {"transfer_id": transfer}),
        ("rejections", {"transfer_id": transfer}),
        ("returns", {"transfer_id": transfer}),
    ):
        answer = await cell.other.post(f"/v1/sandbox/{what}", json=body, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (404, "transfer-not-found")
        elsewhere = await cell.client.post(f"/v1/sandbox/{what}", json={"transfer_id": mint("tr", "id-1")}, headers=key)
        assert elsewhere.status_code == 404
    live = mint_tenant("Live Bank", cell.spec.entry, tier="growth", environment="live")
    async with transaction(cell.parts.writer) as connection:
        await tenants.create_tenants(connection, "EU", [live])
    text, _ = await cell.key(live)
    as_live = key | {"Authorization": f"Bearer {text}"}
    for what, body in (
        ("settlements", {"transfer_id": transfer}),
        ("rejections", {"transfer_id": transfer}),
        ("returns", {"transfer_id": transfer}),
        ("time", {"seconds": 1}),
        ("deposits", {"wallet_id": mint("wal", "eu-1"), "amount": {"value": "1.00", "currency": "EUR"}}),
    ):
        answer = await cell.anyone.post(f"/v1/sandbox/{what}", json=body, headers=as_live)
        assert (answer.status_code, answer.json()["code"]) == (403, "sandbox-only"), what
    assert (await cell.anyone.get("/v1/sandbox/magic-values", headers=as_live)).status_code == 403
