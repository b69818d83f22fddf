"""Recipients, payers, webhooks, events, rates and regions through the API of one cell."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cells.backends.postgres import transaction
from tests.support.api_cell import PAYER, RECIPIENT, ApiCell, open_api_cell

HERE = {"Kovra-Region": "EU"}


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def erased(cell: ApiCell, subject_id: str) -> bool:
    async with transaction(cell.parts.writer) as connection:
        return await connection.fetchval("select erased_at is not null from subjects where subject_id = $1", subject_id)


@pytest.mark.parametrize(("noun", "body"), [("recipients", RECIPIENT), ("payers", PAYER)])
async def test_parties_are_made_read_listed_and_deleted(cell: ApiCell, noun: str, body: dict[str, Any]) -> None:
    path = f"/v1/{noun}"
    made = [(await cell.client.post(path, json=body, headers=HERE)).json() for _ in range(3)]
    assert made[0]["details"]["name"] == body["name"]
    assert made[0]["status"] == "active"
    assert (await cell.client.get(f"{path}/{made[0]['id']}")).json() == made[0]
    first = (await cell.client.get(path, params={"limit": 2})).json()
    rest = (await cell.client.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["id"] for one in first["data"] + rest["data"]] == [one["id"] for one in made]
    assert rest["next_cursor"] is None
    assert (await cell.client.delete(f"{path}/{made[0]['id']}")).status_code == 204
    gone = await cell.client.get(f"{path}/{made[0]['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, f"{noun[:-1]}-not-found")
    assert await erased(cell, made[0]["id"].partition(".")[0])


@pytest.mark.parametrize(("noun", "body"), [("recipients", RECIPIENT), ("payers", PAYER)])
async def test_a_party_is_made_once_per_key_and_the_kept_answer_names_nobody(
    cell: ApiCell, noun: str, body: dict[str, Any]
) -> None:
    headers = {**HERE, "Idempotency-Key": "k"}
    first, *at_once = await asyncio.gather(
        *(cell.client.post(f"/v1/{noun}", json=body, headers=headers) for _ in range(40))
    )
    assert {(one.status_code, one.json()["id"]) for one in at_once} == {(201, first.json()["id"])}
    again = await cell.client.post(f"/v1/{noun}", json=body, headers=headers)
    assert (again.status_code, again.json(), again.headers["Idempotent-Replayed"]) == (201, first.json(), "true")
    other = await cell.client.post(f"/v1/{noun}", json={**body, "name": "Someone Else"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    async with transaction(cell.parts.writer) as connection:
        kept = await connection.fetchval("select string_agg(k::text, '') from idempotency_keys k")
    assert body["name"].split()[0] not in kept


async def test_who_was_paid_is_kept_as_long_as_the_law_says(cell: ApiCell) -> None:
    await cell.fund()
    quote, recipient, payer = await cell.quote(), await cell.recipient(), await cell.payer()
    asked = {"quote_id": quote["id"], "recipient_id": recipient, "payer_id": payer}
    answer = await cell.client.post("/v1/transfers", json=asked, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 202
    for path, subject in ((f"/v1/recipients/{recipient}", recipient.partition(".")[0]), (f"/v1/payers/{payer}", payer)):
        assert (await cell.client.delete(path)).status_code == 204
        assert not await erased(cell, subject)
        async with transaction(cell.parts.writer) as connection:
            due = "select erase_after > now() + interval '4 years' from subjects where subject_id = $1"
            assert await connection.fetchval(due, subject)


async def test_webhook_endpoints(cell: ApiCell) -> None:
    body = {"url": "https://example.com/hook", "event_types": ["transfer.completed"]}
    made = (await cell.client.post("/v1/webhooks", json=body)).json()
    assert made["secret"].startswith("whsec_")
    [listed] = (await cell.client.get("/v1/webhooks")).json()["data"]
    assert "secret" not in listed
    region, path = made["jwks_path"][1:].split("/", 1)
    assert region == "eu", "the router finds the cell by it"
    keys = (await cell.anyone.get(f"/{path}")).json()["keys"]
    assert [(one["kty"], "d" in one) for one in keys] == [("EC", False), ("OKP", False)]
    for url, code in (
        ("http://example.com", "webhook-url-not-allowed"),
        ("https://10.0.0.1/x", "webhook-url-not-allowed"),
    ):
        answer = await cell.client.post("/v1/webhooks", json={"url": url})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    unknown = await cell.client.post("/v1/webhooks", json={**body, "event_types": ["nothing"]})
    assert unknown.json()["code"] == "unknown-event-type"
    assert (await cell.client.delete(f"/v1/webhooks/{made['id']}")).status_code == 204
    assert (await cell.client.get("/v1/webhooks")).json()["data"] == []


async def test_the_rails_as_they_stand(cell: ApiCell) -> None:
    rails = (await cell.client.get("/v1/rails")).json()["data"]
    assert [(one["name"], one["cell"], one["breaker"]) for one in rails] == [
        ("sepa_instant", "eu-1", "closed"),
        ("sepa_credit_transfer", "eu-1", "closed"),
    ]
    instant, transfer = rails
    assert (instant["open"], instant["next_opening"], instant["ceiling"]) == (True, None, None)
    assert transfer["ceiling"] == {"value": "999999999.99", "currency": "EUR"}
    assert transfer["open"] == (transfer["next_opening"] is None)
    assert transfer["settles_by"] > instant["settles_by"]


async def test_rates_and_regions(cell: ApiCell) -> None:
    rates = (await cell.client.get("/v1/rates", params={"source": "EUR", "target": "IDR"})).json()
    assert [one["source"] + one["target"] for one in rates["data"]] == ["EURIDR"]
    assert rates["rate_source"].startswith("ECB")
    assert (rates["kind"], rates["indicative"]) == ("mid", True)
    regions = (await cell.client.get("/v1/regions")).json()
    assert [one["region"] for one in regions["data"]] == ["EU", "ID", "UK"]
    assert regions["here"] == "EU"
    hours = {rail["name"]: rail["hours"] for one in regions["data"] for rail in one["rails"]}
    assert hours["sepa_instant"] is None
    assert (hours["chaps"]["zone"], hours["chaps"]["calendar"]) == ("Europe/London", "GB")
    corridors = {(one["source_currency"], one["target_currency"]): one for one in regions["corridors"]}
    assert corridors["EUR", "IDR"]["rails"] == ["bi_fast", "bi_rtgs"]
    assert (corridors["EUR", "EUR"]["crosses_border"], corridors["EUR", "GBP"]["crosses_border"]) == (False, True)


async def test_pages_that_are_open_to_all(cell: ApiCell) -> None:
    await cell.client.get("/v1/regions")
    assert (await cell.anyone.get("/healthz")).json()["cell"] == "eu-1"
    figures = (await cell.anyone.get("/metrics")).text
    assert 'kovra_api_request_seconds_count{method="GET",route="/v1/regions",status="200"}' in figures
    page = await cell.anyone.get("/problems/quote-expired")
    assert "The quote has expired" in page.text
    assert (await cell.anyone.get("/problems/nothing")).status_code == 404
    assert "quote-used" in (await cell.anyone.get("/problems")).text
    assert (await cell.anyone.get("/docs")).status_code == 200
    assert (await cell.anyone.get("/openapi.json")).json()["openapi"].startswith("3.1")


async def test_the_wallets_show_their_account_numbers(cell: ApiCell) -> None:
    data = (await cell.client.get("/v1/wallets")).json()["data"]
    assert {one["currency"]: one["account_number"] for one in data} == {
        currency: wallet.account_number for currency, wallet in cell.wallets.items()
    }
    assert all(one["available"]["value"] == "0.00" for one in data)


async def test_quotes_are_listed_newest_first_in_pages(cell: ApiCell) -> None:
    made = [(await cell.quote(value))["id"] for value in ("10.00", "20.00", "30.00")]
    first = (await cell.client.get("/v1/quotes", params={"limit": 2})).json()
    rest = (await cell.client.get("/v1/quotes", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["id"] for one in first["data"] + rest["data"]] == made[::-1]
    assert (rest["next_cursor"], (await cell.other.get("/v1/quotes")).json()["data"]) == (None, [])
    assert (await cell.client.get(f"/v1/quotes/{made[0]}")).json() == rest["data"][0]


@pytest.mark.parametrize(("noun", "body"), [("recipients", RECIPIENT), ("payers", PAYER)])
async def test_a_party_whose_name_loses_letters_is_told_what_to_do(
    cell: ApiCell, noun: str, body: dict[str, Any]
) -> None:
    refused = await cell.client.post(f"/v1/{noun}", json={**body, "name": "李 3"}, headers=HERE)
    assert refused.status_code == 422
    problem = refused.json()
    assert (problem["code"], problem["pointer"], problem["places"]) == ("letters-unwritable", "/name", [1])
    assert "Latin letters" in problem["detail"]
    assert (await cell.client.get(f"/v1/{noun}")).json()["data"] == []


async def test_a_party_is_told_what_each_scheme_is_given_of_it(cell: ApiCell) -> None:
    name, street = "Straße " * 12 + "Ŧ", "Großßßßße " * 7
    body = {**RECIPIENT, "name": name, "address": {"street": street, "town": "Göteborg", "country": "SE"}}
    made = (await cell.client.post("/v1/recipients", json=body, headers=HERE)).json()
    assert [one["rail"] for one in made["sent_as"]] == ["sepa_instant", "sepa_credit_transfer"]
    for one in made["sent_as"]:
        whole = ("Strasse " * 12 + "T").strip()
        assert one["name"] == whole[:70].strip()
        assert one["cut"] == {
            "name": len(whole) - len(one["name"]),
            "street": len(street.strip().replace("ß", "ss")) - 70,
        }
    assert (await cell.client.get(f"/v1/recipients/{made['id']}")).json() == made
    assert (await cell.client.get("/v1/recipients")).json()["data"] == [made]

    payer = (await cell.client.post("/v1/payers", json={**PAYER, "name": "Þ" * 60}, headers=HERE)).json()
    cut = {one["rail"]: one["cut"].get("name", 0) for one in payer["sent_as"]}
    assert cut == {
        "sepa_instant": 50, "sepa_credit_transfer": 50, "faster_payments": 80, "chaps": 0, "bi_fast": 0, "bi_rtgs": 0
    }  # fmt: skip
