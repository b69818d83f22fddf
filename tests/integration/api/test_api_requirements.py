"""The forms that the API gives out for recipients and payers: each of their examples is taken, and what they leave out is refused."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cells.parties.models import PayerNew, RecipientNew
from cells.payments.personal import lack
from residency.travel_rule import demand
from router.api.v1.requirements import RequirementsShown
from tests.support.api_cell import ApiCell, open_api_cell

CORRIDORS = [("EUR", "IDR"), ("EUR", "GBP"), ("GBP", "IDR"), ("GBP", "EUR"), ("IDR", "EUR")]
REGIONS = {"EUR": "EU", "GBP": "UK", "IDR": "ID"}


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def requirements(cell: ApiCell, noun: str, **asked: str) -> dict[str, Any]:
    answer = await cell.client.get(f"/v1/{noun}/requirements", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    RequirementsShown.model_validate(found, strict=True)
    for form in found["forms"]:
        Draft202012Validator.check_schema(form["json_schema"])
        for example in form["examples"]:
            Draft202012Validator(form["json_schema"]).validate(example)
    return found


async def test_the_example_of_each_form_makes_a_recipient(cell: ApiCell) -> None:
    found = await requirements(cell, "recipients", target_currency="EUR", source_currency="GBP")
    assert (found["region"], found["crosses_border"]) == ("EU", True)
    assert [form["kind"] for form in found["forms"]] == ["person", "business"]
    for example in [example for form in found["forms"] for example in form["examples"]]:
        made = await cell.client.post("/v1/recipients", json=example, headers={"Kovra-Region": found["region"]})
        assert made.status_code == 201, made.text


@pytest.mark.parametrize("currency", ["GBP", "IDR"])
async def test_every_cell_knows_the_forms_of_every_region(cell: ApiCell, currency: str) -> None:
    found = await requirements(cell, "recipients", target_currency=currency, kind="business")
    assert found["region"] == REGIONS[currency]
    [form] = found["forms"]
    RecipientNew.model_validate(form["examples"][0])
    [account] = [group for group in form["groups"] if group["label"] == "Bank account"]
    assert all(field["pattern"] and field["example"] for field in account["fields"])
    assert [field["pointer"] for field in account["fields"]][-1] == "/account/account_number"


@pytest.mark.parametrize(("source", "target"), CORRIDORS)
async def test_a_payer_of_each_example_lacks_nothing_and_one_with_less_does(
    cell: ApiCell, source: str, target: str
) -> None:
    found = await requirements(cell, "payers", source_currency=source, target_currency=target)
    wanted = demand(REGIONS[source], REGIONS[target], target, 10**12)
    assert found["region"] == REGIONS[source]
    assert [one["region"] for one in found["basis"]] == [REGIONS[source], REGIONS[target]]
    for form in found["forms"]:
        for example in form["examples"]:
            assert lack(wanted, PayerNew.model_validate(example), "number") is None
            for name in set(example) - {"kind", "name"}:
                less = {key: value for key, value in example.items() if key != name}
                assert lack(wanted, PayerNew.model_validate(less), "number") is not None
                assert not Draft202012Validator(form["json_schema"]).is_valid(less)
            if found["region"] == "EU":
                made = await cell.client.post("/v1/payers", json=example, headers={"Kovra-Region": "EU"})
                assert made.status_code == 201, made.text


async def test_a_field_that_is_sent_as_an_array_says_how_many_and_shows_one(cell: ApiCell) -> None:
    found = await requirements(cell, "recipients", target_currency="EUR")
    for form in found["forms"]:
        shown = {field["pointer"]: field for group in form["groups"] for field in group["fields"]}
        lines = shown["/address/lines"]
        assert (lines["max_items"], lines["max_length"], lines["example"]) == (2, 70, "Gate B, 3rd floor")
        assert shown["/address/town"]["max_items"] is None


async def test_a_small_amount_and_a_payment_at_home_ask_for_less(cell: ApiCell) -> None:
    small = await requirements(cell, "payers", source_currency="EUR", target_currency="GBP", target_value="1.00")
    home = await requirements(cell, "payers", source_currency="EUR", target_currency="EUR")
    for found in (small, home):
        assert [form["json_schema"]["required"] for form in found["forms"]] == [["kind", "name"]] * 2
    assert (home["crosses_border"], home["basis"]) == (False, [])


async def test_what_cannot_be_asked_for(cell: ApiCell) -> None:
    for noun, asked, code in (
        *(("recipients", {"target_currency": one}, "no-rail-for-currency") for one in ("USD", "SEK", "DKK")),
        ("recipients", {"target_currency": "XXX"}, "unknown-currency"),
        ("recipients", {}, "invalid-request"),
        ("payers", {"source_currency": "EUR", "target_currency": "USD"}, "no-rail-for-currency"),
        ("payers", {"source_currency": "EUR", "target_currency": "IDR", "target_value": "0.001"}, "invalid-request"),
    ):
        answer = await cell.client.get(f"/v1/{noun}/requirements", params=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, code), (noun, asked)
