"""A currency is offered where a rail moves it in and out, and then everywhere; what no rail moves is offered nowhere.

`test_add_a_rail.py` runs this again in a copy that has one rail more.
"""

import re
from collections.abc import AsyncIterator

import pytest

from cells.backends.postgres import transaction
from cells.batches.columns import COLUMNS
from cells.fx.fees import Circumstances, Tariff
from cells.fx.store_fees import all_rules
from cells.kit.money import CURRENCIES
from cells.rails.account_forms import form_of_currency
from cells.rails.accounts import form_of
from cells.rails.profile_files import rail_profiles
from residency.directory import load_directory
from tests.support.api_cell import RECIPIENT, ApiCell, open_api_cell
from tests.support.following import ROOT

MOVED = {cell.name: {rail_profiles()[rail].currency for rail in cell.rails} for cell in load_directory().cells.values()}
OFFERED = set().union(*MOVED.values())
HERE = MOVED["eu-1"]


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


def status(currency: str, made: int) -> int:
    """What a request about that currency is answered here: done, sent to the region that holds it, or refused."""
    return made if currency in HERE else 421 if currency in OFFERED else 422


async def test_the_lists_have_what_rails_move_and_no_more(cell: ApiCell) -> None:
    regions = (await cell.client.get("/v1/regions")).json()
    assert {code for one in regions["data"] for code in one["currencies"]} == OFFERED
    for end in ("source_currency", "target_currency"):
        assert {one[end] for one in regions["corridors"]} == OFFERED
    rates = (await cell.client.get("/v1/rates")).json()["data"]
    assert {one["source"] for one in rates} == {one["target"] for one in rates} == OFFERED


@pytest.mark.parametrize("currency", sorted(CURRENCIES))
async def test_a_currency_is_asked_for_wherever_one_can_be_named(cell: ApiCell, currency: str) -> None:
    for noun, asked in (
        ("recipients", {"target_currency": currency}),
        ("payers", {"source_currency": currency, "target_currency": "EUR"}),
        ("payers", {"source_currency": "EUR", "target_currency": currency}),
    ):
        answer = await cell.client.get(f"/v1/{noun}/requirements", params=asked)
        assert answer.status_code == (200 if currency in OFFERED else 422), (noun, asked)
    out = {"source": {"value": "500.00", "currency": "EUR"}, "target_currency": currency}
    assert (await cell.client.post("/v1/quotes", json=out)).status_code == (201 if currency in OFFERED else 422)
    of = {"source": {"value": "5000.00", "currency": currency}, "target_currency": "EUR"}
    assert (await cell.client.post("/v1/quotes", json=of)).status_code == status(currency, 201)
    recipient = {
        **RECIPIENT,
        "currency": currency,
        "account": dict(form_of(currency if form_of_currency(currency) else "EUR")[1]),
    }
    answer = await cell.client.post("/v1/recipients", json=recipient, headers={"Kovra-Region": "EU"})
    assert answer.status_code == status(currency, 201), answer.text


async def test_a_cell_is_founded_with_its_own_currencies(cell: ApiCell) -> None:
    async with transaction(cell.parts.writer) as connection:
        limits = await connection.fetch("select distinct currency from limit_rules")
        wallets = await connection.fetch("select distinct currency from wallets where tenant_id like 'cell:%'")
        rules = tuple(await all_rules(connection, "EU"))
    assert {row["currency"] for row in limits} == {row["currency"] for row in wallets} == HERE
    priced = {
        source
        for source in CURRENCIES
        for target in OFFERED
        if Tariff(rules, Circumstances(source, target, "EU-EU", "", "starter")).of("PRE", 10**6)
    }
    assert priced == HERE


async def test_no_text_for_partners_names_another(cell: ApiCell) -> None:
    pages = ("README.md", "router/README.md", "router/PARTNERS.md", "router/ACCESS.md", "router/WEBHOOKS.md")
    texts = {name: (ROOT / name).read_text() for name in pages}
    texts["openapi.json"] = (await cell.anyone.get("/openapi.json")).text
    texts["kovra pay --help"] = "\n".join(COLUMNS.values())
    other = re.compile(rf"\b({'|'.join(set(CURRENCIES) - OFFERED)})\b")
    assert {name: sorted(set(other.findall(text))) for name, text in texts.items() if other.search(text)} == {}
