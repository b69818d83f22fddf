"""The API against a fuzzer that knows nothing but its OpenAPI document: no 5xx, nothing that the document does not say."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import uvicorn

from tests.api_cell import ApiCell, open_api_cell, until
from tests.servers import free_port

_CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,ignored_auth"
)


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def fuzz(cell: ApiCell, *options: str) -> tuple[int, str]:
    """Serve the cell, let the fuzzer at it; its exit status and what it said."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(cell.app, port=port, log_level="critical", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    try:

        async def started() -> bool:
            return server.started

        await until(started)
        fuzzer = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{port}/openapi.json",
            "--checks", _CHECKS, "--header", f"Authorization: {cell.client.headers['Authorization']}",
            "--generation-deterministic", "--no-color", *options,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=cell.spec.home,
        )  # fmt: skip
        said, _ = await fuzzer.communicate()
        assert fuzzer.returncode is not None
        return fuzzer.returncode, said.decode()
    finally:
        server.should_exit = True
        await serving


async def test_a_fuzzer_finds_nothing(cell: ApiCell) -> None:
    status, said = await fuzz(cell, "--max-examples", "3", "--phases", "examples,coverage,fuzzing", "--max-time", "20")
    assert status == 0, said[:30000]
