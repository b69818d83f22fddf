"""Batches as files: CSV, pain.001, and what `kovra batch` sends."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from actors.workers.batches import Batches
from cells.backends.postgres import transaction
from tests.api_cell import ApiCell, open_api_cell
from tests.integration.batch_api import lines_of, open_worker, run, send
from tests.integration.test_api_payment import indonesian_token, refusal
from tests.servers import free_port
from tests.unit.cells.rails.test_uploads import BANK, OTHER, SPACE
from tests.unit.cells.rails.test_uploads import line as xml_line
from tests.waiting import until

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
    async with open_worker(cell) as opened:
        yield opened


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


async def test_the_command_line_sends_shows_and_lists(cell: ApiCell, worker: Batches, tmp_path: Path) -> None:
    recipient, payer = await cell.recipient(), await cell.payer()
    file = tmp_path / "november.csv"
    file.write_text(f"recipient_id,source_amount,target_currency\n{recipient},10.00,EUR\n{recipient},0.01,EUR\n")
    wallet = cell.wallets["EUR"].wallet_id
    key = cell.client.headers["Authorization"].removeprefix("Bearer ")
    async with served(cell.app) as url:
        submitted = [await kovra(url, key, "submit", str(file), "--wallet", wallet, "--payer", payer) for _ in range(2)]
        assert submitted[0]["id"] == submitted[1]["id"]
        await run(cell, worker, submitted[0]["id"])
        shown = await kovra(url, key, "show", submitted[0]["id"])
        assert (shown["status"], shown["funding"]["value"]) == ("PARTIALLY_COMPLETED", "10.00")
        bad = (await kovra(url, key, "lines", submitted[0]["id"], "--status", "INVALID"))["lines"]
        assert [(one["line"], one["error"]["code"]) for one in bad] == [(2, "amount-too-small")]


async def kovra(url: str, key: str, *arguments: str) -> Any:
    """What `kovra batch …` prints."""
    command = [sys.executable, "-m", "router.cli.main", "batch", *arguments, "--url", url, "--key", key, "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, failed = await process.communicate()
    assert process.returncode == 0, failed.decode()
    return json.loads(said)


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", lifespan="off"))
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving
