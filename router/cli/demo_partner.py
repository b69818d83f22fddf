"""The partner's side of the demo: what it does over HTTP through the router, with the SDK that every partner has.

Nothing here looks behind the API: money arrives, people are registered where their accounts are, prices are locked, payments are
made, and what became of them is believed when a webhook that verifies has said so.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from residency.errors import KovraError
from residency.ids import parse
from router.cli.demo_listener import Heard, Listener
from router.cli.demo_people import Person
from router.cli.demo_story import Payment, Story
from router.client import KovraClient
from router.client.models import Money, Quote, Transfer
from router.client.wallet_models import Wallet

_WEBHOOK_WITHIN_S = 30.0


class DemoFailed(KovraError):
    code = "demo-failed"
    title = "The demo did not come to its end"


@dataclass(frozen=True)
class Order:
    """A payment to make: `amount` leaves the wallet, for a recipient of `region`. `ends`: the state it shall end in."""

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

    async def recipients(self, people: Mapping[str, Person]) -> dict[str, str]:
        """Register who is to be paid, each in the region of the account, named explicitly. Tokens by name in the demo."""
        made = {
            name: (await self.kovra.recipients.create(region=one.region, **one.details)).id
            for name, one in people.items()
        }
        return self._registered("recipients", people, made)

    async def payers(self, people: Mapping[str, Person]) -> dict[str, str]:
        """Register who pays, each in the region where the money leaves. Ids by name in the demo."""
        made = {
            name: (await self.kovra.payers.create(region=one.region, **one.details)).id for name, one in people.items()
        }
        return self._registered("payers", people, made)

    def _registered(self, what: str, people: Mapping[str, Person], made: dict[str, str]) -> dict[str, str]:
        homes = {name: parse(one.partition(".")[0]).cell for name, one in made.items()}
        as_asked = all(home.startswith(people[name].region.lower()) for name, home in homes.items())
        self._story.claim(f"{what} live where they were registered", as_asked, ", ".join(sorted(homes.values())))
        return made

    async def wallet(self, currency: str) -> Wallet:
        return await self.kovra.wallets.get(self.wallets[currency])

    async def deposit(self, value: str, currency: str) -> None:
        """Money arrives by the currency's rail, as a simulated collection, and the wallet says so."""
        before, began = await self.wallet(currency), time.perf_counter()
        sent = await self.kovra.sandbox.deposit(self.wallets[currency], value, currency)
        heard = await self._heard("wallet.credited", "wallet_id", self.wallets[currency])
        took_ms = (time.perf_counter() - began) * 1000
        after = await self.wallet(currency)
        self._story.claim(
            f"{Money(value=value, currency=currency)} arrived by {sent.rail}",
            after.available.amount - before.available.amount == sent.amount.amount and heard.data["rail"] == sent.rail,
            f"wallet {after.available}, webhook after {took_ms:,.0f} ms",
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
        made = await self._transfer(quote, order)
        answered_ms = (time.perf_counter() - began) * 1000
        heard = await self._heard(f"transfer.{order.ends.lower()}", "transfer_id", made.id)
        done = await self.kovra.transfers.get(made.id)
        payment = Payment(order.title, done, asked_at, answered_ms, heard)
        self._story.payments.append(payment)
        arrived = f", {done.target} arrived" if order.ends == "COMPLETED" else f" with {done.reason_code}"
        self._story.claim(
            f"{order.title}: {done.source} ended {done.status}",
            done.status == order.ends and done.source == quote.source and done.target == quote.target,
            f"{arrived.removeprefix(', ').strip()}; accepted in {answered_ms:,.0f} ms, webhook after {payment.total_ms:,.0f} ms",
        )
        return payment

    def told_of(self, transfer_id: str) -> list[str]:
        """The types of all webhooks that have come about a transfer."""
        return sorted({one.type for one in self._listener.heard if one.data.get("transfer_id") == transfer_id})

    async def _transfer(self, quote: Quote, order: Order) -> Transfer:
        return await self.kovra.transfers.create(
            quote_id=quote.id,
            recipient_id=order.recipient_id,
            payer_id=order.payer_id,
            reference="Invoice 2026-1147",
            metadata={"order": "A-1147"},
        )

    async def _heard(self, kind: str, field: str, value: str) -> Heard:
        """The webhook of that type about that resource which was not heard of before. Raises DemoFailed."""
        known = {id(one) for one in self._taken}
        heard = await self._listener.wait_for(
            lambda one: id(one) not in known and one.type == kind and one.data[field] == value, _WEBHOOK_WITHIN_S
        )
        if heard is None:
            refused = f"; refused: {'; '.join(self._listener.refused)}" if self._listener.refused else ""
            raise DemoFailed(f"no webhook {kind} about {value} came within {_WEBHOOK_WITHIN_S:.0f} s{refused}")
        self._taken.append(heard)
        return heard
