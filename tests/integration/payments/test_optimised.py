"""`python -O`, which takes asserts out, changes nothing about money."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from tests.architecture.tree import ROOT
from tests.support.servers import CellDatabase


async def told(cell_database: Callable[[str], CellDatabase], *options: str) -> dict[str, Any]:
    databases = json.dumps({region: asdict(cell_database(region)) for region in ("EU", "ID")})
    process = await asyncio.create_subprocess_exec(
        sys.executable, *options, "-m", "tests.support.optimised", databases, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()[-4_000:]
    return json.loads(output.splitlines()[-1])


@pytest.mark.parametrize("options", [(), ("-O",)])
async def test_a_money_path_ends_alike_with_asserts_and_without(
    cell_database: Callable[[str], CellDatabase], options: tuple[str, ...]
) -> None:
    assert await told(cell_database, *options) == {
        "asserts": not options,
        "paid": [
            202, "FUNDS_HELD", {"available_minor": 400_000, "held_minor": 100_000},
            "PENDING_RAIL", "COMPLETED", None, {"available_minor": 400_000, "held_minor": 0},
        ],
        "refused": [
            202, "FUNDS_HELD", {"available_minor": 300_000, "held_minor": 100_000},
            "PENDING_RAIL", "REFUNDED", "AC04", {"available_minor": 400_000, "held_minor": 0},
        ],
        "ledger in part": ["ledger-unknown", 202, "FUNDS_HELD", {"available_minor": 300_000, "held_minor": 100_000}],
        "rail in part": [["InDoubt", "Settled"], 1, True],
        "account otherwise": [{"available_minor": 300_000, "held_minor": 100_000}, "internal"],
    }  # fmt: skip
