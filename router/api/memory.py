"""Which wallet a quote is paid from: quotes and wallets never change owner or currency, so an answer is remembered.

What is not remembered (a quote that another process made) is looked up for all of a tenant's requests that wait, at once.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from cells.backends.postgres import Pool, tenant_transaction
from cells.fx.quotes import UnknownQuote
from cells.fx.store import find_quotes
from cells.kit.batcher import Batcher
from cells.tenants.store import find_wallets_of_tenants
from cells.tenants.tenant import NewWallet
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
        self._batchers: dict[str, Batcher[str, str | Exception]] = {}

    def note(self, tenant_id: str, quote_id: str, source_currency: str) -> None:
        """A quote just made, so that its payment need not look it up."""
        _keep(self._quotes, (tenant_id, quote_id), source_currency, _QUOTES_MAX)

    async def wallet_of(self, tenant_id: str, quote_id: str) -> str:
        """The id of the wallet. Raises UnknownQuote, WalletMissing, StoreUnavailable."""
        currency = self._quotes.get((tenant_id, quote_id))
        if currency is not None and (wallet_id := self._wallets.get((tenant_id, currency))) is not None:
            return wallet_id
        batcher = self._batchers.get(tenant_id)
        if batcher is None:
            batcher = self._batchers[tenant_id] = Batcher("a look-up of quotes", partial(self._look_up, tenant_id))
        found = await batcher.ask(quote_id)
        if isinstance(found, Exception):
            raise found
        return found

    async def _look_up(self, tenant_id: str, quote_ids: Sequence[str]) -> list[str | Exception]:
        region = self._entry.region
        async with tenant_transaction(self._pool, tenant_id) as connection:
            quotes = await find_quotes(connection, region, quote_ids)
            wanted = [NewWallet(tenant_id, code) for code in sorted({one.source_currency for one in quotes.values()})]
            wallets = await find_wallets_of_tenants(connection, region, wanted)
        for one, wallet in wallets.items():
            _keep(self._wallets, (tenant_id, one.currency), wallet.wallet_id, _WALLETS_MAX)
        answers: list[str | Exception] = []
        for quote_id in quote_ids:
            quote = quotes.get(quote_id)
            if quote is None:
                answers.append(UnknownQuote(pointer="/quote_id"))
                continue
            found = wallets.get(NewWallet(tenant_id, quote.source_currency))
            if found is None:
                missing = f"There is no wallet in {quote.source_currency} in {region}."
                answers.append(WalletMissing(missing, pointer="/quote_id"))
                continue
            self.note(tenant_id, quote_id, quote.source_currency)
            answers.append(found.wallet_id)
        return answers


def _keep(memory: OrderedDict[tuple[str, str], str], key: tuple[str, str], value: str, size_max: int) -> None:
    memory[key] = value
    if len(memory) > size_max:
        memory.popitem(last=False)
