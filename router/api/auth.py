"""Who calls, in one of three ways, each looked up in the cell's own database and remembered for a few seconds:

- an API key, `Authorization: Bearer kv_…`;
- an access token, `Authorization: Bearer <JWT>`, from POST /v1/oauth/token of this cell;
- a signature over the request (RFC 9421), `Signature-Input` and `Signature`; beside an Authorization it is refused.

A revoked key is refused by every process once its memory of it has run out: REMEMBERED_S after the revocation at the latest, and so
are its tokens and signatures. Only what is good is remembered, keys and tokens under a digest.

Failures are counted by the address that they come from and by the key that they name. An address that fails too often is not looked up for a
while; whoever is remembered goes on unhindered. A key that is guessed at from everywhere is looked up once in REMEMBERED_S: guesses are turned
away, and its owner is not.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.datastructures import Headers
from starlette.requests import Request

from cells.backends.postgres import Pool, transaction
from cells.cell import Institution
from cells.kit.gcra import Meter
from cells.spec import CellSpec
from cells.tenants.issuing import signing_key_of
from cells.tenants.keys import (
    InvalidKey,
    PresentedKey,
    allows,
    check_key,
    digest_of,
    grants,
    in_use,
    is_key_id,
    parse_key,
)
from cells.tenants.signatures import (
    NonceReplayed,
    SignatureInvalid,
    check_body,
    read_head,
    signs,
    text_to_sign,
)
from cells.tenants.store_keys import KeyHolder, find_keys, note_used
from cells.tenants.tenant import Tenant
from cells.tenants.tokens import Claims, InvalidToken, TokenDesk
from residency import tasks
from residency.errors import KovraError, needed
from router.api.call import Caller, call_of
from router.api.errors import LiveOnly, SandboxOnly, ScopeMissing, TooManyFailures
from router.api.metrics import TURNED_AWAY
from router.api.throttle import Throttle

REMEMBERED_S = 3.0
FAILURES_PER_MINUTE = 100
FAILURES_PER_KEY_PER_MINUTE = 100
_KNOWN_MAX = 10_000
_SCHEME = "bearer "
_WRONG = (InvalidKey, InvalidToken, SignatureInvalid)


@dataclass(frozen=True, slots=True, repr=False)
class _Known:
    """`secret`: what the caller signs with, where it signs."""

    caller: Caller
    until: float
    secret: bytes = b""


class _Holders(NamedTuple):
    """What a look-up of a key found, None for none, and until when it need not be looked up again."""

    holder: KeyHolder | None
    until: float


class KeyRing:
    """The keys of one cell. `remembered_s` bounds how long a revoked key still opens."""

    def __init__(
        self, institution: Institution, throttle: Throttle, tokens: TokenDesk, *, remembered_s: float = REMEMBERED_S
    ) -> None:
        self._pool = institution.pool
        self._vault = institution.vault
        self._region = institution.spec.region
        self._sandbox = institution.spec.settings.sandbox
        self._throttle = throttle
        self._tokens = tokens
        self._remembered_s = remembered_s
        # By the digest of what was presented, or by the id of the key that signs.
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[_Known]] = {}
        # Apart, so that whoever makes up keys does not push addresses out of what is remembered.
        self._failures, self._key_failures = Meter(), Meter()
        self._guessed_at: OrderedDict[str, _Holders] = OrderedDict()
        self._used: set[str] = set()

    async def caller(self, request: Request) -> Caller:
        """Who sends this; of a signed request, check_signed says the rest. Raises InvalidKey, InvalidToken, TokenExpired, SignatureInvalid,
        SignatureExpired, LiveOnly, TooManyFailures, StoreUnavailable."""
        authorization = request.headers.get("authorization")
        if authorization is None:
            return await self._signed(request)
        if "signature-input" in request.headers:
            raise SignatureInvalid(
                "The request has an Authorization, too, and its signature would not be looked at. Send one of them."
            )
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise InvalidKey("Send your API key or access token as Authorization: Bearer ….")
        text = authorization[len(_SCHEME) :].strip()
        name = hashlib.sha256(text.encode()).digest()
        known = self._known.get(name)
        if known is not None and known.until > time.monotonic():
            return known.caller
        # What does not even read as a key or a token costs no look-up.
        if text.count(".") == 2:
            claims = self._claims(request, text)
            key_id, look_up = claims.key_id, self._by_token(claims)
        else:
            presented = parse_key(text)
            key_id, look_up = presented.key_id, self._by_key(presented)
        return (await self._looked_up(request, name, key_id, look_up)).caller

    async def client(self, request: Request, client_id: str, secret: str) -> KeyHolder:
        """The client that these credentials are of, with its tenant. Raises InvalidKey, TooManyFailures, StoreUnavailable."""
        self._check_source(request)
        try:
            holder = await self._holder(client_id)
            presented = PresentedKey("", "", client_id, digest_of(secret))
            check_key(presented, holder and holder.key, holder.checked_at if holder else datetime.now(UTC), "client")
        except _WRONG:
            self._count_failure(request, client_id)
            raise
        return needed(holder, "a client that is unknown passes no check")

    async def note_used(self, writer: Pool) -> None:
        """Put on record which keys were used since the last time. Raises StoreUnavailable."""
        used, self._used = self._used, set()
        if used:
            async with transaction(writer, flushed=False) as connection:
                await note_used(connection, self._region, sorted(used))

    async def _signed(self, request: Request) -> Caller:
        lines = _lines_of(request.headers)
        told = lines("signature-input")
        if told is None:
            raise InvalidKey("Send Authorization: Bearer … with your API key or access token, or sign the request.")
        head = read_head(told, lines("signature") or "", time.time())
        name = b"signs " + head.key_id.encode()
        known = self._known.get(name)
        if known is None or known.until <= time.monotonic():
            known = await self._looked_up(request, name, head.key_id, self._by_signer(head.key_id))
        if not known.secret:
            raise InvalidKey
        path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
        call = call_of(request)
        text = text_to_sign(head, request.method, path, query, lines, call.origin.authority)
        if not signs(known.secret, text, head.signature):
            self._count_failure(request, head.key_id)
            raise SignatureInvalid("What was signed is not what came, or not with this key's secret.")
        if "idempotency-key" in request.headers and "idempotency-key" not in head.covered:
            raise SignatureInvalid("The request has an Idempotency-Key, and its signature does not cover it.")
        call.signed = head
        return known.caller

    async def check_signed(self, request: Request) -> None:
        """What a signature says of the body, and that it opens once. After the caller was counted: a body is read, and a nonce remembered, for
        as many requests as its tenant may make. Raises SignatureInvalid, NonceReplayed."""
        call = call_of(request)
        if call.signed is None:
            return
        check_body(call.signed, _lines_of(request.headers)("content-digest"), await request.body())
        once = f"{call.signed.key_id}:{call.signed.nonce}"
        if not await self._throttle.first(call.tenant_id, once, call.signed.forgotten_at):
            raise NonceReplayed

    def _claims(self, request: Request, token: str) -> Claims:
        """What a token says. Checking one costs more than reading a key, so failures are counted, too. Raises InvalidToken, TokenExpired,
        TooManyFailures."""
        self._check_source(request)
        try:
            return self._tokens.read(token, datetime.now(UTC))
        except InvalidToken:
            self._count_failure(request)
            raise

    async def _looked_up(
        self, request: Request, name: bytes, key_id: str, look_up: Coroutine[Any, Any, _Known]
    ) -> _Known:
        """One look-up for all who present the same at once; it goes on if the first of them hangs up."""
        asking = self._asking.get(name)
        if asking is None:
            try:
                self._check_source(request)
            except KovraError:
                look_up.close()
                raise
            asking = self._asking[name] = tasks.asked(look_up, "the look-up of a key")
            asking.add_done_callback(lambda _: self._asking.pop(name, None))
        else:
            look_up.close()
        try:
            known = await asyncio.shield(asking)
        except _WRONG:
            self._count_failure(request, key_id)
            raise
        self._used.add(known.caller.key_id)
        self._known[name] = known
        self._known.move_to_end(name)
        if len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return known

    async def _by_key(self, presented: PresentedKey) -> _Known:
        holder = await self._holder(presented.key_id)
        if holder is None or presented.environment != holder.tenant.environment:
            raise InvalidKey
        key = check_key(presented, holder.key, holder.checked_at)
        return self._as_known(holder, key.scopes)

    async def _by_token(self, claims: Claims) -> _Known:
        holder = await self._holder(claims.key_id)
        if holder is None or holder.key.credential_type != "client" or not in_use(holder.key, holder.checked_at):
            raise InvalidToken
        scopes = frozenset(one for one in claims.scopes if grants(holder.key.scopes, one))
        return self._as_known(holder, scopes, claims.expires_at - time.time())

    async def _by_signer(self, key_id: str) -> _Known:
        holder = await self._holder(key_id)
        if holder is None or holder.key.credential_type != "signature" or not in_use(holder.key, holder.checked_at):
            raise SignatureInvalid("There is no such key in use that signs.")
        return self._as_known(holder, holder.key.scopes, secret=signing_key_of(self._vault, holder.key))

    async def _holder(self, key_id: str) -> KeyHolder | None:
        now = time.monotonic()
        found = self._guessed_at.get(key_id)
        if found is not None and found.until > now:
            return found.holder
        if not is_key_id(key_id):
            return None
        async with transaction(self._pool) as connection:
            holder = (await find_keys(connection, self._region, [key_id])).get(key_id)
        if self._key_failures.full(key_id, FAILURES_PER_KEY_PER_MINUTE, now * 1e6):
            self._guessed_at[key_id] = _Holders(holder, now + self._remembered_s)
            self._guessed_at.move_to_end(key_id)
            if len(self._guessed_at) > _KNOWN_MAX:
                self._guessed_at.popitem(last=False)
        return holder

    def _as_known(
        self, holder: KeyHolder, scopes: frozenset[str], lives_s: float = REMEMBERED_S, secret: bytes = b""
    ) -> _Known:
        if holder.tenant.environment == "sandbox" and not self._sandbox:
            raise LiveOnly
        caller = Caller(holder.key.key_id, holder.tenant, scopes)
        return _Known(caller, time.monotonic() + min(self._remembered_s, lives_s), secret)

    def _check_source(self, request: Request) -> None:
        if self._failures.full(call_of(request).origin.address, FAILURES_PER_MINUTE, time.monotonic() * 1e6):
            TURNED_AWAY.labels("failures").inc()
            raise TooManyFailures

    def _count_failure(self, request: Request, key_id: str | None = None) -> None:
        """Raises TooManyFailures in place of what failed, where that key is guessed at."""
        now_us = time.monotonic() * 1e6
        self._failures.take(call_of(request).origin.address, FAILURES_PER_MINUTE, now_us)
        if key_id is not None and not self._key_failures.take(key_id, FAILURES_PER_KEY_PER_MINUTE, now_us).admitted:
            TURNED_AWAY.labels("failures").inc()
            raise TooManyFailures


def _lines_of(headers: Headers) -> Callable[[str], str | None]:
    """Looks up a header with all its lines, joined as RFC 9421 section 2.1 has them signed."""

    def joined(name: str) -> str | None:
        lines = headers.getlist(name)
        return ", ".join(line.strip(" \t") for line in lines) if lines else None

    return joined


def require(caller: Caller, scope: str, *, reading: bool) -> None:
    """Raises ScopeMissing. The scope `read` lets everything of the caller's own be read."""
    if allows(caller.scopes, scope, reading=reading):
        return
    raise ScopeMissing(f"It needs the scope {scope}{f', {scope}:read or read' if reading else ''}.", scope=scope)


def need_sandbox(spec: CellSpec, tenant: Tenant) -> None:
    """Raises SandboxOnly, unless both the cell and its caller are for trying out."""
    if not spec.settings.sandbox or tenant.environment != "sandbox":
        raise SandboxOnly
