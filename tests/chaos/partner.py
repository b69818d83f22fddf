"""A partner: a tenant of its own in every cell, people on both ends, money in its wallets, and calls that are put on the record."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import aiohttp

from cells.kit.money import format_amount
from cells.tenants.keys import SCOPES, mint_key, parse_key
from cells.tenants.tenant import ApiKey, mint_tenant
from residency.directory import load_directory
from router.cli.provisioning import provision
from tests.chaos.history.record import Call, History
from tests.chaos.patience import until
from tests.chaos.stack import Broken, Running

_ANSWER_S = 15.0
_RETRY_S = 0.5
REGIONS = {"EUR": "EU", "GBP": "UK", "IDR": "ID"}
CELLS = {"EUR": "eu-1", "GBP": "uk-1", "IDR": "id-1"}
# Each wallet's money, in as many credits as its rail's ceiling asks for.
_DEPOSITS = {"EUR": ("900000.00", 1), "GBP": ("900000.00", 1), "IDR": ("250000000.00", 8)}
_NAMES = {
    "plain": "Kartika Wijayanto",
    "rejected": "Sandbox Reject Surya",
    "timeout_settled": "Sandbox Timeout Settled",
    "timeout_rejected": "Sandbox Timeout Rejected",
    "pending": "Sandbox Pending Settled",
}
_ACCOUNTS = {
    "EUR": {"iban": "DE89370400440532013000"},
    "GBP": {"sort_code": "200000", "account_number": "55779911"},
    "IDR": {"bank_code": "014", "account_number": "7731900001"},
}
_PAYERS: Mapping[str, Mapping[str, Any]] = {
    "EUR": {
        "name": "Ingrid Sandelin",
        "address": {"street": "Storgatan", "building_number": "17", "post_code": "22222", "town": "Lund", "country": "SE"},
        "document": {"type": "passport", "number": "KVC1100001", "country": "SE"},
        "customer_number": "CUST-SE-1",
    },
    "GBP": {
        "name": "Philippa Underhill",
        "address": {"street": "Mill Lane", "building_number": "4", "post_code": "OX2 6QA", "town": "Oxford", "country": "GB"},
        "document": {"type": "passport", "number": "KVC1100002", "country": "GB"},
        "customer_number": "CUST-GB-1",
    },
    "IDR": {
        "name": "Dimas Anggoro",
        "address": {"street": "Jalan Merdeka", "building_number": "73", "post_code": "10330", "town": "Jakarta", "country": "ID"},
        "document": {"type": "national_id", "number": "KVC1100003", "country": "ID"},
        "customer_number": "CUST-ID-1",
    },
}  # fmt: skip


def minor(money: Mapping[str, str]) -> int:
    """An amount of the API in minor units; it may be zero. All three currencies have two places."""
    return int(Decimal(money["value"]).scaleb(2))


@dataclass(frozen=True, slots=True)
class Order:
    """One payment to be made. `fate` names the recipient: plain, rejected, timeout_settled, …"""

    source: str
    target: str
    amount_minor: int
    fate: str = "plain"

    @property
    def cell(self) -> str:
        return CELLS[self.source]

    @property
    def cells(self) -> frozenset[str]:
        return frozenset({CELLS[self.source], CELLS[self.target]})


@dataclass(frozen=True, slots=True)
class Accepted:
    """A payment that was accepted. `at`: when, on the history's clock."""

    transfer_id: str
    order: Order
    at: float


