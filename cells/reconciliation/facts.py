"""What is known of one cell at one instant, as far as its own record goes. Pure data, amounts in minor units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cells.kit.hashchain import Break
from cells.ledger.chart import CURRENCY_OF_LEDGER, AccountType, ledger_amount, read_account_id
from cells.ledger.entry import Account, Posting
from cells.payments.machine import Leg, State
from cells.reconciliation.batches import Reserve
from cells.reconciliation.fold import Figures, Fold
from cells.reconciliation.refold import Folded
from cells.reconciliation.report import Finding
from cells.reconciliation.returns import ReturnSum


@dataclass(frozen=True, slots=True)
class LegSum:
    """All legs that are alike, added up."""

    leg: Leg
    state: State
    origin_cell: str
    destination_cell: str
    source_currency: str
    target_currency: str
    count: int
    principal: int
    margin: int
    fee: int
    target: int
    recipient_fee: int


@dataclass(frozen=True, slots=True)
class CollectionSum:
    state: str
    currency: str
    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class OrderSum:
    """Orders about credits that are alike, added up. `suspended`: out of suspense, else out of a wallet."""

    kind: str
    state: str
    suspended: bool
    rail: str
    currency: str
    count: int
    amount: int

    @property
    def holds(self) -> bool:
        """Whether the ledger holds what goes back: until the scheme's final word is booked."""
        return self.state in ("held", "answered")


@dataclass(frozen=True, slots=True)
class WalletSum:
    """What the business rows say of one wallet: money in, spent, held for payments on their way, frozen, come back, and moved here from
    the tenant's other wallets, less what was moved there; payments that are lines of a batch are its reserve's."""

    wallet_id: str
    account: int
    credited: int
    spent: int
    held: int
    frozen: int
    returned: int
    moved: int


@dataclass(frozen=True, slots=True)
class OpenHold:
    """A hold that nothing has resolved, and the payment it is for (None: the journal knows of none). `state` of a credit that goes back is
    `giving_back`."""

    posting: Posting
    payment_id: str | None
    leg: Leg | None
    state: str | None


@dataclass(frozen=True, slots=True)
class HousePosting:
    """A posting that belongs to no payment: listed, not matched."""

    posting: Posting


@dataclass(frozen=True, slots=True)
class AccountFault:
    """An account whose reported figures no prefix of its postings explains."""

    account: int
    expected: Figures
    found: Figures | None


@dataclass(frozen=True, slots=True)
class StatementFacts:
    """A rail's own account of our money there, read before and after everything else (sandbox)."""

    rail: str
    currency: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class StrangeCredit:
    """A credit on our record that the rail's own statement has not (`booked` is None), or with another amount. Minor units."""

    collection_id: str
    rail: str
    scheme_reference: str
    currency: str
    amount: int
    booked: int | None


@dataclass(frozen=True, slots=True)
class QuoteFault:
    """A quote and a transfer that do not name each other, or not only each other."""

    quote_id: str
    transfer_id: str
    what: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class CustomsFacts:
    """The cell's own customs chain: how long, where it breaks, and which peers it has dealings with."""

    entries: int
    broken: Break | None
    peers: frozenset[str]


@dataclass(frozen=True, slots=True)
class CellFacts:
    """Everything of one cell. `reported`: accounts as the ledger says; `settled`: the figures those had before what was applied
    while they were read; `books`: the postings added up as of the journal's snapshot; `restored`: by rail, what was given back while the
    rail had yet to say whether it has paid; `reserves`, `reserved`: by their accounts, what the reserves must hold, and what has left the
    wallets for batches; `batches_moving`: by state; `folded`: what its streams make against its rows; `strange_credits`: looked for where a rail's statement is not what our
    books say."""

    cell: str
    number: int
    currencies: tuple[str, ...]
    rails: tuple[str, ...]
    peers: Mapping[str, int]
    leg_sums: Sequence[LegSum]
    collections: Sequence[CollectionSum]
    orders: Sequence[OrderSum]
    return_sums: Sequence[ReturnSum]
    restored: Mapping[str, int]
    reserves: Mapping[int, Reserve]
    reserved: Mapping[int, int]
    batches_moving: Mapping[str, int]
    batch_findings: Sequence[Finding]
    wallets: Sequence[WalletSum]
    reported: Mapping[int, Account]
    settled: Mapping[int, Figures]
    account_faults: Sequence[AccountFault]
    books: Fold
    postings: int
    open_holds: Sequence[OpenHold]
    house: Sequence[HousePosting]
    posting_findings: Sequence[Finding]
    leg_findings: Sequence[Finding]
    quote_faults: Sequence[QuoteFault]
    customs: CustomsFacts
    folded: Folded
    statements: Sequence[StatementFacts]
    strange_credits: Sequence[StrangeCredit] = ()

    def name_of(self, account: int) -> str:
        """An account as a person reads it."""
        wallet = next((one.wallet_id for one in self.wallets if one.account == account), None)
        return f"{wallet} ({describe(account)})" if wallet else describe(account)

    def amount_finding(self, invariant: str, account: int, what: str, expected: int, found: int) -> Finding:
        """An account with another amount than it must have, in minor units."""
        amounts = ledger_amount(expected, account), ledger_amount(found, account)
        return Finding(invariant, (self.cell,), self.name_of(account), what, *amounts)


def describe(account: int) -> str:
    """`TENANT_WALLET EUR …` from an account id alone."""
    try:
        key = read_account_id(account)
    except ValueError:
        return f"account {account:032x}"
    currency = CURRENCY_OF_LEDGER.get(key.ledger, str(key.ledger))
    if key.account_type in (AccountType.REGIONAL_SETTLEMENT, AccountType.REGIONAL_CAP) and key.peer_number:
        return f"{key.account_type.name} {currency} with cell number {key.peer_number}"
    return f"{key.account_type.name} {currency} {account:032x}"
