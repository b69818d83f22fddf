"""What it costs the API to know its caller, each of the three ways, and to count it: microseconds of its own CPU per request.

A caller that is remembered, as all but one request in some seconds are; Redis's own time (some 5 µs a script) is not in it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.types import Message

from cells.backends.postgres import transaction
from cells.backends.redis import Counters
from cells.cell import Institution
from cells.kit.forwarded import Origin
from cells.tenants import store_keys
from cells.tenants.issuing import issue
from cells.tenants.keys import SCOPES
from cells.tenants.tenant import Tenant
from cells.tenants.tokens import TokenDesk
from router.api.auth import KeyRing
from router.api.call import CALL, Call, call_of
from router.api.throttle import Throttle
from tests.support.signing import signed

_REQUESTS = 2_000
_AT_ONCE = 64
_PATH = "/v1/transfers"
_BODY = b'{"quote_id":"qt_eu1_06l2r0k8q5o7t3v1a9c4e6g8io","recipient_id":"rcp_id1_06l2r0k8q5o7t3v1a9c4e6g8io.IDR.x"}'


async def access(api: Institution, writer: Institution, tenant: Tenant) -> dict[str, Any]:
    """CPU per request. `api` and `writer` have those roles; `tenant` is one of the benchmark's tier."""
    spec, counters = api.spec, Counters(api.spec.settings.redis)
    throttle, desk = Throttle(counters), TokenDesk(spec.entry, "bench")
    ring = KeyRing(api, throttle, desk, remembered_s=3_600.0)
    issued = {one: issue(tenant, SCOPES, credential_type=one) for one in ("key", "signature", "client")}
    async with transaction(writer.pool) as connection:
        await store_keys.add_keys(connection, spec.region, [one.sealed_by(api.vault) for one in issued.values()])
    signer, client, now = api.keys.signer(spec.directory, datetime.now(UTC)), issued["client"].row, datetime.now(UTC)
    token = desk.issue(signer, client, SCOPES, "bench", now)
    signing = issued["signature"]
    sent = [{"authorization": f"Bearer {issued['key'].text}"}] * _REQUESTS
    borne = [{"authorization": f"Bearer {token}"}] * _REQUESTS
    made = [
        signed(signing.row.key_id, signing.text, "POST", _PATH, _BODY, idempotency_key=str(number))
        for number in range(_REQUESTS)
    ]

    async def known(headers: Mapping[str, str]) -> None:
        request = _request(headers)
        call_of(request).caller = await ring.caller(request)
        await ring.check_signed(request)

    async def counted(_: object) -> None:
        assert (await throttle.admit(tenant)).allowed

    found = {
        "access_api_key_us": await _cost(known, sent),
        "access_token_us": await _cost(known, borne),
        f"access_signature_us_by_{_AT_ONCE}": await _cost(known, made),
        f"rate_check_us_by_{_AT_ONCE}": await _cost(counted, sent),
        "rate_check_us_alone": await _cost(counted, sent, at_once=1),
        "access_token_issued_us": await _cost(_issued(desk, signer, client), sent),
        "access_token_read_us": await _cost(_read(desk, token), sent),
    }
    await throttle.close()
    return found


def _issued(desk: TokenDesk, signer: Any, client: Any) -> Callable[[object], Awaitable[None]]:
    async def once(_: object) -> None:
        desk.issue(signer, client, SCOPES, "bench", datetime.now(UTC))

    return once


def _read(desk: TokenDesk, token: str) -> Callable[[object], Awaitable[None]]:
    async def once(_: object) -> None:
        desk.read(token, datetime.now(UTC))

    return once


def _request(headers: Mapping[str, str]) -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "method": "POST", "path": _PATH, "raw_path": _PATH.encode(), "query_string": b"", "headers": raw,
        "client": ("127.0.0.1", 1), CALL: Call("req_eu1_bench", Origin("127.0.0.1", "bench")),
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request", "body": _BODY, "more_body": False}

    return Request(scope, receive)


async def _cost(
    once: Callable[[Mapping[str, str]], Awaitable[None]], sent: list[Mapping[str, str]], *, at_once: int = _AT_ONCE
) -> float:
    """Microseconds of CPU per request, of so many that are under way together."""
    await once(sent[-1])
    started_s = time.process_time()
    for place in range(0, len(sent) - 1, at_once):
        await asyncio.gather(*(once(one) for one in sent[place : min(place + at_once, len(sent) - 1)]))
    return round((time.process_time() - started_s) * 1e6 / (len(sent) - 1), 1)
