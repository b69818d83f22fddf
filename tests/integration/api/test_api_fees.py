"""Fees and limits as partners meet them: every fee of a quote by itself, labels that change them, what the recipient pays, and refusals
that say what stands in the way."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from cells.backends.postgres import transaction
from cells.fx import fee_book, store_fees
from cells.fx.fees import PLATFORM, FeeRule, Kind
from cells.limits import book, store_rules
from cells.limits.rules import ANY, LimitRule
from tests.support.api_cell import ApiCell, open_api_cell


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    # A rule that is added counts at once here, not in two seconds.
    monkeypatch.setattr(fee_book, "_FRESH_S", 0.0)
    monkeypatch.setattr(book, "_FRESH_S", 0.0)
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def add(cell: ApiCell, name: str, kind: Kind, amount: str, applies: str = "true", tenant: str = PLATFORM) -> None:
    async with transaction(cell.parts.writer) as connection:
        rule = FeeRule(name, 1, tenant, kind, applies, amount, datetime.now(UTC))
        await store_fees.add(connection, "EU", rule)


async def limit(cell: ApiCell, scope: str, window: str, measure: str, value: int) -> None:
    rule = LimitRule(ANY, "growth", "EUR", scope, ANY, window, measure, 1, value, datetime.now(UTC))  # type: ignore[arg-type]
    async with transaction(cell.parts.writer) as connection:
        await store_rules.add(connection, "EU", rule)


def asked(value: str = "1000.00", tags: str | None = None) -> dict:
    metadata = {} if tags is None else {"metadata": {"tags": tags, "order": "4711"}}
    return {"source": {"value": value, "currency": "EUR"}, "target_currency": "IDR", **metadata}


async def test_a_quote_says_every_fee_and_the_rule_that_it_follows(cell: ApiCell) -> None:
    answer = await cell.client.post("/v1/quotes", json=asked())
    quote = answer.json()
    assert answer.status_code == 201
    assert quote["fees"] == [
        {"kind": "PRE", "rule": "eur-idr", "version": 1, "amount": {"value": "3.00", "currency": "EUR"}}
    ]
    assert (quote["fee"]["value"], quote["recipient_fee"]) == ("3.00", {"value": "0.00", "currency": "IDR"})
    assert (await cell.client.get(f"/v1/quotes/{quote['id']}")).json() == quote


async def test_labels_in_the_metadata_change_the_fee_and_the_version_is_told(cell: ApiCell) -> None:
    await add(
        cell,
        "eur-idr",
        "PRE",
        "100 + bps(amount_minor, 20)",
        "target_currency == 'IDR' && !('payroll' in metadata.tags)",
    )
    free = (await cell.client.post("/v1/quotes", json=asked(tags="q4, payroll"))).json()
    assert (free["fees"], free["fee"]["value"]) == ([], "0.00")
    dear = (await cell.client.post("/v1/quotes", json=asked(tags="q4"))).json()
    assert [(one["rule"], one["version"]) for one in dear["fees"]] == [("eur-idr", 2)]
    bad = await cell.client.post("/v1/quotes", json={**asked(), "metadata": {"tags": ["payroll"]}})
    assert (bad.status_code, bad.json()["code"]) == (422, "invalid-request")


async def test_what_the_recipient_pays_is_taken_off_and_itemised(cell: ApiCell) -> None:
    without = (await cell.client.post("/v1/quotes", json=asked())).json()
    await add(cell, "idr-in", "POST", "650050", "target_currency == 'IDR'")
    quote = (await cell.client.post("/v1/quotes", json=asked())).json()
    assert [one["kind"] for one in quote["fees"]] == ["PRE", "POST"]
    assert quote["fees"][1]["amount"] == quote["recipient_fee"] == {"value": "6500.00", "currency": "IDR"}
    assert float(without["target"]["value"]) - float(quote["target"]["value"]) == 6_500
    fixed = {"target": {"value": "1000000.00", "currency": "IDR"}, "source_currency": "EUR"}
    arrives = (await cell.client.post("/v1/quotes", json=fixed)).json()
    assert arrives["target"]["value"] == "1000000.00", "what is fixed is what arrives"
    assert arrives["recipient_fee"]["value"] == "6500.00"


async def test_a_tenants_own_rule_is_not_another_tenants(cell: ApiCell) -> None:
    await add(cell, "eur-idr", "PRE", "1", tenant=cell.tenant.tenant_id)
    ours = (await cell.client.post("/v1/quotes", json=asked())).json()
    theirs = (await cell.other.post("/v1/quotes", json=asked())).json()
    assert (ours["fee"]["value"], theirs["fee"]["value"]) == ("0.01", "3.00")


async def test_a_rule_that_fails_is_a_problem_that_says_so_and_never_a_bare_500(cell: ApiCell) -> None:
    await add(cell, "broken", "PRE", "1 / (amount_minor - 100000)")
    answer = await cell.client.post("/v1/quotes", json=asked())
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (503, "fees-unavailable", True)
    assert "amount_minor" not in answer.text
    assert (await cell.client.post("/v1/quotes", json=asked("999.00"))).status_code == 201


@pytest.mark.parametrize(
    ("scope", "window", "measure", "value", "left"),
    [
        ("payer", "transfer", "amount", 9_999, {"value": "99.99", "currency": "EUR"}),
        ("wallet", "day", "amount", 15_000, {"value": "50.00", "currency": "EUR"}),
        ("payer", "month", "count", 1, 0),
        ("tenant", "day", "count", 1, 0),
    ],
)
async def test_a_refusal_names_the_limit_its_window_and_what_remains(
    cell: ApiCell, scope: str, window: str, measure: str, value: int, left: object
) -> None:
    await cell.fund()
    await limit(cell, scope, window, measure, value)
    recipient, payer = await cell.recipient(), await cell.payer()

    async def pay(key: str):
        body = {"quote_id": (await cell.quote())["id"], "recipient_id": recipient, "payer_id": payer}
        return await cell.client.post("/v1/transfers", json=body, headers={"Idempotency-Key": key})

    if window != "transfer":
        assert (await pay("first")).status_code == 202
    answer = await pay("second")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "limit-exceeded"), answer.text
    named = {name: problem[name] for name in ("limit", "scope", "window", "measure", "left")}
    assert named == {
        "limit": f"{scope}-{window}-{measure}", "scope": scope, "window": window, "measure": measure, "left": left,
    }  # fmt: skip
    assert ("resets_at" in problem) == (window != "transfer")
    again = await pay("second")
    assert again.status_code == 422
