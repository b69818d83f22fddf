"""`kovra reconcile` as people and machines run it, over cells of a home folder."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from cells.payments.machine import Event
from residency.errors import KovraError
from router.cli import reconcile
from tests.support.reconciled_cells import Reconciled, at_home, invoke

BOTH = ("--cell", "eu-1", "--cell", "id-1")


@pytest.fixture
async def cells(cell_database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reconciled]:
    async with at_home(cell_database, tmp_path, monkeypatch) as opened:
        yield opened


run = partial(invoke, of=[reconcile.register])


async def test_the_table_names_every_invariant_and_the_exit_status_says_that_they_hold(cells: Reconciled) -> None:
    await cells.complete(await cells.abroad())
    result = await run(*BOTH)
    assert result.exit_code == 0, result.output
    for number in range(1, 11):
        assert f"L{number} " in result.output
    assert "VIOLATED" not in result.output


@pytest.mark.writes_by_hand
async def test_json_has_the_findings_and_the_exit_status_is_one(cells: Reconciled) -> None:
    transfer = await cells.complete(await cells.abroad())
    await cells.tamper(cells.eu, "update transfers set fee = fee + 50 where transfer_id = $1", transfer.transfer_id)
    result = await run(*BOTH, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    violated = {one["invariant"]: one for one in document["results"] if one["status"] == "violated"}
    assert any(one["subject"] == transfer.transfer_id for one in violated["L5"]["findings"])
    assert (document["ok"], document["cells"]) == (False, ["eu-1", "id-1"])
    table = await run(*BOTH)
    assert table.exit_code == 1
    assert transfer.transfer_id in table.output


async def test_one_cell_alone_says_what_it_did_not_check(cells: Reconciled) -> None:
    await cells.complete(await cells.abroad())
    result = await run("--cell", "eu-1", "--json")
    assert result.exit_code == 0
    statuses = {one["invariant"]: one["status"] for one in json.loads(result.stdout)["results"]}
    assert {name for name, status in statuses.items() if status == "not_checked"} == {"L4", "L7", "L8"}


async def test_it_waits_for_what_moves_to_come_to_rest(cells: Reconciled) -> None:
    transfer = await cells.at_home()
    moving = await run(*BOTH, "--json")
    assert (moving.exit_code, json.loads(moving.stdout)["at_rest"]) == (0, False)
    waiting = asyncio.create_task(run(*BOTH, "--json", "--wait", "30"))
    await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    assert json.loads((await waiting).stdout)["at_rest"] is True


async def test_an_unknown_cell_is_refused(cells: Reconciled) -> None:
    result = await run("--cell", "xx-9")
    assert isinstance(result.exception, KovraError)
    assert result.exception.code == "unknown-cell"
