"""Which wallet a quote is paid from: quotes and wallets never change owner or currency, so an answer is remembered."""

from collections import OrderedDict

from cells.backends.postgres import Pool, tenant_transaction
from cells.fx.quotes import UnknownQuote
from cells.fx.store import find_quotes
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

    def note(self, tenant_id: str, quote_id: str, source_currency: str) -> None:
        """A quote just made, so that its payment need not look it up."""
        _keep(self._quotes, (tenant_id, quote_id), source_currency, _QUOTES_MAX)

    async def wallet_of(self, tenant_id: str, quote_id: str) -> str:
        """The id of the wallet. Raises UnknownQuote, WalletMissing, StoreUnavailable."""
        currency = self._quotes.get((tenant_id, quote_id))
        if currency is not None and (wallet_id := self._wallets.get((tenant_id, currency))) is not None:
            return wallet_id
        async with tenant_transaction(self._pool, tenant_id) as connection:
            if currency is None:
                quote = (await find_quotes(connection, self._entry.region, [quote_id])).get(quote_id)
                if quote is None:
                    raise UnknownQuote(pointer="/quote_id")
                currency = quote.source_currency
            wanted = NewWallet(tenant_id, currency)
            wallet = (await find_wallets_of_tenants(connection, self._entry.region, [wanted])).get(wanted)
        if wallet is None:
            raise WalletMissing(f"There is no wallet in {currency} in {self._entry.region}.", pointer="/quote_id")
        self.note(tenant_id, quote_id, currency)
        _keep(self._wallets, (tenant_id, currency), wallet.wallet_id, _WALLETS_MAX)
        return wallet.wallet_id


def _keep(memory: OrderedDict[tuple[str, str], str], key: tuple[str, str], value: str, size_max: int) -> None:
    memory[key] = value
    if len(memory) > size_max:
        memory.popitem(last=False)
