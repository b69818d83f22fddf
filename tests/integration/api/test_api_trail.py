"""Every route that changes something leaves a row on the trail, whatever its answer; and who is turned away is counted there."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from typer.testing import CliRunner

from cells.backends.postgres import transaction
from router.api.parts import record_refusals
from router.cli import messages
from router.cli.main import build
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.tenant_matrix import guarded, nobodys
from tests.support.whole_document import whole_document


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def rows(cell: ApiCell) -> list[tuple[str, str, str, str]]:
    async with transaction(cell.parts.writer) as connection:
        found = await connection.fetch("SELECT actor, action, tenant_id, outcome FROM audit_log ORDER BY sequence")
    return [tuple(row) for row in found]


async def test_every_route_that_changes_something_has_its_row_and_no_other(cell: ApiCell) -> None:
    ids = nobodys("eu-1")
    admin = {"Authorization": f"Bearer {await cell.operator_key()}"}
    missing = []
    for method, path, _ in guarded(whole_document(cell.app)):
        address = re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], "x"), path)
        before = len(await rows(cell))
        client, headers = (cell.anyone, admin) if path.startswith("/v1/admin/") else (cell.client, {})
        if method == "GET" and "stream" in path:
            continue
        body = None if method in ("GET", "DELETE") else {}
        answer = await client.request(
            method, address, json=body, headers={**headers, "Idempotency-Key": f"{method}-{path}"[:60]}
        )
        assert answer.status_code not in (401, 403, 405, 429, 500), (method, path, answer.text)
        made = [action for _, action, _, outcome in (await rows(cell))[before:] if outcome == str(answer.status_code)]
        if made != ([] if method == "GET" else [f"{method} {path}"]):
            missing.append((method, path, answer.status_code, made))
    assert not missing, missing


async def test_refused_access_is_counted_on_the_trail_without_an_address(cell: ApiCell) -> None:
    narrow, key_id = await cell.key(cell.tenant, frozenset({"quotes"}))
    for _ in range(5):
        assert (await cell.anyone.get("/v1/wallets")).status_code == 401
        assert (await cell.anyone.get("/v1/wallets", headers={"Authorization": f"Bearer {narrow}"})).status_code == 403
    await record_refusals(cell.parts)
    await record_refusals(cell.parts)
    found = await rows(cell)
    assert Counter(actor.partition(":")[0] for actor, *_ in found) == {"stranger": 1, key_id: 1}
    assert {(action, tenant, outcome) for _, action, tenant, outcome in found} == {
        ("access.refused", "", "401:5"),
        ("access.refused", cell.tenant.tenant_id, "403:5"),
    }
    assert "127.0.0.1" not in repr(found)


def kovra(*arguments: str) -> Any:
    done = CliRunner().invoke(build(), [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def test_an_officers_look_and_decision_are_on_the_trail_once(cell: ApiCell) -> None:
    case = await cell.recipient(name="Kovra Sandbox Review")
    case = case.partition(".")[0]
    before = len(await rows(cell))
    [listed] = (await asyncio.to_thread(kovra, "review", "list", "--cell", "eu-1"))["cases"]
    assert listed["case_id"] == case
    assert (await asyncio.to_thread(kovra, "review", "show", case)).get("names") is None
    shown = await asyncio.to_thread(kovra, "review", "show", case, "--names", "--operator", "Ben.Ops")
    assert shown["names"] == {case: "Kovra Sandbox Review"}
    clear = ("review", "clear", case, "--reason", "not-the-listed-party")
    for _ in range(2):
        assert (await asyncio.to_thread(kovra, *clear))["decision"]["officer"] == "ana.ops"
    assert [row[:2] for row in (await rows(cell))[before:]] == [
        ("operator:ben.ops", "review.names"),
        ("operator:ana.ops", "review.clear"),
    ]


async def test_what_is_shown_of_messages_is_on_the_trail(cell: ApiCell, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of the directory's cells this one alone is here.
    monkeypatch.setattr(messages, "all_cells", lambda _: [cell.spec])
    await cell.fund()
    async with transaction(cell.parts.writer) as connection:
        credit = await connection.fetchval("SELECT collection_id FROM collections")
    before = len(await rows(cell))
    assert all("body" not in one for one in await asyncio.to_thread(kovra, "messages", credit))
    found = await asyncio.to_thread(kovra, "messages", credit, "--show")
    made = (await rows(cell))[before:]
    assert [row[:2] for row in made] == ([("operator:ana.ops", "messages.show")] if found else [])
    assert found
    assert all("body" in one for one in found)
