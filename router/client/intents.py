"""Intents: quote and pay in one call."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from residency.classes import Confidential, Public
from router.client.models import Answer, Quote, Transfer
from router.client.resources import Noun, given


class Intent(Answer):
    """`status`: CREATED, VALIDATED, AUTHORIZED, SETTLED, FAILED or REVERSED; the transfer's own says more. FAILED is the end, unless
    the transfer is BLOCKED: once its funds are released the intent is VALIDATED again, or the funds are given back. `problem`: why no
    payment came of it."""

    id: Annotated[str, Public]
    status: Annotated[str, Public]
    quote: Annotated[Quote, Confidential]
    transfer: Annotated[Transfer | None, Confidential] = None
    problem: Annotated[dict[str, str] | None, Public] = None
    created_at: Annotated[datetime, Public]


class Intents(Noun):
    async def create(
        self,
        *,
        recipient_id: str,
        payer_id: str,
        region: str | None = None,
        source: tuple[str, str] | None = None,
        target: tuple[str, str] | None = None,
        source_currency: str | None = None,
        target_currency: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: datetime | None = None,
        key: str | None = None,
    ) -> Intent:
        """Lock a price as Quotes.create does, and pay with it at once. It goes to the region of the source currency: name it."""
        body: dict[str, Any] = given(
            recipient_id=recipient_id,
            payer_id=payer_id,
            source_currency=source_currency,
            target_currency=target_currency,
            reference=reference,
            metadata=metadata,
            deadline=None if deadline is None else deadline.isoformat(),
        )
        for name, amount in (("source", source), ("target", target)):
            if amount is not None:
                body[name] = {"value": amount[0], "currency": amount[1]}
        return Intent.model_validate(await self._transport.post("/v1/intents", body, region=region, key=key))

    async def get(self, intent_id: str) -> Intent:
        return Intent.model_validate(await self._transport.get(f"/v1/intents/{intent_id}"))
