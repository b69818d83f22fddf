"""What is played: who pays whom how much, what the world outside will say, and the cells it happens in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cells.kit.money import CURRENCIES
from cells.ledger import chart, house
from cells.ledger.postings import Chain
from cells.payments.lives import chain_of
from cells.payments.machine import Effect, Leg, State
from cells.payments.transfer import ScreeningResult, Transfer
from cells.spec import CellSpec, PrivateSettings
from residency.directory import load_directory
from residency.ids import number
from tests.model.books import Books
from tests.model.record import CellState, Memo
from tests.support.lives import funding, granted

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BEFORE_DEADLINE, DEADLINE = datetime(2026, 11, 20, 13, 0, tzinfo=UTC), datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
EU, ID, UK = "eu-1", "id-1", "uk-1"
DIRECTORY = load_directory(None)
SPECS = {
    name: CellSpec(Path("/nowhere"), DIRECTORY.cell(name), DIRECTORY, PrivateSettings.model_construct())
    for name in (EU, ID)
}
NUMBERS = {entry.name: entry.number for entry in DIRECTORY.cells.values()}
_EUR, _IDR = CURRENCIES["EUR"].number, CURRENCIES["IDR"].number
_TENANT_NUMBER = 77
WALLET = chart.wallet(_TENANT_NUMBER, _EUR)
_SOME_26 = "06a1b2c3d4e5f6g7h8i9j0a0a0"
TENANT = f"ten_eu1_{_SOME_26}"
PRINCIPAL, MARGIN, FEE, TARGET = 1_000, 8, 5, 18_000_00


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment that a partner wants. `reason`: why the destination itself refuses it; `gone`: its recipient has been erased;
    `payee_in_review`: the destination's screening has found the payee."""

    transfer_id: str
    quote_id: str
    leg: Leg = Leg.ORIGIN
    screening: ScreeningResult = "clear"
    recipient_fee: int = 0
    reason: str | None = None
    gone: bool = False
    payee_in_review: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """`funds`, `cap`: how many payments the wallet, and the peer's cap at the destination, hold. `verdicts`: what the scheme may
    say. `raised`: an operator may raise the cap once. `forged`: another cell claims, once, to have settled the first payment.
    `returns`: what the scheme sends back of the first payment, once it has paid it, minor units. `restores`: the rail's rules have
    the money given back while it is silent. `takes_back`: the scheme may say, after a refusal, that it has paid. `relists`: the payer may be
    found on a list before the payment leaves. `releases`: officers may release what is frozen."""

    name: str
    payments: tuple[Payment, ...]
    funds: int = 10
    cap: int = 10
    verdicts: tuple[str, ...] = ("paid", "refused")
    cancels: bool = False
    raised: bool = False
    forged: bool = False
    returns: tuple[int, ...] = ()
    restores: bool = False
    takes_back: bool = False
    relists: bool = False
    releases: bool = False

    def payment(self, transfer_id: str) -> Payment:
        return next(one for one in self.payments if one.transfer_id == transfer_id)


def payment(place: int, *, quote: int | None = None, **more: object) -> Payment:
    """The payment at a place in a scenario, with a quote of its own unless it is given another's."""
    tail = "06a1b2c3d4e5f6g7h8i9j0k1l"
    quote = place if quote is None else quote
    return Payment(f"tr_eu1_{tail}{2 + 4 * (place % 2)}", f"qt_eu1_{tail}{2 + 4 * (quote % 2)}", **more)  # type: ignore[arg-type]


def founded(scenario: Scenario) -> tuple[CellState, CellState]:
    """Both cells before the first payment: accounts open, wallet funded by a collection, the peers' caps granted."""
    total = PRINCIPAL + MARGIN + FEE
    eu = Books.open(
        _accounts(EU),
        [*funding(number(f"col_eu1_{_SOME_26}") + 1, scenario.funds * total or 1, WALLET), *_caps(EU, 10**9)],
    )
    indonesia = Books.open(_accounts(ID), _caps(ID, scenario.cap * TARGET or 1))
    return CellState(eu), CellState(indonesia)


def drafted(wanted: Payment) -> Transfer:
    """The row that the intent commit makes of a payment."""
    across = wanted.leg is Leg.ORIGIN
    return Transfer(
        transfer_id=wanted.transfer_id,
        tenant_id=TENANT,
        leg=wanted.leg,
        state=State.CREATED,
        version=1,
        wallet_id="wallet",
        origin_cell=EU,
        destination_cell=ID if across else EU,
        quote_id=wanted.quote_id,
        recipient_id=f"rcp_{'id1' if across else 'eu1'}_{_SOME_26}.{'IDR' if across else 'EUR'}.{'A' * 86}",
        payer_id="payer",
        source_currency="EUR",
        target_currency="IDR" if across else "EUR",
        principal=PRINCIPAL,
        margin=MARGIN if across else 0,
        fee=FEE,
        target_amount=TARGET if across else PRINCIPAL,
        recipient_fee=wanted.recipient_fee,
        rail="bi_fast" if across else "sepa_instant",
        screening=wanted.screening,
        review_until=None if wanted.screening == "clear" else DEADLINE,
        metadata=Memo(),
        created_at=AT,
    )


@cache
def chain(transfer: Transfer, effect: Effect) -> Chain:
    """The postings of `effect`; one object for equal arguments, which the books go by."""
    return chain_of(transfer, effect, WALLET, NUMBERS)


@cache
def raised_cap() -> Chain:
    """What an operator's decision to raise the peer's cap at the destination posts: room for ten more payments."""
    return granted(number(f"tr_id1_{_SOME_26}") + 9, NUMBERS[EU], 10 * TARGET)


def has_room(cell: CellState) -> bool:
    """Whether the origin's cap at the destination holds one more payment."""
    return cell.books.accounts[chart.settlement(NUMBERS[EU], _IDR)].available >= TARGET


def _accounts(cell: str) -> list[chart.Account]:
    peers = [NUMBERS[one] for one in (EU, ID) if one != cell]
    home, foreign, rail = (_EUR, _IDR, "sepa_instant") if cell == EU else (_IDR, _EUR, "bi_fast")
    accounts = house.platform_accounts([home], [foreign], peers, [(rail, home)])
    return [*accounts, chart.opening(WALLET)] if cell == EU else accounts


def _caps(cell: str, amount: int) -> list[Chain]:
    return [granted(number(f"tr_eu1_{_SOME_26}") + 5, NUMBERS[ID if cell == EU else EU], amount)]
