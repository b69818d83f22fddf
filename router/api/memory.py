"""Which wallet a quote is paid from: quotes and wallets never change owner or currency, so an answer is remembered.

What is not remembered (a quote that another process made) is looked up for all of a tenant's requests that wait, at once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from cells.backends.postgres import Pool, tenant_transaction
from cells.fx.quotes import UnknownQuote
from cells.fx.store import find_quotes
from cells.tenants.store import find_wallets_of_tenants
from cells.tenants.tenant import NewWallet
from residency import tasks
from residency.directory import CellEntry
from router.api.errors import WalletMissing

# A quote lives ten minutes; this many entries take some 30 MB.
_QUOTES_MAX = 100_000
_WALLETS_MAX = 10_000


class QuoteWallets:
    """The memory of one API process. Another tenant's quote is never found, remembered or not."""

    def __init__(self, pool: Pool, entry: CellEntry) -> None:
        self._pool = pool
        self._entry = entry
        self._quotes: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._wallets: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._asked: dict[str, dict[str, asyncio.Future[str]]] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    def note(self, tenant_id: str, quote_id: str, source_currency: str) -> None:
        """A quote just made, so that its payment need not look it up."""
        _keep(self._quotes, (tenant_id, quote_id), source_currency, _QUOTES_MAX)

    async def wallet_of(self, tenant_id: str, quote_id: str) -> str:
        """The id of the wallet. Raises UnknownQuote, WalletMissing, StoreUnavailable."""
        currency = self._quotes.get((tenant_id, quote_id))
        if currency is not None and (wallet_id := self._wallets.get((tenant_id, currency))) is not None:
            return wallet_id
        asked = self._asked.setdefault(tenant_id, {})
        found = asked.get(quote_id)
        if found is None:
            found = asked[quote_id] = asyncio.get_running_loop().create_future()
        if tenant_id not in self._asking:
            self._asking[tenant_id] = tasks.start(self._ask(tenant_id), "a look-up of quotes")
        return await asyncio.shield(found)

    async def _ask(self, tenant_id: str) -> None:
        """Look up what a tenant's requests have asked for, and what they ask for meanwhile, all at once."""
        try:
            while asked := self._asked.pop(tenant_id, None):
                try:
                    answers = await self._look_up(tenant_id, list(asked))
                except Exception as error:  # noqa: BLE001 - whatever it was, it is the answer to each who waits
                    answers = dict.fromkeys(asked, error)
                for quote_id, future in asked.items():
                    answer = answers[quote_id]
                    if isinstance(answer, str):
                        future.set_result(answer)
                    else:
                        future.set_exception(answer)
                        future.exception()  # read once: whoever asked may have hung up
        finally:
            del self._asking[tenant_id]

    async def _look_up(self, tenant_id: str, quote_ids: Sequence[str]) -> dict[str, str | Exception]:
        region = self._entry.region
        async with tenant_transaction(self._pool, tenant_id) as connection:
            quotes = await find_quotes(connection, region, quote_ids)
            wanted = [NewWallet(tenant_id, code) for code in sorted({one.source_currency for one in quotes.values()})]
            wallets = await find_wallets_of_tenants(connection, region, wanted)
        for one, wallet in wallets.items():
            _keep(self._wallets, (tenant_id, one.currency), wallet.wallet_id, _WALLETS_MAX)
        answers: dict[str, str | Exception] = {}
        for quote_id in quote_ids:
            quote = quotes.get(quote_id)
            if quote is None:
                answers[quote_id] = UnknownQuote(pointer="/quote_id")
                continue
            found = wallets.get(NewWallet(tenant_id, quote.source_currency))
            if found is None:
                missing = f"There is no wallet in {quote.source_currency} in {region}."
                answers[quote_id] = WalletMissing(missing, pointer="/quote_id")
                continue
            self.note(tenant_id, quote_id, quote.source_currency)
            answers[quote_id] = found.wallet_id
        return answers


def _keep(memory: OrderedDict[tuple[str, str], str], key: tuple[str, str], value: str, size_max: int) -> None:
    memory[key] = value
    if len(memory) > size_max:
        memory.popitem(last=False)
