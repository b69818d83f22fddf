"""One cell's API over real databases, with its real actors in this process and the running scheme simulator as its rail."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.routing import Route

from actors.deployment import Deployment
from actors.in_process import InProcess
from actors.on_ray import RayConnection
from cells.backends.postgres import open_pool, transaction
from cells.backends.redis import Counters
from cells.cell import found_cell, open_institution
from cells.rails.connection import sign
from cells.rails.profile_files import rail_profiles
from cells.spec import CellSpec, load_spec
from cells.tenants import store as tenants
from cells.tenants import store_keys
from cells.tenants.issuing import issue
from cells.tenants.keys import ADMIN, SCOPES
from cells.tenants.tenant import CredentialType, NewWallet, Tenant, Wallet, mint_tenant, platform_tenant
from infra.local.home import Home
from infra.local.keys import ensure_keys
from infra.schemes.credits import SimulatedCredit, SimulatedDebtor, credit_message
from residency.directory import OVERLAY, load_directory
from router.api import inbound
from router.api.app import create_app
from router.api.parts import Parts, assemble
from router.api.throttle import Throttle
from tests.support.documented import undeclared
from tests.support.schemes import RunningSchemes
from tests.support.servers import CellDatabase, free_port
from tests.support.whole_document import whole_document

RAIL_SECRETS = {rail: f"secret of {rail}" for rail in rail_profiles()}
ROUTER_SECRET = "secret of the router and this cell"
NEXT_ROUTER_SECRET = "announced to this cell, not used yet"
REMEMBERED_S = 0.2
NO_RAY = RayConnection("nowhere:0", Path("/nowhere"))
# Far above the tier's, so that only the tests of rates meet them.
RATE_SHARE = 1_000.0


@dataclass
class ApiCell:
    """`client` speaks as `tenant`, `other` as `stranger`; `anyone` without a key."""

    spec: CellSpec
    app: FastAPI
    parts: Parts
    runtime: InProcess
    tenant: Tenant
    stranger: Tenant
    client: httpx.AsyncClient
    other: httpx.AsyncClient
    anyone: httpx.AsyncClient
    wallets: Mapping[str, Wallet] = field(default_factory=dict)

    async def key(self, tenant: Tenant, scopes: frozenset[str] = SCOPES) -> tuple[str, str]:
        """A new key's text and id."""
        return await self.issue(tenant, "key", scopes)

    async def issue(
        self,
        tenant: Tenant,
        credential_type: CredentialType,
        scopes: frozenset[str] = SCOPES,
        expires_at: datetime | None = None,
    ) -> tuple[str, str]:
        """The text (or secret) and the id of a new key of that type."""
        issued = issue(tenant, scopes, credential_type=credential_type, expires_at=expires_at)
        async with transaction(self.parts.writer) as connection:
            row = issued.sealed_by(self.parts.institution.vault)
            await store_keys.add_keys(connection, self.spec.region, [row])
        return issued.text, issued.row.key_id

    async def operator_key(self) -> str:
        """The text of a key of the operator's own."""
        platform = platform_tenant(self.spec.entry)
        issued = issue(platform, frozenset({ADMIN}))
        async with transaction(self.parts.writer) as connection:
            await tenants.create_tenants(connection, self.spec.region, [platform])
            await store_keys.add_keys(connection, self.spec.region, [issued.row])
        return issued.text

    async def inbound(self, rail: str, credit: SimulatedCredit, *, secret: str | None = None) -> httpx.Response:
        """A scheme's credit at the door, as the scheme would send it."""
        body = credit_message(credit)
        headers = sign((secret or RAIL_SECRETS[rail]).encode(), body, datetime.now(UTC))
        answer = await self.anyone.post(f"/rails/{rail}/inbound", content=body, headers=headers)
        await inbound.told()
        return answer

    async def fund(self, currency: str = "EUR", amount_minor: int = 500_000, rail: str = "sepa_instant") -> None:
        """Money for the tenant's wallet, by the rail."""
        account = self.wallets[currency].account_number
        answer = await self.inbound(rail, credit_to({"iban": account}, amount_minor, currency))
        assert answer.status_code == 200, answer.text

    async def quote(self, value: str = "100.00", source: str = "EUR", target: str = "EUR") -> dict[str, Any]:
        asked = {"source": {"value": value, "currency": source}, "target_currency": target}
        answer = await self.client.post("/v1/quotes", json=asked)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def recipient(self, **more: Any) -> str:
        headers = {"Kovra-Region": self.spec.region}
        answer = await self.client.post("/v1/recipients", json={**RECIPIENT, **more}, headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def payer(self) -> str:
        answer = await self.client.post("/v1/payers", json=PAYER, headers={"Kovra-Region": self.spec.region})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


RECIPIENT = {"currency": "EUR", "name": "Jürgen Weiß", "account": {"iban": "DE89370400440532013000"}}
PAYER = {
    "name": "Astrid Lindqvist-Marker",
    "address": {"street": "Storgatan", "building_number": "12", "post_code": "22350", "town": "Lund", "country": "SE"},
    "customer_number": "C-10021",
    "document": {"type": "passport", "number": "P-88231177", "country": "SE"},
}


def credit_to(account: Mapping[str, str], amount_minor: int, currency: str = "EUR", **more: Any) -> SimulatedCredit:
    debtor = SimulatedDebtor(name="Müller & Söhne GmbH", country="DE", account={"iban": "DE89370400440532013000"})
    return SimulatedCredit(
        amount_minor=amount_minor, currency=currency, creditor_account=account, debtor=debtor, **more
    )


def write_home(
    home: Home,
    cell: str,
    database: CellDatabase,
    schemes: RunningSchemes,
    sandbox: bool = True,
    ray: RayConnection = NO_RAY,
    rails: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    modulus: Mapping[str, str] | None = None,
    rate_age_max_days: int | None = None,
) -> CellSpec:
    """The files that a cell's processes read, for a cell on a test database."""
    directory = load_directory()
    overlay = {name: {"addresses": {}, "keys": ensure_keys(home, name, datetime.now(UTC))} for name in directory.cells}
    settings = {
        "postgres": {role: getattr(database, role) for role in ("owner", "api", "writer", "ledger")},
        "redis": "redis://127.0.0.1:1/0",
        "nats": {"url": "nats://nowhere", "seed": "none"},
        "ray": {"address": ray.address, "token_path": str(ray.token_path)},
        "ledger": {"engine": "postgres"},
        "schemes": {
            rail: {
                "url": f"http://127.0.0.1:{schemes.port}/{rail}",
                "secret": RAIL_SECRETS[rail],
                **rails.get(rail, {}),
            }
            for rail in directory.cell(cell).rails
        },
        "modulus": modulus,
        "api": {"host": "127.0.0.1", "port": schemes.gateway_port},
        "operator": {"host": "127.0.0.1", "port": free_port()},
        "inbound": {"host": "127.0.0.1", "port": free_port()},
        "host": {"host": "127.0.0.1", "port": 1},
        "router_secrets": [NEXT_ROUTER_SECRET, ROUTER_SECRET],
        "sandbox": sandbox,
        "rate_age_max_days": rate_age_max_days,
        # Where nobody listens.
        "webhook_loopback_ports": [9] if sandbox else [],
    }
    home.cell(cell).mkdir(parents=True, exist_ok=True)
    (home.cell(cell) / "cell.json").write_text(json.dumps(settings))
    (home.root / OVERLAY).write_text(json.dumps({"cells": overlay}, default=str))
    return load_spec(cell, home.root)


@asynccontextmanager
async def open_api_cell(
    root: Path,
    database: CellDatabase,
    schemes: RunningSchemes,
    name: str = "eu-1",
    rails: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    redis_url: str | None = None,
    modulus: Mapping[str, str] | None = None,
    rate_age_max_days: int | None = None,
    open_per_minute: int = 1_000_000,
) -> AsyncIterator[ApiCell]:
    """A cell with two tenants, a key for each, and their wallets. KOVRA_HOME must name `root`. `rails`: more settings of its schemes;
    `modulus`: its tables. Without a Redis its rates are high."""
    spec = write_home(
        Home(root), name, database, schemes, rails=rails, modulus=modulus, rate_age_max_days=rate_age_max_days
    )
    # A second wallet of the tenant's, in what no rail moves: as a cell has them that once held the currency.
    once = spec.entry.model_copy(update={"currencies": (*spec.entry.currencies, "SEK")})
    await found_cell(spec)
    tenant, stranger = (mint_tenant(name, spec.entry, tier="growth") for name in ("Nusantara Pay", "Hanse Remit"))
    runtime = InProcess()

    @asynccontextmanager
    async def opened(spec: CellSpec) -> AsyncIterator[Parts]:
        institution = await open_institution(spec, "api", name="test-api", connections_max=8)
        writer = await open_pool(spec.settings.postgres.writer, size_max=3, name="test-api-writer")
        wallets = Deployment.of(spec).wallets(runtime)
        throttle = Throttle(Counters(redis_url)) if redis_url else Throttle(None, share=RATE_SHARE)
        # A short memory of keys, so that a test of revocation need not wait for the real one.
        parts = assemble(institution, writer, runtime, wallets, throttle, REMEMBERED_S)
        yield parts
        await parts.tail.close()
        await throttle.close()
        await wallets.close()
        await runtime.close()
        await parts.audit.close()
        await writer.close()
        await institution.close()

    app = create_app(spec, opened, open_per_minute)
    async with app.router.lifespan_context(app), _clients(app) as (client, other, anyone):
        cell = ApiCell(spec, app, app.state.parts, runtime, tenant, stranger, client, other, anyone)
        async with transaction(cell.parts.writer) as connection:
            await tenants.create_tenants(connection, spec.region, [tenant, stranger])
            wanted = [NewWallet(tenant.tenant_id, one) for one in once.currencies]
            wanted.append(NewWallet(stranger.tenant_id, once.currencies[0]))
            opened_wallets = await tenants.open_wallets(connection, once, wanted)
        cell.wallets = {one.currency: one for one in opened_wallets if one.tenant_id == tenant.tenant_id}
        for speaker, whose in ((client, tenant), (other, stranger)):
            text, _ = await cell.key(whose)
            speaker.headers["Authorization"] = f"Bearer {text}"
        yield cell


@asynccontextmanager
async def _clients(app: FastAPI) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Each answer that is a problem must be one that the route's operation declares."""

    async def as_documented(response: httpx.Response) -> None:
        if response.headers.get("content-type") == "application/problem+json":
            await response.aread()
            asked, code = response.request, response.json()["code"]
            assert not undeclared(_document(app), asked.method, asked.url.path, code), (
                f"{asked.method} {asked.url}: {code}"
            )

    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    hooks = {"response": [as_documented]}
    clients = [
        httpx.AsyncClient(transport=transport, base_url="http://eu-1.test", timeout=30, event_hooks=hooks)
        for _ in range(3)
    ]
    yield clients
    for client in clients:
        await client.aclose()


_documents: dict[frozenset[tuple[str, str]], dict[str, Any]] = {}


def _document(app: FastAPI) -> dict[str, Any]:
    """The application's OpenAPI document, made once for all that have the same routes: it takes half a second."""
    routes = frozenset((one.path, str(one.methods)) for one in app.routes if isinstance(one, Route))
    if routes not in _documents:
        _documents[routes] = whole_document(app)
    return _documents[routes]
