"""`kovra fees` and `kovra limits` as an operator runs them, over cells of a home folder."""

import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from cells.kit.money import format_amount, money
from residency.errors import KovraError
from residency.ids import mint
from router.cli import fees, limits
from router.cli.tables import amount_of
from tests.support.reconciled_cells import Reconciled, at_home, invoke

EU = ("--cell", "eu-1", "--json")


@pytest.fixture
async def cells(cell_database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reconciled]:
    async with at_home(cell_database, tmp_path, monkeypatch) as opened:
        yield opened


run = partial(invoke, of=[fees.register, limits.register])


async def told(*arguments: str) -> dict:
    result = await run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


async def refused(*arguments: str) -> KovraError:
    result = await run(*arguments)
    assert isinstance(result.exception, KovraError), (result.output, result.exception)
    return result.exception


async def test_rules_are_listed_added_and_explained(cells: Reconciled) -> None:
    before = (await told("fees", "list", *EU))["rules"]
    assert [one["version"] for one in before if one["rule"] == "eur-idr"] == [1]
    added = await told(
        "fees", "add", "eur-idr", "PRE", "100 + bps(amount_minor, 20)", "--applies",
        "currency == 'EUR' && target_currency == 'IDR' && !('payroll' in metadata.tags)", *EU,
    )  # fmt: skip
    assert [(one["cell"], one["version"]) for one in added["rules"]] == [("eu-1", 2)]
    await told("fees", "add", "idr-in", "POST", "650050", "--applies", "target_currency == 'IDR'", *EU)
    after = (await told("fees", "list", *EU))["rules"]
    assert [one["version"] for one in after if one["rule"] == "eur-idr"] == [2]
    assert len((await told("fees", "list", "--all", *EU))["rules"]) == len(before) + 2

    step = await told("fees", "explain", "1000.00", "EUR", "IDR", "--tier", "growth", *EU)
    applying = [(one["rule"], one["kind"], amount_of(one["fee"])) for one in step["rules"] if one["applies"]]
    assert applying == [("eur-idr", "PRE", "3.00 EUR"), ("idr-in", "POST", "6500.50 IDR")]
    assert amount_of(step["price"]["fee"]) == "3.00 EUR"
    assert amount_of(step["price"]["recipient_fee"]) == "6500.00 IDR"
    free = await told("fees", "explain", "1000.00", "EUR", "IDR", "--tags", "payroll", *EU)
    assert amount_of(free["price"]["fee"]) == "0.00 EUR"

    table = await run("fees", "explain", "1000.00", "EUR", "IDR", "--cell", "eu-1")
    assert table.exit_code == 0
    for word in ("eur-idr", "recipient fee", "arrives", "650050"):
        assert word in table.output


async def test_explain_says_where_a_rule_fails(cells: Reconciled) -> None:
    await told("fees", "add", "broken", "PRE", "1 / (amount_minor - 100000)", *EU)
    step = await told("fees", "explain", "1000.00", "EUR", "IDR", *EU)
    assert step["price"] is None
    [problem] = [one["problem"] for one in step["rules"] if one["problem"]]
    assert "divide by zero" in problem
    assert (await told("fees", "explain", "999.00", "EUR", "IDR", *EU))["price"] is not None


async def test_explain_refuses_a_rail_that_does_not_pay_out_that_currency(cells: Reconciled) -> None:
    for rail in ("chaps", "nowhere"):
        assert (await refused("fees", "explain", "1000.00", "EUR", "IDR", "--rail", rail, *EU)).detail


async def test_explain_refuses_a_currency_that_no_wallet_has(cells: Reconciled) -> None:
    error = await refused("fees", "explain", "1000.00", "USD", "IDR", *EU)
    assert (error.code, "use one of" in error.detail) == ("unknown-choice", True)


