"""Idempotency-Key at the door: required where money moves, honoured wherever it is sent.

What is kept under a key is the id of what was made, never the answer's text, which may hold personal data or a secret: a
replay reads the resource again. (Transfers keep their own answers, in the commit of the payment; cells/payments. What the sandbox's
schemes were told to do is kept as it was answered: ids, amounts and times.)
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, tenant_transaction
from cells.idempotency import store
from cells.idempotency.answer import Answer, IdempotencyConflict, RequestInFlight
from cells.idempotency.store import Claim
from residency.ids import mint
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing
from router.api.parts import parts_of

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
# An ISO 20022 reference has 35 characters at most.
_REFERENCE = "SBX"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Made(NamedTuple):
    """Something that a request made: its id and how it is shown."""

    resource_id: str
    body: dict[str, Any]


def optional_key(request: Request) -> str | None:
    """Raises IdempotencyKeyInvalid."""
    key = request.headers.get("idempotency-key")
    if key is not None and _KEY.fullmatch(key) is None:
        raise IdempotencyKeyInvalid
    return key


def required_key(request: Request) -> str:
    """Raises IdempotencyKeyMissing, IdempotencyKeyInvalid."""
    key = optional_key(request)
    if key is None:
        raise IdempotencyKeyMissing
    return key


async def _digest(request: Request) -> bytes:
    """What makes two requests the same: the body, and the parameters where there are any."""
    query: bytes = request.scope["query_string"]
    return hashlib.sha256((query + b"\n" if query else b"") + await request.body()).digest()


async def created(
    request: Request,
    operation: str,
    make: Callable[[Connection], Awaitable[Made]],
    again: Callable[[Connection, str], Awaitable[dict[str, Any]]],
    *,
    within: AbstractAsyncContextManager[Connection] | None = None,
) -> Response:
    """Make a resource in one transaction, once per key if there is one: 201 with what was made.

    `within`: the transaction, where it is not that of the caller's own rows.
    Raises what `make` raises (then the key is free again), IdempotencyConflict, RequestInFlight.
    """
    parts, call, key = parts_of(request), call_of(request), optional_key(request)
    async with within or tenant_transaction(parts.pool, call.tenant_id) as connection:
        if key is None:
            made = await make(connection)
            call.resource_id = made.resource_id
            return Json(made.body, 201)
        claim_id = mint("req", parts.spec.name)
        digest = await _digest(request)
        claim = Claim(call.tenant_id, operation, key, digest, claim_id)
        [claimed] = await store.claim(connection, parts.region, [claim])
        if claimed.first:
            made = await make(connection)
            await store.give(connection, parts.region, {claim_id: Answer(201, {"id": made.resource_id})})
            call.resource_id = made.resource_id
            return Json(made.body, 201)
        if not claimed.same_request:
            raise IdempotencyConflict
        if claimed.answer is None:
            raise RequestInFlight
        call.resource_id = claimed.answer.body["id"]
        return Json(await again(connection, call.resource_id), 201, {REPLAYED: "true"})


async def acted(
    request: Request, operation: str, act: Callable[[str, bool], Awaitable[dict[str, Any]]], resource_id: str = ""
) -> Response:
    """Have something done that is not on this cell's record, once per key: 202 with what `act` says of it.

    `act(reference, again)`: the reference is the same for the same key, and what is asked with it twice must count once. `again`: somebody
    may have done it already, and died before he could say so. `resource_id`: what it is done to; else the reference is on the trail.
    Raises what `act` raises (the key may then be used again), IdempotencyKeyMissing, IdempotencyKeyInvalid, IdempotencyConflict.
    """
    parts, call, key = parts_of(request), call_of(request), required_key(request)
    reference = _REFERENCE + hashlib.sha256(f"{call.tenant_id}|{operation}|{key}".encode()).hexdigest()[:32]
    call.resource_id = resource_id or reference
    claim_id, digest = mint("req", parts.spec.name), await _digest(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        [claimed] = await store.claim(
            connection, parts.region, [Claim(call.tenant_id, operation, key, digest, claim_id)]
        )
    if not claimed.same_request:
        raise IdempotencyConflict
    if claimed.answer is not None:
        return Json(dict(claimed.answer.body), 202, {REPLAYED: "true"})
    shown = await act(reference, not claimed.first)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        await store.give(connection, parts.region, {claimed.resource_id: Answer(202, shown)})
    return Json(shown, 202)


class Kept(NamedTuple):
    """What a key stands for: the id of what it made, and whether this request was the first."""

    resource_id: str
    first: bool


async def claimed(request: Request, connection: Connection, operation: str, key: str, resource_id: str) -> Kept:
    """Claim a key for this path and body. Raises IdempotencyConflict."""
    parts, call = parts_of(request), call_of(request)
    digest = hashlib.sha256(request.url.path.encode() + b"\n" + await request.body()).digest()
    claim = Claim(call.tenant_id, operation, key, digest, resource_id)
    [found] = await store.claim(connection, parts.region, [claim])
    if not found.same_request:
        raise IdempotencyConflict
    return Kept(found.resource_id, found.first)
