"""The API's nouns, one class each. `region` names where a call goes; without it, to the home of the API key.

Every call raises ProblemError and Unreachable. `key` is an Idempotency-Key of your own: the same key and values again make
nothing new and answer as before, also in another process.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from residency.ids import parse
from residency.retry import Backoff, retried
from router.client.errors import StillRunning
from router.client.models import (
    Deposit,
    EventPage,
    NameCheck,
    Page,
    Payer,
    Quote,
    Recipient,
    Region,
    Requirements,
    Step,
    Transfer,
    WebhookEndpoint,
)
from router.client.transport import Transport

_BACKOFF = Backoff(0.05, 2.0)


class Noun:
    """One noun of the API, over a connection."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport


class Quotes(Noun):
    async def create(
        self,
        *,
        source: tuple[str, str] | None = None,
        target: tuple[str, str] | None = None,
        source_currency: str | None = None,
        target_currency: str | None = None,
        region: str | None = None,
        key: str | None = None,
        sandbox_lifetime_s: int | None = None,
    ) -> Quote:
        """Lock a price: `source=("100.00", "EUR"), target_currency="IDR"`, or `target=(…), source_currency=…`.

        It goes to the region that holds the source currency. `sandbox_lifetime_s`: in a sandbox, how soon it runs out.
        """
        body: dict[str, Any] = {
            "source_currency": source_currency,
            "target_currency": target_currency,
            "sandbox_lifetime_s": sandbox_lifetime_s,
        }
        for name, amount in (("source", source), ("target", target)):
            body[name] = None if amount is None else {"value": amount[0], "currency": amount[1]}
        shown = {name: value for name, value in body.items() if value is not None}
        return Quote.model_validate(
            await self._transport.post("/v1/quotes", shown, region=region, key=key, follow=True)
        )

    async def get(self, quote_id: str) -> Quote:
        return Quote.model_validate(await self._transport.get(f"/v1/quotes/{quote_id}"))

    async def list(self, *, region: str | None = None, limit: int = 50, cursor: str | None = None) -> Page[Quote]:
        """Newest first."""
        found = await self._transport.get("/v1/quotes", region=region, limit=limit, cursor=cursor)
        return Page[Quote].model_validate(found)


class Recipients(Noun):
    async def create(
        self,
        *,
        region: str,
        currency: str,
        name: str,
        account: Mapping[str, str],
        kind: str = "person",
        address: Mapping[str, str] | None = None,
        lei: str | None = None,
        key: str | None = None,
    ) -> Recipient:
        """Register who is to be paid, in the region of the bank account: the data goes there and nowhere else.

        `account`: `iban`; or `sort_code` and `account_number`; or `bank_code` and `account_number`.
        """
        body = given(currency=currency, name=name, account=account, kind=kind, address=address, lei=lei)
        return Recipient.model_validate(await self._transport.post("/v1/recipients", body, region=region, key=key))

    async def get(self, recipient_id: str) -> Recipient:
        return Recipient.model_validate(await self._transport.get(f"/v1/recipients/{recipient_id}"))

    async def requirements(self, target_currency: str, **more: str) -> Requirements:
        """What a recipient with an account in that currency is asked for. `more`: `source_currency`, `kind`."""
        found = await self._transport.get("/v1/recipients/requirements", target_currency=target_currency, **more)
        return Requirements.model_validate(found)

    async def check_name(self, recipient_id: str) -> NameCheck:
        """Ask the bank of the account whether it is held under the recipient's name; it stops no payment."""
        return NameCheck.model_validate(await self._transport.post(f"/v1/recipients/{recipient_id}/name-check", {}))

    async def list(self, *, region: str | None = None, limit: int = 50, cursor: str | None = None) -> Page[Recipient]:
        found = await self._transport.get("/v1/recipients", region=region, limit=limit, cursor=cursor)
        return Page[Recipient].model_validate(found)

    async def delete(self, recipient_id: str) -> None:
        await self._transport.delete(f"/v1/recipients/{recipient_id}")


class Payers(Noun):
    async def create(self, *, region: str, name: str, key: str | None = None, **details: Any) -> Payer:
        """Register on whose behalf you pay, in the region of the wallet that pays.

        `details`: `kind`, `address`, `document`, `customer_number`, `date_of_birth`, `place_of_birth`, `country_of_birth`,
        `lei`, as the API takes them. What a payment needs of them depends on the corridor and the amount.
        """
        body = given(name=name, **details)
        return Payer.model_validate(await self._transport.post("/v1/payers", body, region=region, key=key))

    async def get(self, payer_id: str) -> Payer:
        return Payer.model_validate(await self._transport.get(f"/v1/payers/{payer_id}"))

    async def list(self, *, region: str | None = None, limit: int = 50, cursor: str | None = None) -> Page[Payer]:
        found = await self._transport.get("/v1/payers", region=region, limit=limit, cursor=cursor)
        return Page[Payer].model_validate(found)

    async def delete(self, payer_id: str) -> None:
        await self._transport.delete(f"/v1/payers/{payer_id}")

    async def requirements(self, source_currency: str, target_currency: str, **more: str) -> Requirements:
        """What the laws of both ends ask of a payer. `more`: `target_value`, how much arrives; `kind`."""
        asked = {"source_currency": source_currency, "target_currency": target_currency, **more}
        return Requirements.model_validate(await self._transport.get("/v1/payers/requirements", **asked))


