"""Batches through the API of one cell: read in three forms, validated line by line, paid over its real actors, ledger and rail."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from actors.workers.batches import Batches
from cells.backends.postgres import transaction
from cells.cell import open_institution
from cells.fx.ecb import EcbHistory
from tests.api_cell import ApiCell, open_api_cell, until
from tests.integration.test_api_payment import indonesian_token, refusal
from tests.unit.cells.rails.test_uploads import BANK, OTHER, SPACE
from tests.unit.cells.rails.test_uploads import line as xml_line

OURS = "<Cdtr><Nm>Jürgen Weiß</Nm></Cdtr><CdtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></CdtrAcct>"
BUDI = f"{BANK}<Cdtr><Nm>Budi Santoso</Nm></Cdtr>{OTHER}"


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        await opened.fund()
        yield opened


@pytest.fixture
async def worker(cell: ApiCell) -> AsyncIterator[Batches]:
    institution = await open_institution(cell.spec, "writer", name="test-batches", connections_max=2)
    yield Batches(institution, cell.parts.wallets.ask_many, EcbHistory())
    await institution.close()


async def submit(cell: ApiCell, lines: list[Any], key: str = "batch-1", **more: Any) -> httpx.Response:
    body = {"source_wallet_id": cell.wallets["EUR"].wallet_id, "lines": lines, **more}
    return await cell.client.post("/v1/batches", json=body, headers={"Idempotency-Key": key})


async def send(cell: ApiCell, content: str, kind: str, **parameters: Any) -> httpx.Response:
    headers = {"Idempotency-Key": "file-1", "Content-Type": kind}
    return await cell.client.post("/v1/batches", content=content.encode(), headers=headers, params=parameters)


def of(recipient: str, payer: str | None, value: str = "10.00", **more: Any) -> dict[str, Any]:
    line = {"recipient_id": recipient, "source": {"value": value, "currency": "EUR"}, "target_currency": "EUR", **more}
    return line if payer is None else {**line, "payer_id": payer}


async def get(cell: ApiCell, batch_id: str) -> dict[str, Any]:
    return (await cell.client.get(f"/v1/batches/{batch_id}")).json()


async def lines_of(cell: ApiCell, batch_id: str, **parameters: Any) -> list[dict[str, Any]]:
    answer = await cell.client.get(f"/v1/batches/{batch_id}/lines", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def run(cell: ApiCell, worker: Batches, batch_id: str) -> dict[str, Any]:
    """Drive the worker until the batch rests."""

    async def rests() -> bool:
        await worker.round()
        return (await get(cell, batch_id))["status"] in ("COMPLETED", "PARTIALLY_COMPLETED", "FAILED")

    await until(rests)
    return await get(cell, batch_id)


async def available(cell: ApiCell) -> str:
    return (await cell.client.get(f"/v1/wallets/{cell.wallets['EUR'].wallet_id}")).json()["available"]["value"]


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
    first = (await lines_of(cell, batch["id"], limit=1))[0]
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
            "events",
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
    assert head.startswith("line,status,transfer_id")
    assert first.startswith("1,INVALID,,")
    assert "amount-too-small,/source/value" in first
    assert second.startswith("2,COMPLETED,tr_eu1_")


async def test_csv_is_the_same_batch(cell: ApiCell, worker: Batches) -> None:
    recipient, payer = await cell.recipient(), await cell.payer()
    content = (
        "recipient_id,source_amount,target_amount,target_currency,reference,metadata.order\r\n"
        f"{recipient},10.00,,EUR,Invoice 1,A-1\r\n"
        f"{recipient},,5.00,EUR,,\r\n"
        f"{recipient},1.00,2.00,EUR,,\r\n"
        f"{recipient},10.00,,EUR,too,many,fields\r\n"
    )
    wallet = cell.wallets["EUR"].wallet_id
    answer = await send(cell, content, "text/csv", source_wallet_id=wallet, payer_id=payer)
    assert answer.status_code == 201, answer.text
    assert (await send(cell, content, "text/csv", source_wallet_id=wallet, payer_id=payer)).json()[
        "id"
    ] == answer.json()["id"]
    await refusal(await send(cell, content, "text/csv", source_wallet_id=wallet), 422, "idempotency-key-reused")
    done = await run(cell, worker, answer.json()["id"])
    assert {one["status"]: one["lines"] for one in done["progress"]} == {"COMPLETED": 2, "INVALID": 2}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "names the columns"),
        ("recipient_id\n", "no line"),
        ('recipient_id\n"x\n', "not CSV"),
        ("", "names the columns"),
    ],
)
async def test_a_file_that_is_none_is_refused_whole(cell: ApiCell, content: str, said: str) -> None:
    answer = await send(cell, content, "text/csv", source_wallet_id=cell.wallets["EUR"].wallet_id)
    assert said in (await refusal(answer, 422, "batch-file-invalid"))["detail"]


def pain(cell: ApiCell, *lines: str, account: str = "") -> str:
    account = account or cell.wallets["EUR"].account_number
    return (
        f'<Document xmlns="{SPACE}"><CstmrCdtTrfInitn><GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-20T09:30:00Z</CreDtTm>'
        f"<NbOfTxs>{len(lines)}</NbOfTxs><InitgPty><Nm>Acme</Nm></InitgPty></GrpHdr>"
        "<PmtInf><PmtInfId>P1</PmtInfId><PmtMtd>TRF</PmtMtd><ReqdExctnDt><Dt>2020-01-01</Dt></ReqdExctnDt>"
        f"<Dbtr><Nm>Acme</Nm></Dbtr><DbtrAcct><Id><IBAN>{account}</IBAN></Id></DbtrAcct>"
        f"<DbtrAgt><FinInstnId/></DbtrAgt>{''.join(lines)}</PmtInf></CstmrCdtTrfInitn></Document>"
    )


async def test_pain_001_registers_creditors_of_this_region_and_names_others_by_token(
    cell: ApiCell, worker: Batches
) -> None:
    payer, token = await cell.payer(), indonesian_token(cell)
    named = f"<InstrForDbtrAgt>{token}</InstrForDbtrAgt>"
    content = pain(
        cell, xml_line("A", creditor=OURS), xml_line("B", creditor=OURS), xml_line("C", "1500000", "IDR", BUDI),
        xml_line("D", "1500000", "IDR", named), xml_line("E", "1500000", "IDR", BUDI + named),
    )  # fmt: skip
    answer = await send(cell, content, "application/xml", payer_id=payer)
    assert answer.status_code == 201, answer.text
    batch_id = answer.json()["id"]
    assert answer.json()["format"] == "pain.001"
    lines = await lines_of(cell, batch_id)
    assert [(one["status"], (one["error"] or {}).get("code")) for one in lines] == [
        ("WAITING", None),
        ("WAITING", None),
        ("INVALID", "wrong-region"),
        ("WAITING", None),
        ("INVALID", "BE22"),
    ]
    assert lines[0]["recipient_id"] == lines[1]["recipient_id"] != ""
    assert lines[3]["recipient_id"] == token
    registered = (await cell.client.get("/v1/recipients")).json()["data"]
    assert [one["details"]["name"] for one in registered] == ["Jürgen Weiß"]
    await until(lambda: held(cell, worker, batch_id))
    assert (await lines_of(cell, batch_id, limit=1))[0]["metadata"] == {"end_to_end_id": "A"}
    async with transaction(cell.parts.writer) as connection:
        for table in ("batches", "batch_lines", "transfers", "events", "recipients"):
            said = await connection.fetchval(f"select string_agg(t::text, '') from {table} t") or ""
            assert "Budi" not in said
            assert "Weiß" not in said


async def held(cell: ApiCell, worker: Batches, batch_id: str) -> bool:
    await worker.round()
    statuses = [one["status"] for one in await lines_of(cell, batch_id)]
    return statuses == ["COMPLETED", "COMPLETED", "INVALID", "FUNDS_HELD", "INVALID"]


async def test_pain_001_of_an_account_that_is_no_wallet_of_ours_is_refused(cell: ApiCell) -> None:
    payer = await cell.payer()
    content = pain(cell, xml_line("A", creditor=OURS), account="LT643999001123456789")
    await refusal(await send(cell, content, "application/xml", payer_id=payer), 422, "wallet-missing")
    await refusal(await send(cell, "<x/>", "application/xml", payer_id=payer), 422, "batch-file-invalid")
    await refusal(await send(cell, content, "application/xml"), 422, "batch-file-invalid")
    await refusal(await send(cell, content, "image/png"), 415, "unsupported-media-type")


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
