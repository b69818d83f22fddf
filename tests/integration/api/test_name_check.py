"""The payee-name check over HTTP, against the running scheme simulator."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from cells.backends.postgres import transaction
from cells.rails.connection import sign
from cells.rails.name_check import UNAVAILABLE, HttpNameCheck, NameAnswer, name_check_for
from infra.schemes.magic import NAME_SCRIPTS
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.schemes import CREDITORS, RunningSchemes, start_schemes, stop_schemes

HERE = {"Kovra-Region": "EU"}
ALL_RAILS = ("sepa_instant", "sepa_credit_transfer", "faster_payments", "chaps", "bi_fast")
CURRENCY = {
    "sepa_instant": "EUR",
    "sepa_credit_transfer": "EUR",
    "faster_payments": "GBP",
    "chaps": "GBP",
    "bi_fast": "IDR",
}


@pytest.fixture
def own_schemes() -> Iterator[RunningSchemes]:
    running = start_schemes()
    yield running
    stop_schemes(running)


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


def check_on(schemes: RunningSchemes, rail: str, time_s: float = 3.0) -> HttpNameCheck:
    return HttpNameCheck(schemes.connection(rail), time_s)


async def asked(cell: ApiCell, recipient_id: str) -> httpx.Response:
    return await cell.client.post(f"/v1/recipients/{recipient_id}/name-check")


@pytest.mark.parametrize(
    ("name", "result", "registered"),
    [
        ("Jürgen Weiß", "match", None),
        ("Jürgen Weiss Sandbox name close", "close", "Jürgen Weiss"),
        ("Jürgen Sandbox Name Wrong", "no_match", None),
        ("Jürgen Sandbox Name Unknown", "unavailable", None),
    ],
)
async def test_what_the_bank_says_is_told_and_kept_without_a_name(
    cell: ApiCell, name: str, result: str, registered: str | None
) -> None:
    recipient = await cell.recipient(name=name)
    path = f"/v1/recipients/{recipient}"
    assert "name_check" not in (await cell.client.get(path)).json()
    answer = await asked(cell, recipient)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["result"], told.get("registered_name")) == (result, registered)
    kept = (await cell.client.get(path)).json()["name_check"]
    assert kept == {"result": result, "checked_at": told["checked_at"]}
    row_id = recipient.partition(".")[0]
    async with transaction(cell.parts.writer) as connection:
        row = await connection.fetchval("select r::text from recipients r where recipient_id = $1", row_id)
        audited = await connection.fetch("select action, resource_id from audit_log where resource_id = $1", row_id)
    assert "rgen" not in row
    assert ("POST /v1/recipients/{recipient_id}/name-check", row_id) in [tuple(one) for one in audited]


async def test_asking_again_keeps_the_newest_answer(cell: ApiCell) -> None:
    recipient = await cell.recipient()
    first, second = (await asked(cell, recipient)).json(), (await asked(cell, recipient)).json()
    assert first["checked_at"] < second["checked_at"]
    kept = (await cell.client.get(f"/v1/recipients/{recipient}")).json()["name_check"]
    assert kept["checked_at"] == second["checked_at"]


async def test_a_wrong_name_stops_no_payment(cell: ApiCell) -> None:
    await cell.fund()
    recipient = await cell.recipient(name="Jürgen Sandbox Name Wrong")
    assert (await asked(cell, recipient)).json()["result"] == "no_match"
    body = {"quote_id": (await cell.quote())["id"], "recipient_id": recipient, "payer_id": await cell.payer()}
    answer = await cell.client.post("/v1/transfers", json=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 202


async def test_another_tenants_a_deleted_and_another_regions_recipient_are_not_asked_about(cell: ApiCell) -> None:
    recipient = await cell.recipient()
    path = f"/v1/recipients/{recipient}/name-check"
    answer = await cell.other.post(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "recipient-not-found")
    assert "name_check" not in (await cell.client.get(f"/v1/recipients/{recipient}")).json()
    assert (await cell.anyone.post(path)).status_code == 401
    answer = await cell.client.post(path.replace("rcp_eu1_", "rcp_id1_"))
    assert (answer.status_code, answer.json()["code"]) == (421, "wrong-region")
    assert (await cell.client.delete(f"/v1/recipients/{recipient}")).status_code == 204
    assert (await cell.client.post(path)).status_code == 404


@pytest.mark.parametrize("rail", ALL_RAILS)
async def test_every_magic_name_at_every_scheme_that_can_be_asked(schemes: RunningSchemes, rail: str) -> None:
    check, account = check_on(schemes, rail, 0.5), CREDITORS[CURRENCY[rail]]
    for script in NAME_SCRIPTS:
        answer = await check.check(account, f"Ayu {script.phrase}")
        assert answer == NameAnswer(script.result or "unavailable", "Ayu" if script.result == "close" else None)
    assert await check.check(account, "Ayu Lestari") == NameAnswer("match")


async def test_silence_is_over_at_the_deadline(schemes: RunningSchemes) -> None:
    before = datetime.now(UTC)
    assert await check_on(schemes, "sepa_instant", 0.4).check(CREDITORS["EUR"], "Sandbox Name Silence") == UNAVAILABLE
    assert 0.3 < (datetime.now(UTC) - before).total_seconds() < 3


async def test_a_scheme_that_is_down_is_unavailable_and_asked_again_when_it_is_back(
    own_schemes: RunningSchemes,
) -> None:
    check = check_on(own_schemes, "bi_fast")
    own_schemes.kill()
    assert await check.check(CREDITORS["IDR"], "Ayu Lestari") == UNAVAILABLE
    own_schemes.restart()
    assert await check.check(CREDITORS["IDR"], "Ayu Lestari") == NameAnswer("match")


async def test_a_wrong_secret_and_an_unreadable_question_hear_nothing(schemes: RunningSchemes) -> None:
    connection = schemes.connection("faster_payments")
    stranger = HttpNameCheck(replace(connection, secret=b"guessed"), 3.0)
    assert await stranger.check(CREDITORS["GBP"], "Ayu Lestari") == UNAVAILABLE
    body = b'{"name": "Ayu Lestari"}'
    async with httpx.AsyncClient() as client:
        headers = sign(connection.secret, body, datetime.now(UTC))
        answer = await client.post(f"{connection.url}/payee-check", content=body, headers=headers)
    assert answer.status_code == 400
    assert "Ayu" not in answer.text


async def test_each_cell_asks_its_own_scheme(cell: ApiCell) -> None:
    assert isinstance(name_check_for(cell.spec, "EUR"), HttpNameCheck)
    assert not isinstance(name_check_for(cell.spec, "GBP"), HttpNameCheck)
