"""One run of the fuzzer over a served cell."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from router.api.documents import AUDIENCES
from tests.support.api_cell import ApiCell
from tests.support.servers import free_port
from tests.support.waiting import until

_HERE = Path(__file__).parent


async def fuzz(
    cell: ApiCell, *options: str, authorization: str | None = None, ids: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Serve the cell and let the fuzzer at each of its documents, with every check; the worst exit status and the faults found. `ids`: by parameter's name, what is put
    in place of what the fuzzer makes up."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(cell.app, port=port, log_level="critical", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    try:

        async def started() -> bool:
            return server.started

        await until(started)
        speaking = ("--header", f"Authorization: {authorization}") if authorization else ()
        worst, texts = 0, []
        for audience in AUDIENCES:
            fuzzer = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "schemathesis.cli", "--config-file", str(_HERE / "schemathesis.toml"), "run",
                f"http://127.0.0.1:{port}{audience.path}", "--checks", "all", "--no-color", *speaking, *options,
                env=os.environ | {
                    "SCHEMATHESIS_HOOKS": "tests.fuzzing.hooks", "PYTHONPATH": str(_HERE.parents[1]),
                    "KOVRA_FUZZ_IDS": json.dumps(ids or {}), "KOVRA_FUZZ_REGION": cell.spec.region,
                },
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=cell.spec.home,
            )  # fmt: skip
            said, _ = await fuzzer.communicate()
            assert fuzzer.returncode is not None
            worst = max(worst, abs(fuzzer.returncode))
            texts.append(said.decode() if fuzzer.returncode else "")
        return worst, "\n".join(texts)
    finally:
        server.should_exit = True
        await serving
