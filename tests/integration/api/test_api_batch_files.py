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
from cells.rails import store_messages
from cells.rails.rail import end_to_end_id
from residency.ids import mint
from tests.integration.api.test_api_payment import indonesian_token, refusal
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.batch_api import lines_of, open_worker, run, send
from tests.support.servers import free_port
from tests.support.waiting import until
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
    async with open_worker(cell) as opened:
        yield opened


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
    assert (await lines_of(cell, batch_id, limit=1))[0]["metadata"] == {
        "end_to_end_id": "A",
        "payment_information_id": "P1",
    }
    async with transaction(cell.parts.writer) as connection:
        for table in ("batches", "batch_lines", "transfers", "journal", "recipients"):
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


async def test_a_file_is_taken_once(cell: ApiCell, worker: Batches) -> None:
    payer, content = await cell.payer(), pain(cell, xml_line("A", creditor=OURS))
    first = (await send(cell, content, "application/xml", payer_id=payer)).json()
    assert (first["message_id"], first["message_created_at"]) == ("M1", "2026-11-20T09:30:00Z")
    # The same request again is the same batch; the same file under another key, or with other lines, is a duplicate.
    assert (await send(cell, content, "application/xml", payer_id=payer)).json()["id"] == first["id"]
    for key, again in (("k2", content), ("k3", pain(cell, xml_line("B", creditor=OURS)))):
        problem = await refusal(await send(cell, again, "application/xml", key, payer_id=payer), 409, "duplicate-file")
        assert problem["batch_id"] == first["id"]
    assert len((await cell.client.get("/v1/batches")).json()["data"]) == 1
    # On purpose, with the batch named.
    wrong = await send(cell, content, "application/xml", "k4", payer_id=payer, repeats=mint("bat", "eu-1"))
    await refusal(wrong, 422, "not-repeated")
    repeated = await send(cell, content, "application/xml", "k5", payer_id=payer, repeats=first["id"])
    assert repeated.status_code == 201, repeated.text
    await refusal(await send(cell, content, "application/xml", "k6", payer_id=payer), 409, "duplicate-file")
    # Another's file with the same id is another file, and one that has no id is none's.
    theirs = content.replace("<Nm>Acme</Nm></InitgPty>", "<Nm>Bmce</Nm></InitgPty>")
    assert (await send(cell, theirs, "application/xml", "k7", payer_id=payer)).status_code == 201
    for key in ("k8", "k9"):
        none = content.replace("<MsgId>M1", "<MsgId>NOTPROVIDED")
        assert (await send(cell, none, "application/xml", key, payer_id=payer)).status_code == 201
    await refusal(await send(cell, "recipient_id\n", "text/csv", "k10", repeats=first["id"]), 422, "batch-file-invalid")


async def test_two_copies_of_a_file_at_a_time_make_one_batch_and_one_that_paid_nothing_may_come_again(
    cell: ApiCell, worker: Batches
) -> None:
    payer, content = await cell.payer(), pain(cell, xml_line("A", creditor=OURS))
    answers = await asyncio.gather(*(send(cell, content, "application/xml", f"k{n}", payer_id=payer) for n in range(4)))
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]
    [made] = [one.json()["id"] for one in answers if one.status_code == 201]
    assert {one.json()["batch_id"] for one in answers if one.status_code == 409} == {made}
    assert (await cell.client.post(f"/v1/batches/{made}/cancel")).status_code == 200
    again = await send(cell, content, "application/xml", "k5", payer_id=payer)
    assert again.status_code == 201
    assert (await run(cell, worker, again.json()["id"]))["status"] == "COMPLETED"


