"""The house's own books: the accounts a cell opens, and what a peer may owe it.

How a peer's cap is kept. REGIONAL_SETTLEMENT may not be debited beyond its posted credits, and the
destination leg debits it (D1). Granting a cap credits it with what the peer may owe this cell, from REGIONAL_CAP
of the same peer and currency, whose debit balance is therefore the cap. When it is used up, D1 answers
EXCEEDS_CREDITS and the payment waits; settling or a higher cap lets it through under a new attempt.
Only what is not used can be withdrawn (prefunding.py). Weighed against it: a limit account debited beside REG in
every D1 (keeps REG pure, but makes each payout chain longer, and netting would have to give the limit back).
"""

from collections.abc import Sequence

from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.ledger.entry import Account


def platform_accounts(
    home_ledgers: Sequence[int],
    foreign_ledgers: Sequence[int],
    peers: Sequence[int],
    rails: Sequence[tuple[str, int]],
) -> list[Account]:
    """What a cell opens before its first payment.

    `home_ledgers`: the currencies it holds money in; `foreign_ledgers`: its peers' currencies, for positions
    only; `peers`: cell numbers; `rails`: (rail, ledger). The order is fixed, so opening again answers EXISTS
    throughout.
    """
    ids = [
        chart.platform(kind, ledger)
        for ledger in home_ledgers
        for kind in AccountType
        if kind not in _NOT_THE_PLATFORMS
    ]
    ids += [chart.platform(AccountType.FX_POSITION, ledger) for ledger in foreign_ledgers]
    for peer in peers:
        for ledger in (*home_ledgers, *foreign_ledgers):
            ids += [chart.settlement(peer, ledger), chart.settlement_cap(peer, ledger)]
    ids += [chart.rail(rail, ledger) for rail, ledger in rails]
    return [chart.opening(number) for number in ids]


_NOT_THE_PLATFORMS = frozenset(
    {
        AccountType.TENANT_WALLET,
        AccountType.BATCH_RESERVE,
        AccountType.RAIL_SETTLEMENT,
        AccountType.REGIONAL_SETTLEMENT,
        AccountType.REGIONAL_CAP,
    }
)
