"""The partner's side of the demo: what it does over HTTP through the router, with the client that every partner has.

Nothing here looks behind the API: money arrives, people are registered where their accounts are, prices are locked, payments are
made, and their ends are believed when a webhook that verifies reports them.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from residency.errors import KovraError
from residency.ids import parse
from residency.wire import Money
from router.cli.demo_listener import Heard, Listener
from router.cli.demo_people import Person
from router.cli.demo_story import Payment, Story
from router.client import KovraClient
from router.client.models import Quote
from router.client.wallet_models import Wallet

_WEBHOOK_WITHIN_S = 30.0


class DemoFailed(KovraError):
    code = "demo-failed"
    title = "The demo did not come to its end"


@dataclass(frozen=True)
class Order:
    """A payment to make: `amount` leaves the wallet. `ends`: the state it shall end in."""

    title: str
    amount: tuple[str, str]
    target_currency: str
    recipient_id: str
    payer_id: str
    ends: str = "COMPLETED"


class Partner:
    """A partner with an API key, wallets and a webhook listener. `wallets`: ids by currency."""

    def __init__(self, kovra: KovraClient, listener: Listener, story: Story, router_url: str) -> None:
        self.kovra = kovra
        self._listener = listener
        self._story = story
        self._router_url = router_url
        self._taken: list[Heard] = []
        self.wallets: dict[str, str] = {}

    async def subscribe(self) -> None:
        """A webhook endpoint in every region, and the public keys to check the signatures with. Fills `wallets`."""
        async with httpx.AsyncClient(base_url=self._router_url) as http:
            for region in await self.kovra.regions.list():
                cell = region.cells[0].name
                endpoint = await self.kovra.webhooks.create(self._listener.url_for(cell), region=region.region)
                keys = (await http.get(endpoint.jwks_path)).raise_for_status()
                self._listener.trust(cell, endpoint.secret or "", keys.json())
                self.wallets |= {one.currency: one.id for one in await self.kovra.wallets.list(region=region.region)}
        self._story.claim(
            "a webhook endpoint in every region, with the keys to check its signatures",
            {"EUR", "GBP", "IDR"} <= self.wallets.keys(),
            f"wallets in {', '.join(sorted(self.wallets))}",
        )

    async def register(
        self, what: str, create: Callable[..., Awaitable[Any]], people: Mapping[str, Person]
    ) -> dict[str, str]:
        """Register recipients or payers, each in the region that is named. Ids or tokens by name in the demo."""
        made = {name: (await create(region=one.region, **one.details)).id for name, one in people.items()}
        homes = {name: parse(one.partition(".")[0]).cell for name, one in made.items()}
        as_asked = all(home.startswith(people[name].region.lower()) for name, home in homes.items())
        self._story.claim(f"{what} live where they were registered", as_asked, ", ".join(sorted(homes.values())))
        return made

    async def wallet(self, currency: str) -> Wallet:
        return await self.kovra.wallets.get(self.wallets[currency])

    async def deposit(self, value: str, currency: str) -> None:
        """Money arrives by the currency's rail, as a simulated scheme sends it, and the wallet has it."""
        before = await self.wallet(currency)
        sent = await self.kovra.sandbox.deposit(self.wallets[currency], value, currency)
        heard = await self._heard("wallet.credited", "wallet_id", self.wallets[currency])
        after = await self.wallet(currency)
        self._story.claim(
            f"{Money(value=value, currency=currency)} arrived by {sent.rail}",
            after.available.amount - before.available.amount == sent.amount.amount and heard.data["rail"] == sent.rail,
            f"wallet {after.available}",
        )

    async def quote(self, order: Order, *, lifetime_s: int | None = None) -> Quote:
        """Lock the price of an order."""
        return await self.kovra.quotes.create(
            source=order.amount, target_currency=order.target_currency, sandbox_lifetime_s=lifetime_s
        )

    async def pay(self, order: Order, quote: Quote | None = None) -> Payment:
        """Make a payment, wait for the webhook of its end, and claim that it ended as it should."""
        quote = quote or await self.quote(order)
        asked_at, began = datetime.now(UTC), time.perf_counter()
        made = await self.kovra.transfers.create(
            quote_id=quote.id, recipient_id=order.recipient_id, payer_id=order.payer_id,
            reference="Invoice 2026-1147", metadata={"order": "A-1147"},
        )  # fmt: skip
        answered_ms = (time.perf_counter() - began) * 1000
        heard = await self._heard(f"transfer.{order.ends.lower()}", "id", made.id)
        done = await self.kovra.transfers.get(made.id)
        payment = Payment(order.title, done, asked_at, answered_ms, heard)
        self._story.payments.append(payment)
        self._story.claim(
            f"{order.title}: {done.source} ended {done.status}",
            done.status == order.ends and done.source == quote.source and done.target == quote.target,
            f"{done.target} arrived" if done.paid else f"with {done.reason_code}",
        )
        return payment

    def events_of(self, transfer_id: str) -> list[str]:
        """The types of all webhooks that have come about a transfer."""
        return sorted({one.type for one in self._listener.heard if one.data.get("id") == transfer_id})

    async def _heard(self, kind: str, field: str, value: str) -> Heard:
        """The next webhook of that type about that resource. Raises DemoFailed."""
        known = {id(one) for one in self._taken}
        heard = await self._listener.wait_for(
            lambda one: id(one) not in known and one.type == kind and one.data.get(field) == value, _WEBHOOK_WITHIN_S
        )
        if heard is None:
            refused = f"; refused: {'; '.join(self._listener.refused)}" if self._listener.refused else ""
            raise DemoFailed(f"no webhook {kind} about {value} came within {_WEBHOOK_WITHIN_S:.0f} s{refused}")
        self._taken.append(heard)
        return heard
