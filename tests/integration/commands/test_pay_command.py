"""`kovra pay` against a cell that its simulated scheme can reach: each line to its own outcome, and no traceback whatever is given."""

import asyncio
import csv
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import uvicorn

from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.schemes import RunningSchemes
from tests.support.waiting import until

_HEAD = "reference,source_currency,source_amount,target_amount,target_currency,payer_name,payer_town,payer_country,payer_street,payer_customer_number"
_HEAD += ",recipient_name,recipient_iban"
_PAYER = "Erika Beispiel,Köln,DE,Domstraße,C-1"
_IBAN = "DE89370400440532013000"


@pytest.fixture
async def cell(cell_database, schemes: RunningSchemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    """A cell where the scheme expects it."""
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        server = uvicorn.Server(
            uvicorn.Config(opened.app, port=schemes.gateway_port, log_level="warning", lifespan="off")
        )
        serving = asyncio.create_task(server.serve())

        async def started() -> bool:
            return server.started

        await until(started)
        yield opened
        server.should_exit = True
        await serving


async def kovra(*arguments: str, home: Path) -> tuple[int | None, str, str]:
    environment = {**os.environ, "KOVRA_HOME": str(home)}
    for name in ("KOVRA_URL", "KOVRA_API_KEY"):
        environment.pop(name, None)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "router.cli.main", "pay", *arguments,
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, failed = await process.communicate()
    return process.returncode, said.decode(), failed.decode()


async def test_funding_is_for_the_lines_that_can_be_paid(
    cell: ApiCell, schemes: RunningSchemes, tmp_path: Path
) -> None:
    file, out = tmp_path / "payments.csv", tmp_path / "out.csv"
    file.write_text(
        "\n".join(
            (
                _HEAD,
                f"A1,EUR,10.00,,EUR,{_PAYER},Muster KG,{_IBAN}",
                f"=1+1,EUR,,bad,EUR,{_PAYER},Muster KG,{_IBAN}",
                f"B8,EUR,700.00,,USD,{_PAYER},Muster KG,{_IBAN}",
                f"TR,EUR,800.00,,EUR,{_PAYER},Muster KG,TR330006100519786457841326",
                f"[/red],EUR,20.00,,EUR,{_PAYER},Muster KG,{_IBAN}",
                f'"N ""x""",EUR,900.00,,EUR,{_PAYER},,{_IBAN}',
                f"SE,EUR,100.00,,EUR,{_PAYER},李 3,{_IBAN}",
            )
        )
    )
    key = cell.client.headers["Authorization"].removeprefix("Bearer ")
    door = ("--url", f"http://127.0.0.1:{schemes.gateway_port}", "--key", key, "--wait", "0")
    code, said, failed = await kovra(str(file), *door, "--fund", "--json", "--out", str(out), home=tmp_path)
    assert "Traceback" not in failed
    assert code == 1
    lines = {one["line"]: one for one in json.loads(said)["lines"]}
    # Without waiting, a payment that was taken may have ended or not.
    taken = {line for line, one in lines.items() if one["result"] in ("under way", "paid")}
    assert (taken, {line for line, one in lines.items() if one["result"] == "refused"}) == ({2, 6}, {3, 4, 5, 7, 8}), (
        said
    )
    assert lines[3]["reason"].startswith("target_amount: ")
    assert lines[7]["reason"].startswith("recipient_name: ")
    assert lines[8]["reason"].startswith("recipient_name: ")
    assert "Deposited 30.00 EUR." in failed
    wallet = (await cell.client.get(f"/v1/wallets/{cell.wallets['EUR'].wallet_id}")).json()
    assert wallet["available"]["value"] == "0.00"
    with out.open(newline="", encoding="utf-8") as written:
        assert [row["reference"] for row in csv.DictReader(written)][1:5] == ["'=1+1", "B8", "TR", "[/red]"]
    code, said, failed = await kovra(str(file), *door, "--fund", home=tmp_path)
    assert "Traceback" not in failed
    assert "Deposited" not in failed
    assert "[/red]" in said


class _Stranger(BaseHTTPRequestHandler):
    """Something else that answers at the address."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "good.csv"
    file.write_text(f"{_HEAD}\nA1,EUR,10.00,,EUR,{_PAYER},Muster KG,{_IBAN}\n")
    return file


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"<html>", "not in JSON"), (b"{}", "not Kovra's API"), (b"[1]", "not Kovra's API"), (b"", "not Kovra's API")],
)
async def test_what_is_not_the_api_is_told(body: bytes, said: str, good: Path, tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), type("Handler", (_Stranger,), {"body": body}))
    serving = Thread(target=server.serve_forever)
    serving.start()
    code, _, failed = await kovra(
        str(good), "--url", f"http://127.0.0.1:{server.server_port}", "--key", "k", home=tmp_path
    )
    server.shutdown()
    serving.join()
    server.server_close()
    assert code == 1
    assert said in failed
    assert "Traceback" not in failed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--url", "foo", "--key", "k"), "could not be asked"),
        (("--url", "http://[::1", "--key", "k"), "could not be asked"),
        (("--url", "http://127.0.0.1:9", "--key", "ß"), "could not be asked"),
        (("--url", "http://127.0.0.1:9", "--key", "k", "--out", "/nowhere/out.csv"), "cannot be written"),
        ((), "No stack was started"),
    ],
)
async def test_what_cannot_be_asked_is_told(arguments: tuple[str, ...], said: str, good: Path, tmp_path: Path) -> None:
    code, _, failed = await kovra(str(good), *arguments, home=tmp_path / "home")
    assert code == 1
    assert said in failed
    assert "Traceback" not in failed


@pytest.mark.parametrize("name", ["stack.json", "sandbox.json"])
async def test_a_record_of_the_stack_that_is_broken_is_told(name: str, good: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for broken in ("{", "[]", '{"tenant": 1}'):
        (home / name).write_text(broken)
        code, _, failed = await kovra(str(good), home=home)
        assert (code, "Traceback" in failed) == (1, False), failed


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"\xff\xfe\0", b'"', b"PK\x03\x04", b"\xef\xbb\xbf", b",,,\n", b"a\r\n\r\n", bytes(range(256))],
)
async def test_no_file_ends_in_a_traceback(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"\xff.csv")
    file.write_bytes(content)
    found = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "router.cli.main", "pay", os.fsencode(file)],
        env={**os.environ, "KOVRA_HOME": str(tmp_path / "home")}, capture_output=True, check=False,
    )  # fmt: skip
    assert found.returncode == 1
    assert b"Traceback" not in found.stderr
    assert b"cannot be read" in found.stderr