async def test_what_is_wrong_is_refused_and_adds_nothing(cells: Reconciled) -> None:
    before = await told("fees", "list", "--all", *EU)
    for arguments in (
        ("eur-idr", "PRE", "1.5"),
        ("eur-idr", "POST", "1"),
        ("eur-idr", "BOTH", "1"),
        ("Nope", "PRE", "1"),
        ("eur-idr", "PRE", "1", "--from", "yesterday"),
        ("eur-idr", "PRE", "1", "--from", "2026-01-01T00:00:00Z"),
        ("eur-idr", "PRE", "1", "--tenant", "ten_eu1_nobody"),
        ("eur-idr", "PRE", "1", "--applies", "amount_minor"),
    ):
        assert (await refused("fees", "add", *arguments, *EU)).detail
    assert (await refused("fees", "list", "--cell", "xx-1")).code == "unknown-choice"
    assert await told("fees", "list", "--all", *EU) == before


async def test_a_back_test_shows_the_difference_and_changes_nothing(cells: Reconciled) -> None:
    first, _, _ = await cells.abroad(100_000), await cells.abroad(20_000), await cells.at_home()
    before = await told("fees", "list", "--all", *EU)
    candidate = ("eur-idr", "PRE", "amount_minor > 50000 ? 500 : 140", "--applies", "target_currency == 'IDR'")
    found = await told("fees", "backtest", *candidate, *EU)
    assert found["currencies"]["EUR"] == {
        "payments": 3, "dearer": 1, "cheaper": 0, "failing": 0, "was": money(460, "EUR"), "would_be": money(660, "EUR"),
        "difference": money(200, "EUR"),
        "differing": [{"transfer_id": first.transfer_id, "was": money(300, "EUR"), "would_be": money(500, "EUR")}],
    }  # fmt: skip
    table = await run("fees", "backtest", *candidate, "--cell", "eu-1")
    assert first.transfer_id in table.output
    assert await told("fees", "list", "--all", *EU) == before


async def test_limits_are_listed_and_set(cells: Reconciled) -> None:
    before = (await told("limits", "list", *EU))["limits"]
    starter = [one for one in before if (one["tier"], one["currency"], one["window"]) == ("starter", "EUR", "transfer")]
    assert [one["value"] for one in starter] == [money(1_000_000, "EUR")]
    for version, value in ((1, 70_000), (2, 65_000)):
        done = await told("limits", "set", "payer", "day", "amount", "EUR", format_amount(value, "EUR"), *EU)
        assert [(one["version"], one["value"]) for one in done["limits"]] == [(version, money(value, "EUR"))]
    payer = mint("pyr", "eu-1")
    one_payers = await told("limits", "set", "payer", "month", "count", "EUR", "3", "--of", payer, "--json")
    assert [one["cell"] for one in one_payers["limits"]] == ["eu-1"], "where that payer lives"
    after = (await told("limits", "list", *EU))["limits"]
    assert [one["value"] for one in after if one["scope"] == "payer"] == [money(65_000, "EUR"), 3]
    assert "650.00 EUR" in (await run("limits", "list", "--cell", "eu-1")).output

    quote = await cells.eu.quote(cells.cells.tenant, "EUR", "EUR", 65_001, "sepa_instant")
    answer = await cells.eu.accept(cells.wallet, quote, cells.weiss, cells.payer)
    assert (answer.status, answer.body["code"]) == (422, "limit-exceeded")


async def test_what_is_no_limit_is_refused(cells: Reconciled) -> None:
    for arguments in (
        ("payer", "transfer", "count", "EUR", "3"),
        ("payer", "day", "count", "EUR", "1.5"),
        ("payer", "day", "amount", "EUR", "1e3"),
        ("payer", "day", "amount", "XXX", "1.00"),
        ("payer", "year", "amount", "EUR", "1.00"),
        ("everyone", "day", "amount", "EUR", "1.00"),
        ("tenant", "day", "amount", "EUR", "1.00", "--of", mint("wal", "eu-1")),
        ("tenant", "day", "amount", "EUR", "1.00", "--tier", "golden"),
        ("wallet", "day", "amount", "EUR", "1.00", "--of", mint("wal", "uk-1")),
        ("tenant", "day", "amount", "EUR", "1.00", "--tenant", "ten_eu1_nobody"),
    ):
        assert (await refused("limits", "set", *arguments, *EU)).detail