class Transfers(Noun):
    async def create(
        self,
        *,
        quote_id: str,
        recipient_id: str,
        payer_id: str,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: datetime | None = None,
        key: str | None = None,
    ) -> Transfer:
        """Pay. It goes to the cell of the quote, and is sent under one key until it is answered.

        `deadline`: by when the payee shall have the money; the cheapest rail that settles by then carries it, without one the soonest.
        """
        body = given(
            quote_id=quote_id,
            recipient_id=recipient_id,
            payer_id=payer_id,
            reference=reference,
            metadata=metadata,
            deadline=None if deadline is None else deadline.isoformat(),
        )
        cell = parse(quote_id, "qt").cell
        return Transfer.model_validate(await self._transport.post("/v1/transfers", body, region=cell, key=key))

    async def get(self, transfer_id: str) -> Transfer:
        """With its timeline."""
        return Transfer.model_validate(await self._transport.get(f"/v1/transfers/{transfer_id}"))

    async def list(
        self, *, region: str | None = None, limit: int = 50, cursor: str | None = None, **filters: Any
    ) -> Page[Transfer]:
        """Newest first. `filters`: `status` (one or several), `created_from`, `created_to`, `recipient_id`, `payer_id`, `wallet_id`,
        `batch_id`, `source_currency`, `target_currency`, `reference`. A page may be short while its `next_cursor` leads on."""
        shown = {name: one.isoformat() if isinstance(one, datetime) else one for name, one in filters.items()}
        found = await self._transport.get("/v1/transfers", region=region, limit=limit, cursor=cursor, **shown)
        return Page[Transfer].model_validate(found)

    async def timeline(self, transfer_id: str) -> Sequence[Step]:
        found = await self._transport.get(f"/v1/transfers/{transfer_id}/timeline")
        return [Step.model_validate(one) for one in found["data"]]

    async def cancel(self, transfer_id: str) -> Transfer:
        """Raises ProblemError `too-late-to-cancel` once the payment is instructed."""
        return Transfer.model_validate(await self._transport.post(f"/v1/transfers/{transfer_id}/cancel", {}))

    async def wait_for(self, transfer_id: str, *, timeout_s: float = 60.0) -> Transfer:
        """Until it has ended, asking ever less often. Raises StillRunning after `timeout_s`; the transfer goes on."""

        async def ended() -> Transfer:
            transfer = await self.get(transfer_id)
            if not transfer.ended:
                raise StillRunning(f"{transfer_id} is {transfer.status} after {timeout_s:.0f} s.")
            return transfer

        return await retried(ended, _BACKOFF, when=lambda error: isinstance(error, StillRunning), within_s=timeout_s)


class Sandbox(Noun):
    async def deposit(self, wallet_id: str, value: str, currency: str, *, key: str | None = None) -> Deposit:
        """Have a simulated scheme send money to a wallet; it arrives a moment later."""
        body = {"wallet_id": wallet_id, "amount": {"value": value, "currency": currency}}
        cell = parse(wallet_id, "wal").cell
        return Deposit.model_validate(await self._transport.post("/v1/sandbox/deposits", body, region=cell, key=key))


class Webhooks(Noun):
    async def create(
        self, url: str, *, event_types: Sequence[str] = (), region: str | None = None, key: str | None = None
    ) -> WebhookEndpoint:
        """Have a region's events sent to `url`. Keep the `secret` of the answer: Webhook(secret) checks what arrives."""
        body = {"url": url, "event_types": list(event_types)}
        return WebhookEndpoint.model_validate(await self._transport.post("/v1/webhooks", body, region=region, key=key))

    async def list(self, *, region: str | None = None) -> Sequence[WebhookEndpoint]:
        found = await self._transport.get("/v1/webhooks", region=region)
        return [WebhookEndpoint.model_validate(one) for one in found["data"]]

    async def delete(self, endpoint_id: str) -> None:
        await self._transport.delete(f"/v1/webhooks/{endpoint_id}")

    async def rotate_secret(
        self, endpoint_id: str, *, overlap_s: int = 86_400, key: str | None = None
    ) -> WebhookEndpoint:
        """A new secret, in the answer; the old one signs beside it for `overlap_s`."""
        answer = await self._transport.post(f"/v1/webhooks/{endpoint_id}/secret", {"overlap_s": overlap_s}, key=key)
        return WebhookEndpoint.model_validate(answer)

    async def test(self, endpoint_id: str) -> str:
        """Have a `webhook.test` sent; answers the event's id."""
        return str((await self._transport.post(f"/v1/webhooks/{endpoint_id}/test", {}))["event_id"])

    async def events(self, *, region: str | None = None, limit: int = 50, cursor: str | None = None) -> EventPage:
        """What happened after `cursor`, oldest first; without one, from the beginning."""
        found = await self._transport.get("/v1/events", region=region, limit=limit, cursor=cursor)
        return EventPage.model_validate(found)


class Regions(Noun):
    async def list(self) -> Sequence[Region]:
        """Every region, its currencies and rails."""
        found = await self._transport.get("/v1/regions")
        return [Region.model_validate(one) for one in found["data"]]


def given(**values: Any) -> dict[str, Any]:
    """What is not None of a body."""
    return {name: value for name, value in values.items() if value is not None}
