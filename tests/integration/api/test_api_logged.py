"""What the log says of requests and of transitions, and that it says nothing of a person."""

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from cells.kit.answered import Answered
from cells.payments.watch import TransitionLine
from residency.ids import mint
from router.api.listeners import for_partners, only
from tests.support.api_cell import PAYER, ApiCell, open_api_cell
from tests.support.waiting import until


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


def lines(caplog: pytest.LogCaptureFixture, kind: type) -> list[Any]:
    return [one for record in caplog.records for one in getattr(record, "lines", ()) if isinstance(one, kind)]


async def test_every_answered_request_is_one_line(cell: ApiCell, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "kovra.requests")
    mine = mint("req", "eu-1")
    payer = await cell.client.post("/v1/payers", json=PAYER, headers={"Kovra-Region": "EU", "Kovra-Request-Id": mine})
    await cell.client.get("/v1/payers/Astrid")
    await cell.client.get("/v1/payers", params={"name": "Astrid"})
    await cell.client.get("/v1/payers", headers={"Authorization": "Bearer kv_sandbox_Astrid"})
    await cell.anyone.get("/Astrid")
    told = lines(caplog, Answered)
    assert [(one.method, one.route, one.status, one.code, bool(one.key_id)) for one in told] == [
        ("POST", "/v1/payers", 201, "", True),
        ("GET", "/v1/payers/{payer_id}", 404, "payer-not-found", True),
        ("GET", "/v1/payers", 422, "invalid-request", True),
        ("GET", "/v1/payers", 401, "invalid-api-key", False),
        ("GET", "", 404, "not-found", False),
    ]
    first = told[0]
    assert (first.request_id, first.tenant_id, first.region) == (mine, cell.tenant.tenant_id, "EU")
    assert first.resource_id == payer.json()["id"]
    assert first.duration_ms > 0
    assert "Astrid" not in str(told)
    assert "Lindqvist" not in str(told)


async def test_a_probe_is_no_line_above_debugging(cell: ApiCell, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "kovra.requests")
    assert (await cell.anyone.get("/healthz")).status_code == 200
    assert not lines(caplog, Answered)
    caplog.set_level("DEBUG", "kovra.requests")
    assert (await cell.anyone.get("/healthz")).status_code == 200
    assert [one.route for one in lines(caplog, Answered)] == ["/healthz"]


async def test_what_is_asked_at_the_wrong_listener_is_a_line(cell: ApiCell, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "kovra.requests")
    transport = httpx.ASGITransport(only(cell.app, for_partners))
    async with httpx.AsyncClient(transport=transport, base_url="http://eu-1.test") as client:
        answer = await client.get("/v1/admin/tenants")
    [line] = lines(caplog, Answered)
    assert (line.request_id, line.status, line.code) == (answer.json()["request_id"], 404, "not-found")


async def test_every_transition_is_one_line(cell: ApiCell, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "kovra.transitions")
    await cell.fund()
    asked = {
        "quote_id": (await cell.quote())["id"],
        "recipient_id": await cell.recipient(),
        "payer_id": await cell.payer(),
        "reference": "for Astrid",
    }
    answer = await cell.client.post("/v1/transfers", json=asked, headers={"Idempotency-Key": "k"})
    transfer_id, request_id = answer.json()["id"], answer.headers["kovra-request-id"]

    def found() -> list[TransitionLine]:
        return [one for one in lines(caplog, TransitionLine) if one.transfer_id == transfer_id]

    await until(lambda: len(found()) >= 2)
    timeline = (await cell.client.get(f"/v1/transfers/{transfer_id}/timeline")).json()["data"]
    told = found()
    assert (told[0].before, told[0].now, told[0].request_id) == ("", "CREATED", request_id)
    assert {one.tenant_id for one in told} == {cell.tenant.tenant_id}
    assert [one.version for one in told] == list(range(1, len(told) + 1))
    assert all(one.before == earlier.now for earlier, one in pairwise(told))
    assert len(timeline) <= len(told)
    assert "Astrid" not in json.dumps([str(one) for one in lines(caplog, TransitionLine)])
