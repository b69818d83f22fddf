"""Webhook endpoints and the feed of events through the API of one cell, as a partner and as a stranger."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cells.backends.postgres import transaction
from cells.events.fan_out import fan_out
from cells.webhooks.catalogue import CATALOGUE
from cells.webhooks.endpoints import ENDPOINTS_MAX
from residency.ids import mint
from tests.support.api_cell import ApiCell, open_api_cell

URL = "https://example.com/hook"


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def made(cell: ApiCell, **more: Any) -> dict[str, Any]:
    answer = await cell.client.post("/v1/webhooks", json={"url": URL, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_an_endpoint_is_read_changed_disabled_enabled_and_deleted(cell: ApiCell) -> None:
    endpoint = await made(cell, event_types=["transfer.completed"])
    path = f"/v1/webhooks/{endpoint['id']}"
    shown = (await cell.client.get(path)).json()
    assert "secret" not in shown
    assert {name: shown[name] for name in ("url", "event_types", "status", "failing_since", "replaying")} == {
        "url": URL, "event_types": ["transfer.completed"], "status": "enabled", "failing_since": None, "replaying": False,
    }  # fmt: skip
    changed = (await cell.client.patch(path, json={"url": f"{URL}/2", "event_types": []})).json()
    assert (changed["url"], changed["event_types"]) == (f"{URL}/2", [])
    off = (await cell.client.patch(path, json={"status": "disabled"})).json()
    assert (off["status"], off["disabled_reason"], off["url"]) == ("disabled", "owner", f"{URL}/2")
    for what, body in (("test", {}), ("replay", {"from": "2026-01-01T00:00:00Z"})):
        refused = await cell.client.post(f"{path}/{what}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "webhook-endpoint-disabled")
    on = (await cell.client.patch(path, json={"status": "enabled"})).json()
    assert (on["status"], on["disabled_reason"]) == ("enabled", None)
    assert (await cell.client.patch(path, json={"url": "https://10.0.0.1/"})).json()[
        "code"
    ] == "webhook-url-not-allowed"
    assert (await cell.client.patch(path, json={"event_types": ["no"]})).json()["code"] == "unknown-event-type"
    assert (await cell.client.delete(path)).status_code == 204
    assert (await cell.client.get(path)).status_code == 404
    assert (await cell.client.delete(path)).status_code == 404


async def test_a_secret_is_replaced_and_the_old_one_signs_on_for_a_while(cell: ApiCell) -> None:
    endpoint = await made(cell)
    path, key = f"/v1/webhooks/{endpoint['id']}/secret", {"Idempotency-Key": "rotate-1"}
    answer = await cell.client.post(path, json={"overlap_s": 3600}, headers=key)
    assert answer.status_code == 201
    assert answer.json()["secret"].startswith("whsec_")
    assert answer.json()["secret"] != endpoint["secret"]
    [ends_at] = answer.json()["previous_secrets_end_at"]
    left = datetime.fromisoformat(ends_at) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    again = await cell.client.post(path, json={"overlap_s": 3600}, headers=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(again.json()["previous_secrets_end_at"]) == 1, "a repeated request replaces nothing"
    for _ in range(3):
        await cell.client.post(path, json={})
    refused = await cell.client.post(path, json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "too-many-webhook-secrets")


async def test_the_public_keys_of_an_endpoint(cell: ApiCell) -> None:
    endpoint = await made(cell)
    keys = (await cell.client.get(f"/v1/webhooks/{endpoint['id']}/keys")).json()
    assert [one["alg"] for one in keys["keys"]] == ["ES256", "Ed25519"]
    assert keys["public_key"].startswith("whpk_")
    open_to_all = (await cell.anyone.get(f"/.well-known/jwks.json?tenant_id={cell.tenant.tenant_id}")).json()
    assert open_to_all["keys"] == keys["keys"]


async def test_a_test_event_shows_in_the_log_and_in_the_feed(cell: ApiCell) -> None:
    endpoint = await made(cell, event_types=["transfer.completed"])
    other = await made(cell)
    path = f"/v1/webhooks/{endpoint['id']}"
    told = (await cell.client.post(f"{path}/test")).json()
    async with transaction(cell.parts.writer) as connection:
        assert await fan_out(connection, cell.parts.region, limit=10)
    [logged] = (await cell.client.get(f"{path}/deliveries")).json()["data"]
    assert (logged["event_id"], logged["event_type"], logged["state"]) == (told["event_id"], "webhook.test", "pending")
    assert logged["attempts"] == []
    assert (await cell.client.get(f"{path}/deliveries", params={"state": "dead"})).json()["data"] == []
    assert (await cell.client.get(f"/v1/webhooks/{other['id']}/deliveries")).json()["data"] == []
    again = await cell.client.post(f"{path}/deliveries/{told['event_id']}/resend")
    assert (again.status_code, again.json()["attempt_count"]) == (202, 0)
    assert (await cell.client.get(f"/v1/events/{told['event_id']}")).json()["type"] == "webhook.test"
    [shown] = (await cell.client.get("/v1/events", params={"type": "webhook.test"})).json()["data"]
    assert shown["data"] == {"endpoint_id": endpoint["id"]}
    nothing = (await cell.client.get("/v1/events", params={"type": "transfer.completed"})).json()
    assert nothing == {"data": [], "next_cursor": told["event_id"], "has_more": False}


async def test_a_replay_is_asked_for_by_event_or_by_time(cell: ApiCell) -> None:
    path = f"/v1/webhooks/{(await made(cell))['id']}"
    told = (await cell.client.post(f"{path}/test")).json()
    for start in (told["event_id"], "2026-11-01T00:00:00Z"):
        answer = await cell.client.post(f"{path}/replay", json={"from": start})
        assert (answer.status_code, answer.json()["replaying"]) == (202, True)
    assert (await cell.client.get(path)).json()["replaying"]
    missing = await cell.client.post(f"{path}/replay", json={"from": mint("evt", "eu-1")})
    assert (missing.status_code, missing.json()["pointer"]) == (404, "/from")


async def test_the_catalogue_is_served_and_is_in_the_document(cell: ApiCell) -> None:
    types = (await cell.client.get("/v1/events/types")).json()["data"]
    assert [one["type"] for one in types] == list(CATALOGUE)
    assert all(one["example"]["type"] == one["type"] for one in types)
    document = (await cell.anyone.get("/openapi.json")).json()
    assert list(document["webhooks"]) == list(CATALOGUE)


async def test_the_feed_goes_on_from_its_cursor(cell: ApiCell) -> None:
    path = f"/v1/webhooks/{(await made(cell))['id']}"
    ids = [(await cell.client.post(f"{path}/test")).json()["event_id"] for _ in range(3)]
    first = (await cell.client.get("/v1/events", params={"limit": 2})).json()
    assert ([one["id"] for one in first["data"]], first["has_more"]) == (ids[:2], True)
    rest = (await cell.client.get("/v1/events", params={"cursor": first["next_cursor"]})).json()
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (ids[2:], False)
    idle = (await cell.client.get("/v1/events", params={"cursor": rest["next_cursor"]})).json()
    assert idle == {"data": [], "next_cursor": ids[2], "has_more": False}
    since = (await cell.client.get("/v1/events", params={"since": "2026-11-01T00:00:00Z"})).json()
    assert [one["id"] for one in since["data"]] == ids
    unknown = await cell.client.get("/v1/events", params={"event_type": "transfer.completed"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid-request"), "a filter is never passed over"


async def test_another_tenants_endpoints_events_and_deliveries_are_nobodys(cell: ApiCell) -> None:
    endpoint = (await made(cell))["id"]
    event = (await cell.client.post(f"/v1/webhooks/{endpoint}/test")).json()["event_id"]
    theirs = (await cell.other.post("/v1/webhooks", json={"url": URL})).json()["id"]
    tried = [
        await cell.other.get(f"/v1/webhooks/{endpoint}"),
        await cell.other.patch(f"/v1/webhooks/{endpoint}", json={"status": "disabled"}),
        await cell.other.delete(f"/v1/webhooks/{endpoint}"),
        await cell.other.post(f"/v1/webhooks/{endpoint}/secret", json={}),
        await cell.other.get(f"/v1/webhooks/{endpoint}/keys"),
        await cell.other.get(f"/v1/webhooks/{endpoint}/deliveries"),
        await cell.other.post(f"/v1/webhooks/{endpoint}/test"),
        await cell.other.post(f"/v1/webhooks/{endpoint}/replay", json={"from": event}),
        await cell.other.post(f"/v1/webhooks/{theirs}/replay", json={"from": event}),
        await cell.other.post(f"/v1/webhooks/{endpoint}/deliveries/{event}/resend"),
        await cell.other.post(f"/v1/webhooks/{theirs}/deliveries/{event}/resend"),
        await cell.other.get(f"/v1/events/{event}"),
        await cell.other.get("/v1/events", params={"cursor": event}),
    ]
    assert [answer.status_code for answer in tried] == [404] * len(tried)
    assert (await cell.other.get("/v1/events")).json()["data"] == []
    assert (await cell.client.get(f"/v1/webhooks/{endpoint}")).json()["status"] == "enabled"


async def test_there_are_never_more_endpoints_than_may_be_however_many_ask_at_once(cell: ApiCell) -> None:
    async def create(number: int) -> int:
        answer = await cell.client.post("/v1/webhooks", json={"url": f"https://partner.example/{number}"})
        if answer.status_code != 201:
            assert answer.json()["code"] == "too-many-webhook-endpoints"
        return answer.status_code

    answered = await asyncio.gather(*(create(number) for number in range(ENDPOINTS_MAX + 14)))
    assert answered.count(201) == ENDPOINTS_MAX
    assert len((await cell.client.get("/v1/webhooks")).json()["data"]) == ENDPOINTS_MAX
