"""Who calls: `Authorization: Bearer kv_…`, looked up in the cell's own database and remembered for a few seconds.

A revoked key is refused everywhere once the memory of it has run out. Only good keys are remembered, under a digest.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

from cells.backends.postgres import Pool, transaction
from cells.spec import CellSpec
from cells.tenants.keys import InvalidKey, check_key, parse_key
from cells.tenants.store import find_keys
from cells.tenants.tenant import Tenant
from router.api.call import Caller
from router.api.errors import SandboxOnly, ScopeMissing

REMEMBERED_S = 3.0
_KEYS_MAX = 10_000
_SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    until: float


class KeyRing:
    """The keys of one cell. `remembered_s` bounds how long a revoked key still opens."""

    def __init__(self, pool: Pool, region: str, *, remembered_s: float = REMEMBERED_S) -> None:
        self._pool = pool
        self._region = region
        self._remembered_s = remembered_s
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Caller]] = {}

    async def caller(self, authorization: str | None) -> Caller:
        """Who sends this header. Raises InvalidKey, StoreUnavailable."""
        if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise InvalidKey("Send your API key as Authorization: Bearer kv_….")
        text = authorization[len(_SCHEME) :].strip()
        digest = hashlib.sha256(text.encode()).digest()
        known = self._known.get(digest)
        if known is not None and known.until > time.monotonic():
            return known.caller
        asking = self._asking.get(digest)
        if asking is None:
            # One look-up for all who present the same key at once; it goes on if the first of them hangs up.
            asking = self._asking[digest] = asyncio.get_running_loop().create_task(self._look_up(digest, text))
            asking.add_done_callback(lambda _: self._asking.pop(digest, None))
        return await asyncio.shield(asking)

    async def _look_up(self, digest: bytes, text: str) -> Caller:
        presented = parse_key(text)
        async with transaction(self._pool) as connection:
            holder = (await find_keys(connection, self._region, [presented.key_id])).get(presented.key_id)
        if holder is None:
            raise InvalidKey
        key = check_key(presented, holder.key, holder.checked_at)
        caller = Caller(key.key_id, holder.tenant, key.scopes)
        self._known[digest] = _Known(caller, time.monotonic() + self._remembered_s)
        self._known.move_to_end(digest)
        if len(self._known) > _KEYS_MAX:
            self._known.popitem(last=False)
        return caller


def require(caller: Caller, scope: str, *, reading: bool) -> None:
    """Raises ScopeMissing. The scope `read` lets everything be read."""
    if scope in caller.scopes or (reading and "read" in caller.scopes):
        return
    raise ScopeMissing(f"It needs the scope {scope}{' or read' if reading else ''}.", scope=scope)


def need_sandbox(spec: CellSpec, tenant: Tenant) -> None:
    """Raises SandboxOnly, unless both the cell and its caller are for trying out."""
    if not spec.settings.sandbox or tenant.environment != "sandbox":
        raise SandboxOnly
