"""What a partner sees of itself: profile, keys, limits with what is used of them, and the fee rules that it pays by."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from cells.backends.postgres import transaction
from cells.fx import fee_book, store_fees
from cells.fx.fees import PLATFORM, FeeRule
from cells.limits import book, store_rules
from cells.limits.limits import window_end
from cells.limits.rules import ANY, LimitRule, Scope
from cells.tenants.tiers import tier
from residency.rules import rules_of
from router.api.shapes import stamp
from router.client.client import KovraClient
from tests.support.api_cell import ApiCell, open_api_cell


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    # A rule that is added counts at once here, not in two seconds.
    monkeypatch.setattr(fee_book, "_FRESH_S", 0.0)
    monkeypatch.setattr(book, "_FRESH_S", 0.0)
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def pay(cell: ApiCell, payer: str, value: str = "100.00") -> str:
    """The total that left the wallet."""
    quote = await cell.quote(value)
    body = {"quote_id": quote["id"], "recipient_id": await cell.recipient(), "payer_id": payer}
    answer = await cell.client.post("/v1/transfers", json=body, headers={"Idempotency-Key": quote["id"]})
    assert answer.status_code == 202, answer.text
    return str(quote["source"]["value"])


async def limits(cell: ApiCell, **asked: str) -> dict[str, dict]:
    answer = await cell.client.get("/v1/limits", params=asked)
    assert answer.status_code == 200, answer.text
    return {one["limit"]: one for one in answer.json()["data"] if one["currency"] == "EUR"}


async def limit(cell: ApiCell, scope: Scope, value: int) -> None:
    rule = LimitRule(ANY, ANY, "EUR", scope, ANY, "day", "amount", 1, value, datetime.now(UTC))
    async with transaction(cell.parts.writer) as connection:
        await store_rules.add(connection, "EU", rule)


async def test_any_key_may_ask_who_it_is(cell: ApiCell) -> None:
    secret, key_id = await cell.key(cell.tenant, frozenset({"quotes"}))
    headers = {"Authorization": f"Bearer {secret}"}
    answer = await cell.anyone.get("/v1/me", headers=headers)
    assert answer.status_code == 200
    assert answer.json() == {
        "id": cell.tenant.tenant_id,
        "name": cell.tenant.name,
        "environment": "sandbox",
        "tier": cell.tenant.tier,
        "requests_per_minute": tier(cell.tenant.tier).requests_per_minute,
        "region": "EU",
        "home_region": cell.tenant.home_region,
        "key": {"id": key_id, "scopes": ["quotes"]},
    }
    assert (await cell.anyone.get("/v1/keys", headers=headers)).status_code == 403, "one key does not see the others"
    assert (await cell.anyone.get("/v1/me")).status_code == 401


async def test_the_client_reads_all_of_it(cell: ApiCell, monkeypatch) -> None:
    kovra = KovraClient("http://cell", "unused")
    await kovra.close()
    monkeypatch.setattr(kovra._transport, "_http", cell.client)
    await limit(cell, "payer", 50_000)
    assert (await kovra.account.profile()).key.scopes
    assert {one.state for one in await kovra.account.keys()} == {"in_use"}
    found = {one.limit: one for one in await kovra.account.limits(payer_id=await cell.payer()) if one.currency == "EUR"}
    assert str(found["payer-day-amount"].left) == "500.00 EUR"
    assert found["tenant-day-count"].used == 0
    assert "eur-idr" in {one.rule for one in await kovra.account.fees()}


async def test_keys_are_listed_without_what_opens(cell: ApiCell) -> None:
    secret, key_id = await cell.key(cell.tenant, frozenset({"quotes"}))
    _, others = await cell.key(cell.stranger)
    answer = await cell.client.get("/v1/keys")
    found = {one["id"]: one for one in answer.json()["data"]}
    assert (found[key_id]["scopes"], found[key_id]["state"]) == (["quotes"], "in_use")
    assert others not in found
    assert secret not in answer.text
    assert secret.startswith(found[key_id]["prefix"])


async def test_limits_say_what_is_used_and_what_is_left(cell: ApiCell) -> None:
    await limit(cell, "wallet", 100_000)
    await limit(cell, "payer", 50_000)
    most = tier(cell.tenant.tier).limits["EUR"]
    before = await limits(cell)
    assert before["tenant-day-amount"]["used"] == {"value": "0.00", "currency": "EUR"}
    assert before["tenant-transfer-amount"]["resets_at"] is None
    await cell.fund()
    payer = await cell.payer()
    left = await pay(cell, payer)
    found = await limits(cell)
    day = found["tenant-day-amount"]
    zone = ZoneInfo(rules_of("EU").zone)
    assert day["used"] == {"value": left, "currency": "EUR"}
    assert float(day["left"]["value"]) == most.day_minor / 100 - float(left)
    end = window_end("day", datetime.now(UTC), zone)
    assert end is not None
    assert day["resets_at"] == stamp(end)
    assert (found["tenant-day-count"]["used"], found["tenant-day-count"]["left"]) == (1, most.day_transfers - 1)
    assert found["wallet-day-amount"]["subject"] == cell.wallets["EUR"].wallet_id
    assert found["wallet-day-amount"]["used"]["value"] == left
    assert (found["payer-day-amount"]["subject"], found["payer-day-amount"]["used"]) == (None, None)
    named = await limits(cell, payer_id=payer, wallet_id=cell.wallets["EUR"].wallet_id)
    assert (named["payer-day-amount"]["subject"], named["payer-day-amount"]["used"]["value"]) == (payer, left)


async def test_what_is_left_is_what_a_refusal_says(cell: ApiCell) -> None:
    await limit(cell, "wallet", 15_000)
    await cell.fund()
    payer = await cell.payer()
    await pay(cell, payer)
    left = (await limits(cell))["wallet-day-amount"]["left"]
    quote = await cell.quote("100.00")
    body = {"quote_id": quote["id"], "recipient_id": await cell.recipient(), "payer_id": payer}
    refused = (await cell.client.post("/v1/transfers", json=body, headers={"Idempotency-Key": "over"})).json()
    assert (refused["code"], refused["limit"], refused["left"]) == ("limit-exceeded", "wallet-day-amount", left)


async def test_anothers_wallet_and_payer_are_nobodys(cell: ApiCell) -> None:
    wallet, payer = cell.wallets["EUR"].wallet_id, await cell.payer()
    for name, value in (("wallet_id", wallet), ("payer_id", payer), ("wallet_id", "tr_x"), ("payer_id", wallet)):
        answer = await cell.other.get("/v1/limits", params={name: value})
        assert (answer.status_code, answer.json()["code"]) in [(404, "unknown-wallet"), (404, "payer-not-found")]
        assert answer.json()["parameter"] == name


async def test_fees_are_those_that_quotes_name(cell: ApiCell) -> None:
    found = {one["rule"]: one for one in (await cell.client.get("/v1/fees")).json()["data"]}
    named = (await cell.quote("1000.00", target="IDR"))["fees"][0]
    rule = found[named["rule"]]
    assert (rule["version"], rule["paid_by"], rule["agreed"]) == (named["version"], "payer", False)
    assert rule["takes"] == "1.00 EUR plus 0.20 % of the amount"
    assert named["amount"]["value"] == "3.00"
    assert "gbp-idr" not in found, "no pound leaves a wallet of this region"


async def test_a_fee_that_was_agreed_takes_the_place_of_everybodys(cell: ApiCell) -> None:
    for name, tenant, applies in (
        ("eur-idr", cell.tenant.tenant_id, "currency == 'EUR' && target_currency == 'IDR'"),
        ("others", cell.stranger.tenant_id, "true"),
        ("labelled", PLATFORM, "'x' in metadata.tags"),
        ("enterprise", PLATFORM, "tier == 'enterprise'"),
    ):
        async with transaction(cell.parts.writer) as connection:
            await store_fees.add(connection, "EU", FeeRule(name, 1, tenant, "PRE", applies, "5", datetime.now(UTC)))
    found = {one["rule"]: one for one in (await cell.client.get("/v1/fees")).json()["data"]}
    assert (found["eur-idr"]["agreed"], found["eur-idr"]["takes"]) == (True, "0.05 EUR")
    assert "labelled" in found, "what may apply is shown"
    assert not {"others", "enterprise"} & set(found)
