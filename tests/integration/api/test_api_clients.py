"""The partners' document in the hands of a stranger: its examples are sent as they stand, and clients are generated from it and used."""

import asyncio
import importlib
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cells.parties.token import sign_tokens
from residency.ids import mint
from residency.keys import load_keys
from router.api.documents import AUDIENCES
from tests.support.api_cell import ApiCell, open_api_cell

PAGE = Path(__file__).resolve().parents[3] / "router" / "PARTNERS.md"
_SETTINGS = re.compile(r"<!-- file: client.yml -->\n```yaml\n(.*?)```", re.DOTALL)
_SCHEMA = "#/components/schemas/"


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def document(cell: ApiCell) -> dict[str, Any]:
    found = (await cell.anyone.get("/openapi.json")).json()
    assert isinstance(found, dict)
    return found


def request_examples(found: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """(method, path, body) of every example of a request of JSON."""
    made = []
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is not None:
                schema = found["components"]["schemas"][content["schema"]["$ref"].removeprefix(_SCHEMA)]
                shown = [*schema.get("examples", ()), *([content["example"]] if "example" in content else [])]
                made += [(method.upper(), path, one) for one in shown]
    return made


def indonesian_recipient(cell: ApiCell) -> str:
    """A token as the Indonesian cell would sign it."""
    _, key = load_keys(cell.spec.home, "id-1", cell.spec.directory).signer(cell.spec.directory, datetime.now(UTC))
    [token] = sign_tokens(key, cell.tenant.tenant_id, [(mint("rcp", "id-1"), "IDR")])
    return token


def with_ids(body: Any, ids: Mapping[str, str]) -> Any:
    """`body` with ids that exist in the place of those of the example, and nothing else of it changed."""
    if isinstance(body, dict):
        return {name: ids.get(name) or with_ids(one, ids) for name, one in body.items()}
    return [with_ids(one, ids) for one in body] if isinstance(body, list) else body


async def test_every_example_of_a_request_is_taken_by_a_real_cell(cell: ApiCell) -> None:
    await cell.fund()
    ids = {
        "quote_id": (await cell.quote(target="IDR"))["id"],
        "recipient_id": indonesian_recipient(cell),
        "payer_id": await cell.payer(),
        "source_wallet_id": cell.wallets["EUR"].wallet_id,
    }
    tried = request_examples(await document(cell))
    assert {path for _, path, _ in tried} >= {"/v1/transfers", "/v1/quotes", "/v1/intents", "/v1/batches"}
    for number, (method, path, example) in enumerate(tried):
        headers = {"Idempotency-Key": f"example-{number}", "Kovra-Region": cell.spec.region}
        answer = await cell.client.request(method, path, json=with_ids(example, ids), headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.text}"


async def test_each_document_is_served_at_its_own_address(cell: ApiCell) -> None:
    paths: set[str] = set()
    for audience in AUDIENCES:
        answer = await cell.anyone.get(audience.path)
        found = answer.json()
        assert (answer.status_code, found["info"]["title"]) == (200, audience.title)
        assert not paths & found["paths"].keys()
        paths |= found["paths"].keys()
    assert {"/v1/transfers", "/v1/admin/tenants", "/rails/{rail}/inbound"} <= paths


async def run(*command: str, cwd: Path) -> tuple[int, str]:
    """A command's exit status, and all that it wrote."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=os.environ | {"PATH": path},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    written, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, written.decode()


async def generated(folder: Path, found: Mapping[str, Any], name: str) -> str:
    """Have openapi-python-client make the package `name` of a document, as the partners' page does it; what it wrote."""
    [settings] = _SETTINGS.findall(PAGE.read_text())
    (folder / "client.yml").write_text(settings)
    (folder / "openapi.json").write_text(json.dumps(found))
    status, written = await run(
        "openapi-python-client", "generate", "--path", "openapi.json", "--config", "client.yml", "--meta", "none",
        "--output-path", name, cwd=folder,
    )  # fmt: skip
    assert status == 0, written
    return written


@pytest.mark.timeout(300)
async def test_a_python_client_is_generated_without_a_warning_and_calls_the_cell(
    cell: ApiCell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = await generated(tmp_path, await document(cell), "kovra_generated")
    assert "warning" not in written.lower(), written
    assert "unable" not in written.lower(), written
    monkeypatch.syspath_prepend(str(tmp_path))
    package = importlib.import_module("kovra_generated")
    wallets = importlib.import_module("kovra_generated.api.wallets.list_wallets")
    token = cell.client.headers["Authorization"].removeprefix("Bearer ")
    client = package.AuthenticatedClient(
        base_url="http://eu-1.test", token=token, httpx_args={"transport": httpx.ASGITransport(cell.app)}
    )
    answer = await wallets.asyncio(client=client)
    assert {one.account_number for one in answer.data} == {one.account_number for one in cell.wallets.values()}


@pytest.mark.timeout(120)
async def test_what_the_generator_cannot_read_is_seen(cell: ApiCell, tmp_path: Path) -> None:
    found = await document(cell)
    small = {**found, "webhooks": {}, "paths": {"/v1/quotes": found["paths"]["/v1/quotes"]}}
    small["paths"]["/v1/quotes"]["post"]["requestBody"]["content"]["text/plain"] = {"schema": {"type": "string"}}
    assert "warning" in (await generated(tmp_path, small, "kovra_faulty")).lower()


@pytest.mark.timeout(120)
async def test_typescript_types_are_generated_without_a_warning(cell: ApiCell, tmp_path: Path) -> None:
    """Where npx has the generator already: nothing is fetched for it."""
    if shutil.which("npx") is None:
        pytest.skip("there is no npx on this machine")
    generator = ("npx", "--offline", "--no-install", "openapi-typescript")
    status, written = await run(*generator, "--version", cwd=tmp_path)
    if status != 0:
        pytest.skip(f"npx has no openapi-typescript: {written.strip()[:200]}")
    (tmp_path / "openapi.json").write_text(json.dumps(await document(cell)))
    status, written = await run(*generator, "openapi.json", "-o", "kovra.ts", cwd=tmp_path)
    assert status == 0, written
    assert "warn" not in written.lower(), written
    assert "createTransfer" in (tmp_path / "kovra.ts").read_text()
