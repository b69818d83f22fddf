"""One request on its way through the API: who asks, and what the audit trail will say of it."""

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cells.journal.entry import Author
from cells.kit.forwarded import Origin
from cells.kit.gcra import Allowance
from cells.tenants.signatures import SignedHead
from cells.tenants.tenant import Tenant

CALL = "kovra.call"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key it is, and what it may do."""

    key_id: str
    tenant: Tenant
    scopes: frozenset[str]


@dataclass(slots=True)
class Call:
    """`origin`: whence it comes. `region_named`: the caller (or the router for it) said this region. `resource_id`: what the call made or changed.
    `allowance`: where the caller stands with its rate, once it is known. `signed`: what it signed, if it did. `problem`: the code of the
    problem that it was answered with, "" for none."""

    request_id: str
    origin: Origin
    region_named: bool = False
    caller: Caller | None = None
    resource_id: str = ""
    allowance: Allowance | None = None
    signed: SignedHead | None = None
    problem: str = ""

    @property
    def tenant(self) -> Tenant:
        assert self.caller is not None, "the route is authenticated"
        return self.caller.tenant

    @property
    def tenant_id(self) -> str:
        return self.tenant.tenant_id

    @property
    def author(self) -> Author:
        """Who asks, as the journal names it."""
        assert self.caller is not None, "the route is authenticated"
        return Author(self.caller.key_id, self.request_id)


def call_of(request: Request) -> Call:
    """The call that this request is."""
    call = request.scope[CALL]
    assert isinstance(call, Call)
    return call


class Json(Response):
    """A JSON answer."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)
