"""What the operator's people do by commands is on the audit trail of each cell concerned, under their name, or is not done."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from actors.workers.checkpoints import Checkpoints
from cells.kit.operator import OperatorInvalid
from cells.spec import load_spec
from infra.local.home import Home
from router.cli.deeds import DEEDS
from router.cli.main import build
from router.cli.record import changing, institution_of, reading
from tests.support.api_cell import write_home
from tests.support.waiting import until

CELLS = {"eu-1": "EU", "uk-1": "UK", "id-1": "ID"}
NOBODY = "_eu1_" + "0" * 26


@pytest.fixture
def home(cell_database, schemes, tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    for cell, region in CELLS.items():
        write_home(Home(tmp_path), cell, cell_database(region), schemes)
    return tmp_path


def kovra(*arguments: str) -> Any:
    done = CliRunner().invoke(build(), [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def trail(home: Path, cell: str) -> list[tuple[str, str, str, str, str]]:
    async def read() -> list[tuple[str, str, str, str, str]]:
        async with reading(load_spec(cell, home)) as connection:
            rows = await connection.fetch(
                "SELECT actor, action, resource_id, tenant_id, outcome FROM audit_log ORDER BY sequence"
            )
        return [tuple(row) for row in rows]

    return asyncio.run(read())


def test_every_change_of_tenants_keys_limits_and_fees_is_on_the_trail_of_every_cell(home: Path) -> None:
    made = kovra("tenants", "create", "Nusantara Pay")
    tenant = made["tenant"]["tenant_id"]
    first = "key_" + "_".join(made["key"].split("_")[2:4])
    key = kovra("tenants", "keys", "create", tenant, "--operator", "Ben.Ops")["key_id"]
    new = kovra("tenants", "keys", "rotate", key)["key_id"]
    kovra("tenants", "keys", "revoke", new)
    admin = kovra("tenants", "keys", "admin")["key_id"]
    kovra("tenants", "set-tier", tenant, "growth")
    kovra("tenants", "set-return-policy", tenant, "original_and_fee")
    kovra("limits", "set", "tenant", "day", "amount", "EUR", "5000.00", "--tenant", tenant)
    kovra("fees", "add", "eur-flat", "PRE", "100", "--tenant", tenant)
    mine, expected = "operator:ana.ops", []
    expected += [(mine, "tenants.create", first, tenant, "done")]
    expected += [("operator:ben.ops", "tenants.keys.create", key, tenant, "done")]
    expected += [(mine, "tenants.keys.rotate", new, tenant, "done"), (mine, "tenants.keys.expire", key, tenant, new)]
    expected += [(mine, "tenants.keys.revoke", new, tenant, "done")]
    expected += [(mine, "tenants.keys.admin", admin, "platform", "done")]
    expected += [(mine, "tenants.set-tier", tenant, tenant, "growth")]
    expected += [(mine, "tenants.set-return-policy", tenant, tenant, "original_and_fee")]
    expected += [(mine, "limits.set", "tenant.day.amount.EUR:", tenant, "v1:500000")]
    expected += [(mine, "fees.add", "eur-flat", tenant, "v1")]
    for cell in CELLS:
        assert trail(home, cell) == expected, cell


# A valid call of every command that changes something.
CALLS = {
    "doctor release": ["tr" + NOBODY],
    "messages": ["tr" + NOBODY, "--show"],
    "tenants create": ["X"],
    "tenants set-tier": ["ten" + NOBODY, "growth"],
    "tenants set-return-policy": ["ten" + NOBODY, "original"],
    "tenants keys create": ["ten" + NOBODY],
    "tenants keys revoke": ["key" + NOBODY],
    "tenants keys rotate": ["key" + NOBODY],
    "tenants keys admin": [],
    "fees add": ["eur-flat", "PRE", "100"],
    "limits set": ["tenant", "day", "amount", "EUR", "5000.00"],
    "suspense assign": ["col" + NOBODY, "wal" + NOBODY],
    "suspense return": ["col" + NOBODY],
    "review show": ["tr" + NOBODY, "--names"],
    "review clear": ["tr" + NOBODY, "--reason", "documents-in-order"],
    "review refuse": ["tr" + NOBODY, "--reason", "no-answer"],
    "review block": ["tr" + NOBODY, "--reason", "the-listed-party"],
    "review release": ["tr" + NOBODY, "--to", "payer", "--reason", "no-longer-listed"],
    "audit export": ["eu-1", "/nonexistent/trail"],
    "doubts settled": ["tr" + NOBODY, "--reason", "scheme-confirms-payment"],
    "doubts refused": ["tr" + NOBODY, "--reason", "scheme-confirms-refusal"],
    "recall ask": ["tr" + NOBODY],
    "recall accept": ["rcl" + NOBODY],
    "recall refuse": ["rcl" + NOBODY],
}


def test_nobody_in_particular_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(CALLS) == set(DEEDS)
    for name in ("", " ", "x", "a b", "-ana-", "ana@example.org", "Ána", "a" * 65):
        monkeypatch.setenv("KOVRA_OPERATOR", name)
        for command, arguments in CALLS.items():
            done = CliRunner().invoke(build(), [*command.split(), *arguments])
            assert isinstance(done.exception, OperatorInvalid), (name, command, done.output, done.exception)
    assert [trail(home, cell) for cell in CELLS] == [[], [], []]


def test_what_came_to_nothing_leaves_no_entry(home: Path) -> None:
    for command, arguments in CALLS.items():
        if command not in ("messages", "tenants create", "tenants keys admin", "fees add", "limits set"):
            done = CliRunner().invoke(build(), [*command.split(), *arguments])
            assert getattr(done.exception, "title", ""), (command, done.output, done.exception)
    assert [trail(home, cell) for cell in CELLS] == [[], [], []]


async def test_a_change_without_an_entry_is_undone_and_a_bug(home: Path) -> None:
    spec = load_spec("eu-1", home)
    hide = "INSERT INTO tenants SELECT * FROM tenants WHERE false"
    rename = "UPDATE audit_heads SET sequence = sequence"
    with pytest.raises(AssertionError, match="recorded nothing"):
        async with changing(spec, "operator:ana.ops") as change:
            await change.connection.execute(hide)
    async with changing(spec, "operator:ana.ops") as change:
        await change.record("fees.add", "kept")
    async with changing(spec, "operator:ana.ops") as change:
        await change.record("fees.add", "not-kept")
        change.unchanged = True
    with pytest.raises(AssertionError, match="in no row"):
        async with changing(spec, "operator:ana.ops") as change:
            await change.record("fees.invented", "x")
    async with reading(spec) as connection:
        assert await connection.fetchval("SELECT array_agg(resource_id) FROM audit_log") == ["kept"]
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute(rename)


def checked(file: Path, home: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "cells.audit", str(file), str(home / "directory.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


async def _sign(home: Path) -> dict[str, Any]:
    async with institution_of(load_spec("eu-1", home)) as institution:
        worker, stop = Checkpoints(institution), asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        await until(lambda: worker.health()["signed_through"] > 0)
        stop.set()
        await running
        return dict(worker.health())


def test_an_export_is_checked_offline_and_says_what_nobody_vouches_for(home: Path, tmp_path: Path) -> None:
    kovra("tenants", "create", "Nusantara Pay")
    first = tmp_path / "first.jsonl"
    told = kovra("audit", "export", "eu-1", str(first))
    assert (told["first"], told["last"], told["signed_through"]) == (1, 1, 0)
    assert first.stat().st_mode & 0o777 == 0o600
    status, words = checked(first, home)
    assert (status, "unsigned: no checkpoint vouches for entries 1 to 1" in words) == (3, True), words

    assert asyncio.run(_sign(home))["signed_through"] == 2, "the export is on the trail, too"
    kovra("limits", "set", "tenant", "day", "amount", "EUR", "5000.00")
    second = tmp_path / "second.jsonl"
    kovra("audit", "export", "eu-1", str(second))
    status, words = checked(second, home)
    assert (status, "signed through entry 2" in words, "entries 3 to 3" in words) == (3, True, True), words
    asyncio.run(_sign(home))
    # Of a span that ends before it, the next checkpoint is there too: the whole span is vouched for.
    [at] = [json.loads(line)["at"] for line in second.read_text().splitlines() if '"limits.set"' in line]
    third = tmp_path / "third.jsonl"
    told = kovra("audit", "export", "eu-1", str(third), "--from", at)
    assert (told["first"], told["last"], told["signed_through"]) == (3, 4, 4)
    status, words = checked(third, home)
    assert (status, "signed through entry 4" in words) == (0, True), words
    lines = third.read_text().splitlines(keepends=True)
    third.write_text("".join(lines).replace("operator:ana.ops", "operator:ben.ops", 1))
    assert checked(third, home)[0] == 1

    empty = tmp_path / "empty.jsonl"
    kovra("audit", "export", "eu-1", str(empty), "--until", "2020-01-01T00:00:00Z")
    assert checked(empty, home)[0] == 3
    for wrong in (first, tmp_path / "no" / "folder"):
        done = CliRunner().invoke(build(), ["audit", "export", "eu-1", str(wrong)])
        assert getattr(done.exception, "title", "") == "The file cannot be made"
    assert checked(tmp_path / "none", home)[0] == 2
    assert checked(third, tmp_path / "none")[0] == 2
    assert not list(tmp_path.glob("*.partial"))
