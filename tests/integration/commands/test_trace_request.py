"""`kovra trace req_…`: a request by the id that its partner names; and what came of a quote, an intent or a batch."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from cells.audit import store as audit
from cells.audit.entry import Entry
from cells.backends.postgres import transaction
from residency.errors import KovraError
from residency.ids import mint
from router.cli import trace
from tests.integration.payments.test_returns import back
from tests.integration.payments.test_transfer_journey import cross
from tests.support.reconciled_cells import Reconciled, at_home, invoke


@pytest.fixture
async def cells(cell_database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reconciled]:
    async with at_home(cell_database, tmp_path, monkeypatch) as opened:
        yield opened


run = partial(invoke, of=[trace.register])


async def on_trail(cell, request_id: str, resource_id: str, outcome: str = "202") -> None:
    entry = Entry(
        datetime.now(UTC),
        mint("key", "eu-1"),
        mint("ten", "eu-1"),
        "POST /v1/transfers",
        resource_id,
        outcome,
        request_id,
    )
    async with transaction(cell.institution.pool) as connection:
        await audit.append(connection, cell.spec.region, cell.spec.name, [entry])


async def traced(subject_id: str) -> dict:
    result = await run(subject_id, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


async def test_a_request_is_found_with_its_answer_and_its_payment_in_every_region(cells: Reconciled) -> None:
    transfer, request_id = await cells.complete(await cells.abroad()), mint("req", "ed-0")
    await on_trail(cells.eu, request_id, transfer.transfer_id)
    await on_trail(cells.id, request_id, "", "422")
    found = await traced(request_id)
    assert [(one["cell"], one["action"], one["outcome"]) for one in found["calls"]] == [
        ("eu-1", "POST /v1/transfers", "202"),
        ("id-1", "POST /v1/transfers", "422"),
    ]
    [payment] = found["payments"]
    assert [leg["cell"] for leg in payment["legs"]] == ["eu-1", "id-1"]
    table = await run(request_id)
    for shown in (transfer.transfer_id, "POST /v1/transfers", "422", "nothing", "COMPLETED"):
        assert shown in table.output


async def test_a_refused_call_and_a_read_are_found_in_the_logs(cells: Reconciled, tmp_path: Path) -> None:
    request_id = mint("req", "ed-0")
    line = {
        "timestamp": "2026-11-29T10:00:00.5Z", "level": "info", "logger": "kovra.requests", "event": "answered", "process": "api", "cell": "eu-1",
        "request_id": request_id, "method": "GET", "route": "/v1/wallets", "status": 401, "duration_ms": 1.5, "tenant_id": "", "key_id": "",
        "resource_id": "", "region": "EU", "code": "invalid-api-key",
    }  # fmt: skip
    other = {**line, "request_id": mint("req", "ed-0"), "note": request_id}
    (tmp_path / "logs").mkdir()
    texts = [
        json.dumps(line),
        json.dumps(other),
        f"{request_id} is no JSON",
        json.dumps([request_id]),
        json.dumps({**line, "logger": "x"}),
    ]
    (tmp_path / "logs" / "eu-1-api.log").write_text("\n".join(texts) + "\n")
    found = await traced(request_id)
    assert [one["code"] for one in found["logged"]] == ["invalid-api-key"]
    assert (found["calls"], found["payments"]) == ([], [])
    table = await run(request_id)
    assert "invalid-api-key" in table.output
    assert "401" in table.output


async def test_a_quote_an_intent_and_a_request_that_made_one_lead_to_the_payment(cells: Reconciled) -> None:
    transfer, request_id = await cells.at_home(), mint("req", "eu-1")
    assert transfer.quote_id is not None
    intent_id = "int" + transfer.quote_id.removeprefix("qt")
    await on_trail(cells.eu, request_id, intent_id)
    for subject_id in (transfer.quote_id, intent_id, request_id):
        [payment] = (await traced(subject_id))["payments"]
        assert payment["transfer_id"] == transfer.transfer_id


async def test_a_credit_and_a_return_say_what_happened_to_them(cells: Reconciled) -> None:
    made, paid = await cells.deposit(900), await cells.complete(await cells.abroad())
    credit = await traced(made.collection_id)
    assert [one["kind"] for one in credit["entries"]] == ["credit.received.1", "credit.booked.1"]
    assert (credit["entries"][0]["facts"]["amount"], credit["payments"]) == ({"value": "9.00", "currency": "EUR"}, [])
    await cells.id.receive_return(back(await cells.id.transfer(paid.transfer_id), 1_000))
    await cross(cells.id, cells.eu)
    [returned] = await cells.eu.returns(paid.transfer_id)
    found = await traced(returned.return_id)
    assert [one["kind"] for one in found["entries"]] == ["return.admitted.1", "return.booked.1"]
    assert [one["transfer_id"] for one in found["payments"]] == [paid.transfer_id]
    shown = await run(made.collection_id)
    assert "booked  by wallet" in shown.output


async def test_a_cell_that_cannot_be_asked_is_named(cells: Reconciled, tmp_path: Path) -> None:
    transfer, request_id = await cells.at_home(), mint("req", "ed-0")
    await on_trail(cells.eu, request_id, transfer.transfer_id)
    (tmp_path / "id-1" / "cell.json").unlink()
    found = await traced(request_id)
    assert len(found["payments"]) == 1
    assert found["unreached"]["id-1"] == "settings-invalid"


@pytest.mark.parametrize(
    ("subject_id", "code"),
    [
        ("req_ed0_06gvn33gkhpl79p3v9kuo71k58", "request-not-found"),
        ("qt_eu1_06gvn33gkhpl79p3v9kuo71k58", "no-payment-of-it"),
        ("bat_eu1_06gvn33gkhpl79p3v9kuo71k58", "no-payment-of-it"),
        ("int_xx9_06gvn33gkhpl79p3v9kuo71k58", "unknown-cell"),
        ("wal_eu1_06gvn33gkhpl79p3v9kuo71k58", "no-payment-of-it"),
        ("key_eu1_06gvn33gkhpl79p3v9kuo71k58", "malformed-id"),
        ("req_oops", "malformed-id"),
    ],
)
async def test_what_nobody_knows_is_an_error_that_says_so(cells: Reconciled, subject_id: str, code: str) -> None:
    result = await run(subject_id)
    assert isinstance(result.exception, KovraError)
    assert result.exception.code == code
