"""Batches as CSV: read as the same batch, refused and reported in the file's own words."""

import csv
import io
from collections.abc import AsyncIterator

import pytest

from actors.workers.batches import Batches
from tests.integration.api.test_api_payment import refusal
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.batch_api import lines_of, open_worker, run, send


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
        ("a,b\n1,2\n", "recipient_id is missing"),
        ("recipient_id\n", "no line"),
        ('recipient_id\n"x\n', "line 2 is never closed"),
        ("recipient_id;target_amount;target_currency\nr;10.00;EUR\n", "semicolons, and commas are expected"),
        ("Konto;1\n\nrecipient_id;target_amount\nr;10.00\n", "stand in line 3"),
        ("", "recipient_id is missing"),
    ],
)
async def test_a_file_that_is_none_is_refused_whole(cell: ApiCell, content: str, said: str) -> None:
    answer = await send(cell, content, "text/csv", source_wallet_id=cell.wallets["EUR"].wallet_id)
    assert said in (await refusal(answer, 422, "batch-file-invalid"))["detail"]


async def test_the_report_of_a_file_is_in_its_own_words(cell: ApiCell, worker: Batches) -> None:
    recipient, payer = await cell.recipient(), await cell.payer()
    content = (
        f"recipient_id,source_amount,target_amount,target_currency,reference\n,,,,\n"
        f'{recipient},10.00,,EUR,"Zeile eins\nZeile zwei"\n'
        f"{recipient},ten,,euro,x\n"
        f"{recipient},0.01,,EUR,x\n"
        f"{recipient},,bad,EUR,x\n"
    )
    answer = await send(cell, content, "text/csv", source_wallet_id=cell.wallets["EUR"].wallet_id, payer_id=payer)
    await run(cell, worker, answer.json()["id"])
    lines = await lines_of(cell, answer.json()["id"])
    assert [(one["line"], one["file_line"], (one["error"] or {}).get("pointer")) for one in lines] == [
        (1, 3, None),
        (2, 5, "/source_amount"),
        (3, 6, "/source_amount"),
        (4, 7, "/target_amount"),
    ]
    assert [one["pointer"] for one in lines[1]["error"]["errors"]] == ["/source_amount", "/target_currency"]
    path = f"/v1/batches/{answer.json()['id']}/lines"
    text = (await cell.client.get(path, headers={"Accept": "text/csv"})).text
    assert [row["file_line"] for row in csv.DictReader(io.StringIO(text))] == ["3", "5", "6", "7"]


async def test_a_file_whose_lines_are_all_at_fault_says_of_each_why(cell: ApiCell, worker: Batches) -> None:
    content = "recipient_id,target_amount,target_currency\nr,bad,EUR\nr,,EUR\n,1,EUR\n"
    wallet = cell.wallets["EUR"].wallet_id
    answer = await send(cell, content, "text/csv", source_wallet_id=wallet, payer_id=await cell.payer())
    done = await run(cell, worker, answer.json()["id"])
    assert (done["status"], done["error"]["code"]) == ("FAILED", "no-valid-line")
    lines = await lines_of(cell, answer.json()["id"])
    assert [(one["file_line"], one["error"]["pointer"]) for one in lines] == [
        (2, "/target_amount"), (3, "/source_amount"), (4, "/recipient_id"),
    ]  # fmt: skip