@dataclass
class Partner:
    """Use `opened`. `direct`: cells that are asked at their own address, without the router."""

    stack: Running
    history: History
    client: aiohttp.ClientSession
    wallets: dict[str, str]
    direct: set[str] = field(default_factory=set)
    recipients: dict[tuple[str, str], str] = field(default_factory=dict)
    payers: dict[str, str] = field(default_factory=dict)

    def _url(self, currency: str, path: str) -> str:
        if CELLS[currency] in self.direct:
            return self.stack.apis[CELLS[currency]] + path
        return f"{self.stack.router}/{REGIONS[currency].lower()}{path}"

    async def ask(
        self, method: str, currency: str, path: str, body: Any = None, key: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """Status and document; status 0 when no answer came."""
        headers = {"Idempotency-Key": key} if key else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            data = None if body is None else json.dumps(body)
            async with self.client.request(method, self._url(currency, path), data=data, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None) or {}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return 0, {"code": type(error).__name__}

    async def insist(
        self, method: str, currency: str, path: str, body: Any = None, *, within_s: float = 60.0
    ) -> dict[str, Any]:
        """The document of a success, asked for until it comes, under one key. Raises Broken."""
        key, last = uuid.uuid4().hex, (0, dict[str, Any]())

        async def answered() -> bool:
            nonlocal last
            last = await self.ask(method, currency, path, body, key if method == "POST" else "")
            return 200 <= last[0] < 300 or (400 <= last[0] < 500 and not last[1].get("retryable", False))

        await until(answered, within_s=within_s, every_s=_RETRY_S)
        if not 200 <= last[0] < 300:
            raise Broken(f"{method} {path} in {currency} ended with {last}")
        return last[1]

    async def pay(self, order: Order, client: str, *, within_s: float, tries: int = 1_000) -> Accepted | None:
        """Quote and pay, again and again under one key while no definite answer comes. None when it was refused, or is unknown still."""
        amount = {"value": format_amount(order.amount_minor, order.source), "currency": order.source}
        status, quote = 0, dict[str, Any]()

        async def quoted() -> bool:
            nonlocal status, quote
            status, quote = await self.ask(
                "POST", order.source, "/v1/quotes", {"source": amount, "target_currency": order.target}
            )
            return status == 201

        if await until(quoted, within_s=within_s if tries > 1 else 0.01, every_s=_RETRY_S) is None:
            return None
        body = {
            "quote_id": quote["id"],
            "recipient_id": self.recipients[order.target, order.fate],
            "payer_id": self.payers[order.source],
        }
        paying = Paying(self, order, uuid.uuid4().hex, body, client)
        await until(paying.once, within_s=within_s if tries > 1 else 0.01, every_s=_RETRY_S)
        if paying.accepted is None and not paying.answered:
            UNRESOLVED.append(paying)
        return paying.accepted

    async def read(self, transfer_id: str, currency: str, client: str) -> str:
        """The status of a transfer; empty when it could not be read."""
        call = self.history.begin(client, "read_transfer", transfer_id, self.wallets[currency])
        status, found = await self.ask("GET", currency, f"/v1/transfers/{transfer_id}")
        if status == 200:
            self.history.end(call, "read", status=found["status"])
            return str(found["status"])
        self.history.end(call, "missing" if status == 404 else "unknown", code=found.get("code", status))
        return ""

    async def balance(self, currency: str, client: str) -> int | None:
        """What is available in a wallet, in minor units; None when it could not be read."""
        call = self.history.begin(client, "read_wallet", currency, self.wallets[currency])
        status, found = await self.ask("GET", currency, f"/v1/wallets/{self.wallets[currency]}")
        if status != 200:
            self.history.end(call, "unknown", code=found.get("code", status))
            return None
        available = minor(found["available"])
        self.history.end(call, "read", available_minor=available)
        return available


UNRESOLVED: "list[Paying]" = []
"""Payments whose clients gave up without an answer, to be resolved at the end."""


@dataclass
class Paying:
    """One payment under one key, asked for until its answer is definite."""

    partner: Partner
    order: Order
    key: str
    body: Mapping[str, str]
    client: str
    answered: bool = False
    accepted: Accepted | None = None

    async def once(self) -> bool:
        """Ask once more; whether the answer is definite."""
        history, order = self.partner.history, self.order
        call: Call = history.begin(self.client, "pay", self.key, self.partner.wallets[order.source])
        status, found = await self.partner.ask("POST", order.source, "/v1/transfers", self.body, self.key)
        if status == 202:
            source = minor(found["source"])
            history.end(
                call,
                "accepted",
                transfer_id=found["id"],
                quote_id=found["quote_id"],
                source_minor=source,
                status=found["status"],
            )
            self.accepted = Accepted(found["id"], order, history.now)
        elif 400 <= status < 500 and not found.get("retryable", True):
            history.end(call, "refused", code=found["code"], source_minor=order.amount_minor)
        else:
            history.end(call, "unknown", code=found.get("code", status))
            return False
        self.answered = True
        return True


@asynccontextmanager
async def opened(stack: Running, history: History, webhook_url: str) -> AsyncIterator[Partner]:
    """The partner with its people registered, its wallets funded and its webhooks set up. Raises Broken."""
    directory = load_directory(stack.home)
    home = directory.cells["eu-1"]
    tenant = mint_tenant("Chaos Partner", home, tier="benchmark")
    text = mint_key(home.name, tenant.environment).text
    presented = parse_key(text)
    key = ApiKey(presented.key_id, tenant.tenant_id, presented.secret_sha256, SCOPES, "chaos")
    done = await provision(
        stack.home, tenant, keys=[key], currencies=list(CELLS), actor="system:chaos", action="tenants.create"
    )
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_ANSWER_S),
        headers={"Authorization": f"Bearer {text}"},
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2),
    ) as client:
        partner = Partner(stack, history, client, done.wallets)
        await asyncio.gather(*(_settle_in(partner, currency, webhook_url) for currency in CELLS))
        yield partner


async def _settle_in(partner: Partner, currency: str, webhook_url: str) -> None:
    await partner.insist("POST", currency, "/v1/webhooks", {"url": f"{webhook_url}/{CELLS[currency]}"})
    partner.payers[currency] = (await partner.insist("POST", currency, "/v1/payers", _PAYERS[currency]))["id"]
    for fate, name in _NAMES.items():
        # A recipient needs its region named, which a cell's own address does not do: the router's path does.
        body = {"currency": currency, "name": name, "account": _ACCOUNTS[currency]}
        partner.recipients[currency, fate] = (await partner.insist("POST", currency, "/v1/recipients", body))["id"]
    value, times = _DEPOSITS[currency]
    for _ in range(times):
        body = {"wallet_id": partner.wallets[currency], "amount": {"value": value, "currency": currency}}
        await partner.insist("POST", currency, "/v1/sandbox/deposits", body)
    expected = int(Decimal(value).scaleb(2)) * times

    async def arrived() -> bool:
        status, found = await partner.ask("GET", currency, f"/v1/wallets/{partner.wallets[currency]}")
        return status == 200 and minor(found["available"]) == expected

    if await until(arrived, within_s=120, every_s=0.5) is None:
        raise Broken(f"the {currency} wallet was not funded")
