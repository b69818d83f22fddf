"""A tenant's sandbox time: all that it waits for comes nearer, once for each key, and nothing of anybody else's moves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from actors.workers.sweep import Sweep
from cells.backends.postgres import transaction
from cells.compliance.magic import SCREENED_NAMES
from cells.journal.entry import component
from cells.tenants import store as tenants
from cells.tenants.tenant import mint_tenant
from cells.wallets import store_sandbox_time
from residency.errors import UnexpectedAnswer
from tests.integration.api.test_api_sandbox import served_cell
from tests.support.api_cell import PAYER, RECIPIENT, ApiCell, credit_to
from tests.support.schemes import RunningSchemes
from tests.support.waiting import until

DAY = 86_400


@pytest.fixture
async def cell(cell_database, schemes: RunningSchemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with served_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


@dataclass
class Waits:
    """What one tenant waits for."""

    speaker: httpx.AsyncClient
    tenant_id: str
    wallet: str
    ids: dict[str, str]

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.speaker.get(path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def post(self, path: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        keyed = {"Idempotency-Key": key.replace(" ", "-")} if key.isascii() and key else {}
        answer = await self.speaker.post(path, json=body, headers={"Kovra-Region": "EU", **keyed})
        assert answer.status_code in (201, 202), answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def pay(self, payee: str, payer: dict[str, Any], value: str) -> str:
        quote = await self.post(
            "/v1/quotes", "", {"source": {"value": value, "currency": "EUR"}, "target_currency": "EUR"}
        )
        recipient = await self.post("/v1/recipients", f"recipient {payee}", {**RECIPIENT, "name": payee})
        made = await self.post("/v1/payers", f"payer {payer['name']}", payer)
        asked = {"quote_id": quote["id"], "recipient_id": recipient["id"], "payer_id": made["id"]}
        return str((await self.post("/v1/transfers", f"pay-{value}", asked))["id"])

    async def shown(self, cell: ApiCell) -> dict[str, Any]:
        """Each deadline as it stands, and what has become of what waited for it."""
        async with transaction(cell.parts.writer) as connection:
            moments = {
                f"{one.table}.{one.column}": await connection.fetchval(
                    f"select max({one.column}) from {one.table} where tenant_id = $1 and {one.waits}",
                    self.tenant_id,
                )
                for one in store_sandbox_time.DEADLINES
            }
        later = await self.get(f"/v1/transfers/{self.ids['later']}")
        wallet = await self.get(f"/v1/wallets/{self.wallet}")
        return {**moments, "later": later["status"], "pending": wallet["pending_inbound"]["value"]}


async def waiting(cell: ApiCell, speaker: httpx.AsyncClient, tenant_id: str) -> Waits:
    """A quote, a locked sub-wallet, a credit that settles on a later day, a batch for another day, a payment in review, and one that its
    scheme settles in two days."""
    [wallet] = [one for one in (await speaker.get("/v1/wallets")).json()["data"] if one["currency"] == "EUR"]
    found = Waits(speaker, tenant_id, wallet["id"], {})
    account = {"iban": wallet["account_number"]}
    await cell.inbound("sepa_instant", credit_to(account, 500_000))
    on = datetime.now(ZoneInfo("Europe/Berlin")).date() + timedelta(days=10)
    await cell.inbound("sepa_instant", credit_to(account, 77_700, settlement_date=on))
    found.ids["later"] = await found.pay("SANDBOX SETTLE LATER", PAYER, "10.00")
    listed = next(one for one in SCREENED_NAMES if one.verdict == "review" and one.kind == "person")
    payer = {"name": listed.name, "customer_number": "C-1"} | (
        {"date_of_birth": listed.born.isoformat()} if listed.born else {}
    )
    found.ids["review"] = await found.pay("Jürgen Weiß", payer, "11.00")
    until_then = (datetime.now(UTC) + timedelta(days=10)).isoformat()
    pot = await found.post(
        f"/v1/wallets/{wallet['id']}/sub-wallets", "pot", {"name": "Taxes", "locked_until": until_then}
    )
    found.ids["pot"] = pot["id"]
    recipient = await found.post("/v1/recipients", "r", RECIPIENT)
    payer_id = (await found.post("/v1/payers", "p", PAYER))["id"]
    line = {
        "recipient_id": recipient["id"],
        "payer_id": payer_id,
        "source": {"value": "1.00", "currency": "EUR"},
        "target_currency": "EUR",
    }
    batch = {"source_wallet_id": wallet["id"], "scheduled_for": until_then, "lines": [line]}
    found.ids["batch"] = (await found.post("/v1/batches", "batch", batch))["id"]
    asked = {"source": {"value": "12.00", "currency": "EUR"}, "target_currency": "EUR"}
    found.ids["quote"] = (await found.post("/v1/quotes", "", asked))["id"]

    async def at_the_scheme() -> bool:
        answer = await speaker.get("/v1/sandbox/payments", params={"transfer_id": found.ids["later"]})
        return answer.status_code == 200

    await until(at_the_scheme)
    return found


async def advance(speaker: httpx.AsyncClient, key: str, seconds: int) -> httpx.Response:
    return await speaker.post("/v1/sandbox/time", json={"seconds": seconds}, headers={"Idempotency-Key": key})


async def test_time_goes_by_for_one_tenant_and_nobody_else(cell: ApiCell) -> None:
    mine = await waiting(cell, cell.client, cell.tenant.tenant_id)
    theirs = await waiting(cell, cell.other, cell.stranger.tenant_id)
    before, untouched = await mine.shown(cell), await theirs.shown(cell)
    assert (before["later"], before["pending"]) == ("PENDING_RAIL", "777.00")
    nothing = {name for name, at in before.items() if at is None}
    assert nothing == {"returns.available_at"}, "it waits for something of each other kind"

    # An hour, twice under one key: each deadline is nearer by one hour, and the quote has run out.
    first = await advance(mine.speaker, "hour", 3_600)
    assert first.status_code == 202, first.text
    assert timedelta(0) < datetime.fromisoformat(first.json()["now"]) - datetime.now(UTC) <= timedelta(hours=1)
    assert (await advance(mine.speaker, "hour", 3_600)).json() == first.json()
    after = await mine.shown(cell)
    for name in set(before) - nothing - {"later", "pending", "quotes.expires_at"}:
        assert before[name] - after[name] == timedelta(hours=1), name
    assert after["quotes.expires_at"] < datetime.now(UTC)
    payee = {"recipient_id": (await mine.post("/v1/recipients", "r2", RECIPIENT))["id"], "quote_id": mine.ids["quote"]}
    payee["payer_id"] = (await mine.post("/v1/payers", "p2", PAYER))["id"]
    refused = await mine.speaker.post("/v1/transfers", json=payee, headers={"Idempotency-Key": "late"})
    assert refused.json()["code"] == "quote-expired"
    assert (after["later"], after["pending"]) == ("PENDING_RAIL", "777.00")

    # Eleven days: the scheme settles, and what was to be available then is so at the sweep's next round.
    assert (await advance(mine.speaker, "days", 11 * DAY)).status_code == 202

    async def settled() -> bool:
        return (await mine.shown(cell))["later"] == "COMPLETED"

    await until(settled)
    sweep = Sweep(replace(cell.parts.institution, pool=cell.parts.writer), cell.parts.wallets)

    async def booked() -> bool:
        await sweep._collections()
        return (await mine.shown(cell))["pending"] == "0.00"

    await until(booked)
    now = await mine.shown(cell)
    assert max(at for at in now.values() if isinstance(at, datetime)) < datetime.now(UTC)

    assert await theirs.shown(cell) == untouched
    good = {
        "quote_id": theirs.ids["quote"],
        "recipient_id": (await theirs.post("/v1/recipients", "r2", RECIPIENT))["id"],
    }
    good["payer_id"] = (await theirs.post("/v1/payers", "p2", PAYER))["id"]
    await theirs.post("/v1/transfers", "in-time", good)


async def test_time_stops_where_it_could_not_be_written(cell: ApiCell) -> None:
    for number in range(10):
        assert (await advance(cell.client, f"year-{number}", 366 * DAY)).status_code == 202
    beyond = await advance(cell.client, "beyond", 1)
    assert (beyond.status_code, beyond.json()["code"]) == (422, "sandbox-refused")
    assert "3,660 days" in beyond.json()["detail"]
    assert (await advance(cell.other, "own", 1)).status_code == 202
    last = datetime.fromisoformat((await advance(cell.client, "year-9", 366 * DAY)).json()["now"])
    assert timedelta(days=3_659) < last - datetime.now(UTC) <= timedelta(days=3_660)


async def test_production_has_no_sandbox_time(cell: ApiCell) -> None:
    live = mint_tenant("Live Bank", cell.spec.entry, tier="growth", environment="live")
    async with transaction(cell.parts.writer) as connection:
        await tenants.create_tenants(connection, "EU", [live])
    with pytest.raises(UnexpectedAnswer, match="sandbox alone"):
        async with transaction(cell.parts.writer) as connection:
            await store_sandbox_time.let_go_by(
                connection, "EU", live.tenant_id, "reference", timedelta(days=1), component("test")
            )
