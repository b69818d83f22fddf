"""Batches through the API of one cell: validated line by line, paid over its real actors, ledger and rail, reported."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from actors.workers.batches import Batches
from cells.backends.postgres import transaction
from tests.integration.api.test_api_payment import indonesian_token, refusal
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.batch_api import available, get, lines_of, of, open_worker, run, submit


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        await opened.fund()
        yield opened


@pytest.fixture
async def worker(cell: ApiCell) -> AsyncIterator[Batches]:
    async with open_worker(cell) as opened:
        yield opened


async def test_a_batch_of_good_and_bad_lines_is_paid_and_reported(cell: ApiCell, worker: Batches) -> None:
    recipient, payer = await cell.recipient(), await cell.payer()
    lines = [
        of(recipient, payer, reference="Salary private", metadata={"order": "1"}),
        {"recipient_id": recipient, "payer_id": payer, "target": {"value": "5.00", "currency": "EUR"}},
        of(recipient, payer, "10,00"),
        of(recipient, "pyr_eu1_" + "0" * 26),
        of(recipient, None),
        {"recipient_id": recipient},
        7,
    ]
    answer = await submit(cell, lines, payer_id=payer)
    assert answer.status_code == 201, answer.text
    batch = answer.json()
    assert (batch["status"], batch["lines"], batch["format"]) == ("VALIDATING", 7, "json")
    done = await run(cell, worker, batch["id"])
    assert done["status"] == "PARTIALLY_COMPLETED"
    assert {one["status"]: one["lines"] for one in done["progress"]} == {"COMPLETED": 3, "INVALID": 4}
    assert done["funding"] == {"value": "25.20", "currency": "EUR"}
    assert done["remainder"] == {"value": "0.00", "currency": "EUR"}
    assert await available(cell) == "4974.80"
    bad = await lines_of(cell, batch["id"], status="INVALID")
    assert [(one["line"], one["error"]["code"], one["error"]["pointer"]) for one in bad] == [
        (3, "invalid-amount", "/source/value"),
        (4, "unknown-payer", "/payer_id"),
        (6, "invalid-request", ""),
        (7, "invalid-request", ""),
    ]
    good = await lines_of(cell, batch["id"], status="COMPLETED")
    assert [(one["line"], one["source"]["value"], one["target"]["value"]) for one in good] == [
        (1, "10.00", good[0]["target"]["value"]),
        (2, "5.20", "5.00"),
        (5, "10.00", good[0]["target"]["value"]),
    ]
    assert await lines_of(cell, batch["id"], status="REFUNDED") == []
    statement = (await cell.client.get(f"/v1/wallets/{cell.wallets['EUR'].wallet_id}/statement")).json()["data"]
    assert [(one["code"], one["amount"]["value"], one["batch_id"]) for one in statement][1:] == [
        ("batch_funding", "25.20", batch["id"])
    ]
    first = good[0]
    transfer = (await cell.client.get(f"/v1/transfers/{first['transfer_id']}")).json()
    assert (transfer["batch_id"], transfer["status"], transfer["metadata"]) == (
        batch["id"],
        "COMPLETED",
        {"order": "1"},
    )
    async with transaction(cell.parts.writer) as connection:
        for table in (
            "batches",
            "batch_lines",
            "transfers",
            "idempotency_keys",
            "sealed_records",
            "journal",
            "audit_log",
        ):
            assert "Salary private" not in (
                await connection.fetchval(f"select string_agg(t::text, '') from {table} t") or ""
            )


async def test_the_report_is_read_in_pages_and_as_csv(cell: ApiCell, worker: Batches) -> None:
    recipient, payer = await cell.recipient(), await cell.payer()
    batch_id = (await submit(cell, [of(recipient, payer, "0.01"), of(recipient, payer), of(recipient, payer)])).json()[
        "id"
    ]
    await run(cell, worker, batch_id)
    page = (await cell.client.get(f"/v1/batches/{batch_id}/lines", params={"limit": 2})).json()
    assert [one["line"] for one in page["data"]] == [1, 2]
    rest = await lines_of(cell, batch_id, limit=2, cursor=page["next_cursor"])
    assert [one["line"] for one in rest] == [3]
    text = await cell.client.get(f"/v1/batches/{batch_id}/lines", headers={"Accept": "text/csv"}, params={"limit": 2})
    assert text.headers["content-type"].startswith("text/csv")
    assert text.headers["Kovra-Next-Cursor"] == "2"
    head, first, second = text.text.strip().split("\r\n")
    assert head.startswith("line,file_line,status,transfer_id")
    assert first.startswith("1,,INVALID,,")
    assert "amount-too-small,/source/value" in first
    assert second.startswith("2,,COMPLETED,tr_eu1_")


async def test_a_batch_is_made_once_per_key(cell: ApiCell) -> None:
    recipient, payer = await cell.recipient(), await cell.payer()
    first = await submit(cell, [of(recipient, payer)])
    again = await submit(cell, [of(recipient, payer)])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    await refusal(await submit(cell, [of(recipient, payer, "11.00")]), 422, "idempotency-key-reused")
    missing = await cell.client.post("/v1/batches", json={})
    await refusal(missing, 400, "idempotency-key-missing")
    assert [one["id"] for one in (await cell.client.get("/v1/batches")).json()["data"]] == [first.json()["id"]]


async def test_the_document_says_what_a_line_is(cell: ApiCell) -> None:
    schemas = (await cell.anyone.get("/openapi.json")).json()["components"]["schemas"]
    assert "BatchLineNew" in schemas["BatchNew"]["properties"]["lines"]["description"]
    assert {"recipient_id", "source", "target_currency"} <= schemas["BatchLineNew"]["properties"].keys()


async def test_a_scheduled_batch_can_be_called_off_and_one_under_way_cannot(cell: ApiCell, worker: Batches) -> None:
    recipient, payer = await cell.recipient(), await cell.payer()
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    later = (await submit(cell, [of(recipient, payer, reference="Rent")], scheduled_for=at)).json()["id"]
    while await worker.round():
        pass
    assert (await get(cell, later))["status"] == "SCHEDULED"
    for _ in range(2):
        cancelled = (await cell.client.post(f"/v1/batches/{later}/cancel")).json()
        assert cancelled["status"] == "CANCELLED"
        assert cancelled["progress"] == [
            {"status": "NOT_SENT", "lines": 1, "source": {"value": "0.00", "currency": "EUR"}}
        ]
    async with transaction(cell.parts.writer) as connection:
        assert (
            await connection.fetchval("select count(*) from subjects where kind = 'transfer' and erased_at is null")
            == 0
        )
    done = (await submit(cell, [of(recipient, payer)], "batch-2")).json()["id"]
    await run(cell, worker, done)
    await refusal(await cell.client.post(f"/v1/batches/{done}/cancel"), 409, "batch-under-way")
    assert await available(cell) == "4990.00"


async def test_another_tenants_batch_is_not_there(cell: ApiCell) -> None:
    recipient, payer = await cell.recipient(), await cell.payer()
    batch_id = (await submit(cell, [of(recipient, payer)])).json()["id"]
    for path in (f"/v1/batches/{batch_id}", f"/v1/batches/{batch_id}/lines"):
        await refusal(await cell.other.get(path), 404, "unknown-batch")
    await refusal(await cell.other.post(f"/v1/batches/{batch_id}/cancel"), 404, "unknown-batch")
    assert (await cell.other.get("/v1/batches")).json()["data"] == []
    body = {"source_wallet_id": cell.wallets["EUR"].wallet_id, "lines": [of(recipient, payer)]}
    strange = await cell.other.post("/v1/batches", json=body, headers={"Idempotency-Key": "x"})
    await refusal(strange, 404, "unknown-wallet", "/source_wallet_id")


async def test_another_tenants_recipient_or_payer_in_a_line_is_not_there(cell: ApiCell, worker: Batches) -> None:
    recipient, payer = await cell.recipient(), await cell.payer()
    theirs = indonesian_token(cell, cell.stranger.tenant_id)
    batch_id = (await submit(cell, [of(theirs, payer), of(recipient, payer)])).json()["id"]
    await run(cell, worker, batch_id)
    assert [(one["status"], (one["error"] or {}).get("code")) for one in await lines_of(cell, batch_id)] == [
        ("INVALID", "unknown-recipient"),
        ("COMPLETED", None),
    ]
