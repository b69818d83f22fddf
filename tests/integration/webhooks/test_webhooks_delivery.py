"""Webhooks end to end: events in a commit, a worker, a real listener, signatures checked with libraries that
are not ours.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import JWKRegistry, KeySet
from standardwebhooks import Webhook, WebhookVerificationError

from actors.workers.webhooks import Bounds, WebhookWorker
from cells.backends.postgres import StoreUnavailable, tenant_transaction, transaction
from cells.events import feed
from cells.webhooks import store_endpoints, store_log, store_secrets
from cells.webhooks.endpoints import UnknownEventType, rotate_secret
from cells.webhooks.guard import UrlNotAllowed
from cells.webhooks.schedule import Schedule
from cells.webhooks.sender import Sender
from cells.webhooks.signing import jwks, standard_public_key
from tests.support.emitting import emit
from tests.support.eu_cell import EuCell, open_eu_cell
from tests.support.http_listener import Received, open_listener
from tests.support.servers import CellDatabase
from tests.support.webhook_room import (
    EVERY_PORT,
    QUICK,
    REGION,
    VAULT,
    an_event,
    append,
    deliveries,
    new_endpoint,
    queue,
    worker,
)


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        yield opened


async def test_a_delivery_verifies_with_standard_webhooks_and_with_jose(cell: EuCell) -> None:
    async with open_listener() as listener, worker(cell.writer):
        endpoint = await new_endpoint(cell, listener.url + "/hook")
        event = an_event(cell)
        await append(cell, event)
        (got,) = await listener.wait_for(1)
        await deliveries(cell, delivered=1)
    assert got.path == "/hook"
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        [shown] = await feed.read_resources(connection, REGION, [event.resource_id])
    assert got.body.decode() == shown.body
    assert got.headers["webhook-id"] == event.event_id
    told = Webhook(endpoint.secret).verify(got.body, got.headers)
    assert told["data"]["id"] == event.resource_id
    assert told["type"] == "transfer.completed"
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(got.body + b" ", got.headers)

    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        published = jwks(await store_secrets.public_keys(connection, REGION, cell.tenant.tenant_id))
    assert all("d" not in one for one in published["keys"])
    keys = KeySet([JWKRegistry.import_key(one) for one in published["keys"]])
    token = got.headers["kovra-signature-jws"]
    assert jws.deserialize_compact(token, keys, algorithms=["ES256"], payload=got.body).payload == got.body
    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(token, keys, algorithms=["ES256"], payload=got.body + b" ")


async def test_v1a_verifies_with_the_published_key(cell: EuCell) -> None:
    async with open_listener() as listener, worker(cell.writer):
        await new_endpoint(cell, listener.url)
        await append(cell, an_event(cell))
        (got,) = await listener.wait_for(1)
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        published = await store_secrets.public_keys(connection, REGION, cell.tenant.tenant_id)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(standard_public_key(published).removeprefix("whpk_")))
    [signature] = [one[4:] for one in got.headers["webhook-signature"].split() if one.startswith("v1a,")]
    said = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode()
    key.verify(base64.b64decode(signature), said + got.body)
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(signature), said + got.body + b" ")


async def test_while_a_secret_is_replaced_both_sign_and_then_the_new_one_alone(cell: EuCell) -> None:
    async with open_listener() as listener, worker(cell.writer):
        made = await new_endpoint(cell, listener.url)
        endpoint_id = made.endpoint.endpoint_id
        secrets = [made.secret]
        for overlap in (timedelta(hours=1), timedelta(0)):
            async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
                tenant_id = cell.tenant.tenant_id
                secrets.append(await rotate_secret(connection, VAULT, tenant_id, endpoint_id, overlap=overlap))
            await append(cell, an_event(cell))
            await listener.wait_for(len(secrets) - 1)
    during, after = listener.received
    verified = [[_verifies(secret, got) for secret in secrets] for got in (during, after)]
    # The first still has its hour; the second was ended at once by the third.
    assert verified == [[True, True, False], [True, False, True]]
    assert len(during.headers["webhook-signature"].split()) == 3


def _verifies(secret: str, got: Received) -> bool:
    try:
        Webhook(secret).verify(got.body, got.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_an_endpoint_that_fails_is_tried_again_with_the_same_bytes_under_the_same_id(
    cell: EuCell,
) -> None:
    async with open_listener(lambda number: 500 if number == 1 else 200) as listener, worker(cell.writer):
        endpoint = await new_endpoint(cell, listener.url)
        await append(cell, an_event(cell))
        first, second = await listener.wait_for(2)
        (row,) = await deliveries(cell, delivered=1)
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    Webhook(endpoint.secret).verify(second.body, second.headers)
    assert (row["attempts"], row["last_status"]) == (2, 200)


async def test_after_the_last_attempt_it_is_dead_until_it_is_replayed(cell: EuCell) -> None:
    async with open_listener(lambda number: 503 if number <= 3 else 200) as listener, worker(cell.writer):
        endpoint = (await new_endpoint(cell, listener.url)).endpoint
        event = an_event(cell)
        await append(cell, event)
        (row,) = await deliveries(cell, dead=1)
        assert (row["attempts"], row["last_status"], row["last_error"]) == (3, 503, "http_status")
        async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
            assert await store_log.resend(connection, REGION, endpoint.endpoint_id, "evt_eu1_none") is None
            again = await store_log.resend(connection, REGION, endpoint.endpoint_id, event.event_id)
            assert again is not None
            assert [one["status"] for one in again.attempt_log] == [503, 503, 503]
        await deliveries(cell, delivered=1)
    assert len(listener.received) == 4


async def test_a_worker_that_dies_in_the_middle_is_followed_by_one_that_delivers(cell: EuCell) -> None:
    bounds = Bounds(lease_s=0.6)
    async with open_listener(lambda number: None if number == 1 else 200) as listener:
        await new_endpoint(cell, listener.url)
        await append(cell, an_event(cell))
        async with worker(cell.writer, bounds=bounds):
            await listener.wait_for(1)
        (row,) = await deliveries(cell, pending=1)
        assert row["attempts"] == 1, "taken, and nothing written down"
        async with worker(cell.writer, bounds=bounds):
            await listener.wait_for(2)
            await deliveries(cell, delivered=1)
    assert listener.received[0].body == listener.received[1].body


async def test_a_worker_that_loses_its_listening_connection_says_so_and_a_new_one_delivers(cell: EuCell) -> None:
    sender = Sender(VAULT, QUICK, loopback_ports=EVERY_PORT, connections_max=1)
    lost = asyncio.create_task(WebhookWorker(cell.writer, REGION, sender, QUICK).run(asyncio.Event()))
    async with asyncio.timeout(20):
        while True:
            async with transaction(cell.writer) as connection:
                query = (
                    "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen %kovra_events%'"
                )
                if await connection.fetchval(query):
                    break
        with pytest.raises(StoreUnavailable):
            await lost
    await sender.close()
    async with open_listener() as listener, worker(cell.writer):
        await new_endpoint(cell, listener.url)
        await append(cell, an_event(cell))
        await listener.wait_for(1)
        await deliveries(cell, delivered=1)


async def test_deliveries_are_queued_below_the_oldest_open_transaction_and_skip_no_late_commit(cell: EuCell) -> None:
    """An event of a transaction that commits late is delivered late, not never; what was written after it waits, and comes by itself."""
    late, early = an_event(cell), an_event(cell)
    async with open_listener() as listener, worker(cell.writer):
        await new_endpoint(cell, listener.url)
        async with cell.writer.acquire() as slow:
            change = slow.transaction()
            await change.start()
            await emit(slow, late)
            await append(cell, early)
            async with transaction(cell.writer) as connection:
                assert await connection.fetch("select from webhook_deliveries") == []
            await change.commit()
        await listener.wait_for(2)
        await deliveries(cell, delivered=2)
    assert {json.loads(one.body)["id"] for one in listener.received} == {late.event_id, early.event_id}


async def test_only_what_commits_is_told_and_only_what_was_asked_for(cell: EuCell) -> None:
    async with open_listener() as listener, worker(cell.writer):
        await new_endpoint(cell, listener.url, "transfer.completed")
        async with cell.writer.acquire() as connection:
            change = connection.transaction()
            await change.start()
            await emit(connection, an_event(cell))
            await change.rollback()
        wanted = an_event(cell)
        await append(cell, an_event(cell, "transfer.instructed"), wanted)
        await listener.wait_for(1)
        rows = await deliveries(cell, delivered=1, pending=0)
    assert [row["event_id"] for row in rows] == [wanted.event_id]


async def test_a_hanging_endpoint_holds_up_no_other(cell: EuCell) -> None:
    slow = Schedule(delays_s=(60,), jitter=0, connect_s=2, total_s=30, patience_s=3600)
    bounds = Bounds(in_flight_max=4, per_endpoint_max=2)
    async with (
        open_listener(lambda _: None) as hanging,
        open_listener() as prompt,
        worker(cell.writer, bounds=bounds, schedule=slow),
    ):
        await new_endpoint(cell, hanging.url, "transfer.instructed")
        await new_endpoint(cell, prompt.url, "transfer.completed")
        await append(cell, *(an_event(cell, "transfer.instructed") for _ in range(6)))
        await hanging.wait_for(2)
        await append(cell, *(an_event(cell) for _ in range(6)))
        await prompt.wait_for(6)
        await deliveries(cell, delivered=6)
    assert len(hanging.received) == 2


async def test_two_workers_share_the_work_without_sending_twice(cell: EuCell) -> None:
    async with open_listener() as listener:
        await new_endpoint(cell, listener.url)
        events = [an_event(cell) for _ in range(60)]
        await append(cell, *events)
        async with worker(cell.writer), worker(cell.writer):
            await listener.wait_for(60)
            await deliveries(cell, delivered=60)
    sent = [json.loads(one.body)["id"] for one in listener.received]
    assert sorted(sent) == sorted(one.event_id for one in events)


async def test_a_redirect_is_a_failure_and_is_not_followed(cell: EuCell) -> None:
    async with open_listener(lambda _: 302) as listener, worker(cell.writer):
        await new_endpoint(cell, listener.url)
        await append(cell, an_event(cell))
        (row,) = await deliveries(cell, dead=1)
    assert row["last_status"] == 302
    assert {one.path for one in listener.received} == {"/"}


async def test_an_endpoint_that_is_gone_is_disabled_and_gets_nothing_more(cell: EuCell) -> None:
    async with open_listener(lambda _: 410) as listener, worker(cell.writer):
        await new_endpoint(cell, listener.url)
        await append(cell, an_event(cell))
        await deliveries(cell, dead=1)
        await append(cell, an_event(cell))
        async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
            (endpoint,) = await store_endpoints.list_endpoints(connection, REGION, cell.tenant.tenant_id)
        await deliveries(cell, dead=1, pending=0)
    assert endpoint.disabled_reason == "gone"
    assert len(listener.received) == 1


async def test_outside_a_sandbox_nothing_is_sent_to_loopback_even_by_a_name(cell: EuCell) -> None:
    async with open_listener() as listener, worker(cell.writer, loopback_ports=()):
        await new_endpoint(cell, listener.url.replace("127.0.0.1", "localhost"))
        await append(cell, an_event(cell))
        (row,) = await deliveries(cell, dead=1)
    assert listener.received == []
    assert row["last_error"] == "address_not_allowed"


async def test_an_endpoint_with_a_bad_url_or_an_unknown_event_is_refused(cell: EuCell) -> None:
    with pytest.raises(UrlNotAllowed):
        await new_endpoint(cell, "http://example.com/hook")
    with pytest.raises(UnknownEventType):
        await new_endpoint(cell, "https://example.com/hook", "transfer.exploded")


async def test_a_tenant_sees_no_other_tenants_events_endpoints_or_deliveries(cell: EuCell) -> None:
    await new_endpoint(cell, "https://example.com/hook")
    await append(cell, an_event(cell))
    await queue(cell)
    tables = ("journal", "webhook_endpoints", "webhook_secrets", "webhook_signers", "webhook_deliveries")
    for tenant, sees in ((cell.tenant, True), (cell.stranger, False)):
        async with tenant_transaction(cell.api, tenant.tenant_id) as connection:
            for table in tables:
                assert bool(await connection.fetchval(f"select count(*) from {table}")) is sees, table
    async with transaction(cell.writer) as connection:
        stored = await connection.fetchrow("select secret_sealed, secret_key from webhook_secrets")
    assert b"whsec_" not in stored["secret_sealed"] + stored["secret_key"]
