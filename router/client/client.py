"""The door to the API.

async with KovraClient("https://api.example", "kv_live_…") as kovra:
    quote = await kovra.quotes.create(source=("100.00", "EUR"), target_currency="IDR")
    transfer = await kovra.transfers.create(quote_id=quote.id, recipient_id=recipient.id, payer_id=payer.id)
    print((await kovra.transfers.wait_for(transfer.id)).status)
"""

from types import TracebackType
from typing import Self

from router.client.account import Account
from router.client.batches import Batches
from router.client.intents import Intents
from router.client.resources import Payers, Quotes, Recipients, Regions, Sandbox, Transfers, Webhooks
from router.client.transport import Transport
from router.client.wallets import Wallets


class KovraClient:
    """`retry_s` bounds how long a call that may be repeated is; `timeout_s` how long one sending waits for its answer."""

    def __init__(self, base_url: str, api_key: str, *, retry_s: float = 20.0, timeout_s: float = 35.0) -> None:
        self._transport = Transport(base_url, api_key, retry_s=retry_s, timeout_s=timeout_s)
        self.account = Account(self._transport)
        self.quotes = Quotes(self._transport)
        self.recipients = Recipients(self._transport)
        self.payers = Payers(self._transport)
        self.batches = Batches(self._transport)
        self.transfers = Transfers(self._transport)
        self.intents = Intents(self._transport)
        self.wallets = Wallets(self._transport)
        self.sandbox = Sandbox(self._transport)
        self.webhooks = Webhooks(self._transport)
        self.regions = Regions(self._transport)

    async def close(self) -> None:
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
