"""`kovra journal` as an operator runs it: one stream, the entries in the order of their commits, and whether every row follows."""

import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from residency.ids import MalformedId, mint
from router.cli import journal
from router.cli.choices import UnknownChoice
from router.cli.journal import NoPosition, NoStream
from tests.support.asking import PARTNER
from tests.support.reconciled_cells import Reconciled, at_home, invoke

PERSONAL = ("Budi", "Santoso", "Astrid", "Lindqvist", "Weiß", "Storgatan", "1234567890", "DE8937", "P-88231177")
_WIDTH = 80


@pytest.fixture
async def cells(cell_database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reconciled]:
    async with at_home(cell_database, tmp_path, monkeypatch) as opened:
        yield opened


run = partial(invoke, "journal", of=[journal.register])


async def told(*arguments: str) -> Any:
    result = await run(*arguments, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


async def test_a_payments_stream_is_shown_of_both_cells_within_eighty_columns(cells: Reconciled) -> None:
    paid = await cells.complete(await cells.abroad())
    found = await told("show", paid.transfer_id)
    assert (list(found["cells"]), list(found["unreached"])) == (["eu-1", "id-1"], ["uk-1"])
    first, *_, last = found["cells"]["eu-1"]
    assert (first["kind"], first["actor"], first["request_id"]) == ("transfer.accepted.1", *PARTNER)
    assert (last["version"], last["facts"]["state"]) == (7, "COMPLETED")
    shown = await run("show", paid.transfer_id)
    assert shown.exit_code == 0, shown.exception
    assert [line for line in shown.output.splitlines() if len(line) > _WIDTH] == []
    for words in ("accepted", PARTNER.actor, PARTNER.request_id, "rail_settled", "principal", "state COMPLETED"):
        assert words in shown.output
    assert not [word for word in PERSONAL if word in shown.output]
    alone = await told("show", paid.transfer_id, "--cell", "id-1")
    assert list(alone["cells"]) == ["id-1"]


async def test_who_asks_for_what_is_not_there_is_told_so(cells: Reconciled) -> None:
    for arguments, error in (
        (("show", mint("tr", "eu-1")), NoStream),
        (("show", "tr_1"), MalformedId),
        (("show", mint("tr", "eu-1"), "--cell", "xx-1"), UnknownChoice),
        (("read", "--cell", "xx-1"), UnknownChoice),
        *((("read", "--cell", "eu-1", "--after", odd), NoPosition)
          for odd in ("1", "a:b:c", "1:tr_1:1", f"-1:{mint('tr', 'eu-1')}:1", f"{1 << 63}:{mint('tr', 'eu-1')}:1",
                      f"1:{mint('tr', 'eu-1')}:{1 << 31}", f"²:{mint('tr', 'eu-1')}:1")),
    ):  # fmt: skip
        result = await run(*arguments)
        assert isinstance(result.exception, error), (arguments, result.exception, result.output)


async def test_entries_are_read_on_from_the_position_that_was_shown(cells: Reconciled) -> None:
    await cells.complete(await cells.abroad())
    await cells.at_home()
    whole = await told("read", "--cell", "eu-1")
    assert len([one for one in whole["entries"] if one["stream"].startswith("tr_")]) == 10
    found, position = [], ""
    while (page := await told("read", "--cell", "eu-1", "--limit", "3", "--after", position))["entries"]:
        found += page["entries"]
        position = page["position"]
    assert (found, position) == (whole["entries"], whole["position"])
    shown = await run("read", "--cell", "eu-1", "--limit", "4")
    assert shown.output.count("accepted") == 1
    assert "read on with --after" in shown.output


@pytest.mark.writes_by_hand
async def test_the_check_names_each_difference_and_exits_with_one(cells: Reconciled) -> None:
    await cells.complete(await cells.abroad())
    home = await cells.at_home()
    for cell, counted in (("eu-1", (3, 12)), ("id-1", (1, 6))):
        good = (await told("rebuild", "--check", "--cell", cell))["cells"][cell]
        assert (good["streams"], good["entries"], good["differences"]) == (*counted, [])
    away = await run("rebuild", "--check")
    assert (away.exit_code, "uk-1 did not answer" in away.output) == (1, True), "nobody may call that whole"
    assert (await run("rebuild")).exit_code == 2, "nothing is ever rewritten"
    await cells.tamper(cells.eu, "update transfers set fee = fee + 1 where transfer_id = $1", home.transfer_id)
    bad = await run("rebuild", "--check", "--json")
    assert bad.exit_code == 1
    [found] = json.loads(bad.stdout)["cells"]["eu-1"]["differences"]
    assert (found["stream"], found["what"]) == (home.transfer_id, "fee")
    shown = await run("rebuild", "--check", "--cell", "eu-1")
    assert (shown.exit_code, "1 differences" in shown.output, home.transfer_id in shown.output) == (1, True, True)
    assert (await run("rebuild", "--check", "--cell", "id-1")).exit_code == 0