async def test_every_fault_is_told_in_the_files_own_words(cell: ApiCell) -> None:
    payer = await cell.payer()
    bad = [
        xml_line("A", creditor=OURS.replace("DE89", "DE88")),
        xml_line(
            "B", creditor=OURS.replace("</Nm>", "</Nm><PstlAdr><Ctry>DE</Ctry><AdrLine>Weg 1</AdrLine></PstlAdr>")
        ),
        xml_line("C", creditor=OURS).replace(
            "<Ustrd>Invoice 1</Ustrd>", "<Strd><RfrdDocInf><Nb>1</Nb></RfrdDocInf></Strd>"
        ),
        xml_line("D", "5.00", "USD", creditor=OURS),
    ]
    content = pain(cell, *bad).replace("<CdtTrfTxInf>", "\n<CdtTrfTxInf>")
    problem = await refusal(await send(cell, content, "application/xml", payer_id=payer), 422, "batch-file-invalid")
    at = "/Document/CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf"
    assert [(one["file_line"], one["reason_code"], one["path"].removeprefix(at)) for one in problem["faults"]] == [
        (2, "iban-invalid", "[1]/CdtrAcct/Id/IBAN"),
        (3, "BE04", "[2]/Cdtr/PstlAdr"),
        (4, "RR07", "[3]/RmtInf/Strd/RfrdDocInf"),
        (5, "no-rail-for-currency", "[4]/Amt/InstdAmt"),
    ]
    assert "Weiß" not in str(problem)
    assert (await cell.client.get("/v1/batches")).json()["data"] == []
    assert (await cell.client.get("/v1/recipients")).json()["data"] == []
    # Beside a good one they are lines of the batch, and a file of that id may still come: nothing was taken before.
    content = pain(cell, *bad, xml_line("E", creditor=OURS)).replace("<CdtTrfTxInf>", "\n<CdtTrfTxInf>")
    answer = await send(cell, content, "application/xml", "file-2", payer_id=payer)
    lines = await lines_of(cell, answer.json()["id"])
    assert [one["status"] for one in lines] == ["INVALID"] * 4 + ["WAITING"]
    assert [one["file_line"] for one in lines] == [2, 3, 4, 5, 6], "of the good one, too"
    assert lines[1]["error"]["pointer"] == f"{at}[2]/Cdtr/PstlAdr"
    assert lines[1]["error"]["detail"].startswith("Line 3: PstlAdr lacks TwnNm")


async def test_what_is_said_beside_the_money_reaches_the_scheme(cell: ApiCell, worker: Batches) -> None:
    payer = await cell.payer()
    strd = (
        "<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp><Ref>RF18539007547034</Ref></CdtrRefInf></Strd>"
    )
    address = (
        "<PstlAdr><TwnNm>Wien</TwnNm><Ctry>AT</Ctry><AdrLine>Ring 1</AdrLine><AdrLine>Stiege 2</AdrLine></PstlAdr>"
    )
    ours = OURS.replace("</Nm>", "</Nm>" + address) + "<Purp><Cd>SUPP</Cd></Purp>"
    line = xml_line("A", creditor=ours).replace("<Ustrd>Invoice 1</Ustrd>", strd)
    made = (await send(cell, pain(cell, line), "application/xml", payer_id=payer)).json()["id"]
    assert (await run(cell, worker, made))["status"] == "COMPLETED"
    [paid] = await lines_of(cell, made)
    vault = cell.parts.institution.vault
    async with transaction(cell.parts.writer) as connection:
        kept = await store_messages.about(connection, cell.parts.region, [end_to_end_id(paid["transfer_id"])])
    [message] = [body for one, body in zip(kept, store_messages.open_messages(vault, kept), strict=True)
                 if one.message_type.startswith("pacs.008")]  # fmt: skip
    assert message is not None
    for said in (
        b"<Cd>SCOR</Cd>",
        b"<Ref>RF18539007547034</Ref>",
        b"<Purp><Cd>SUPP</Cd></Purp>",
        b"<AdrLine>Stiege 2</AdrLine>",
    ):
        assert said in message


async def test_across_a_border_travels_the_text_alone(cell: ApiCell) -> None:
    payer, token = await cell.payer(), f"<InstrForDbtrAgt>{indonesian_token(cell)}</InstrForDbtrAgt>"
    told = xml_line("A", "1500000", "IDR", token + "<Purp><Cd>SALA</Cd></Purp>")
    await refusal(await send(cell, pain(cell, told), "application/xml", payer_id=payer), 422, "batch-file-invalid")


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
