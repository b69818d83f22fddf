"""Every rail of a running stack through every ending that a payment can have there, all at once, as a partner does it over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cells.kit.money import format_amount
from cells.rails.console import Payments, SchemeConsole, wallet_account
from cells.rails.rail import Party, end_to_end_id
from cells.rails.registry import connection_to, profile_of
from cells.reconciliation.report import Report
from cells.spec import load_spec
from cells.tenants.keys import SCOPES, mint_key
from cells.tenants.tenant import ApiKey, mint_tenant
from residency.directory import Directory, load_directory
from router.cli.demo_people import PAYERS
from router.cli.provisioning import Provisioned, provision
from router.cli.reconcile import settled
from router.client import KovraClient
from router.client.models import Transfer
from tests.support.waiting import until
from tests.support.whole_stack import RunningStack

ENDS_WITHIN_S = 60.0
RESTS_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.2
_PAYERS = {"EU": "swede", "UK": "briton", "ID": "indonesian"}


@dataclass(frozen=True)
class Row:
    """How a rail is reached: who pays in which currency, and how much arrives at which account. Amounts in minor units.

    `patient`: there is time, so the cheapest rail carries it; else the soonest.
    """

    rail: str
    source: str
    target: str
    amount: int
    account: Mapping[str, str]
    collected: int
    patient: bool = False


_GERMAN = {"iban": "DE89370400440532013000"}
_BRITISH = {"sort_code": "200000", "account_number": "55779911"}
_INDONESIAN = {"bank_code": "014", "account_number": "7731904482"}
ROWS = {
    row.rail: row
    for row in (
        Row("sepa_instant", "GBP", "EUR", 25_00, _GERMAN, 20_001_00),
        Row("sepa_credit_transfer", "EUR", "EUR", 25_00, _GERMAN, 20_002_00, patient=True),
        Row("faster_payments", "GBP", "GBP", 25_00, _BRITISH, 20_003_00, patient=True),
        Row("chaps", "EUR", "GBP", 25_00, _BRITISH, 20_004_00),
        Row("bi_fast", "EUR", "IDR", 400_000_00, _INDONESIAN, 200_000_005_00),
        Row("bi_rtgs", "IDR", "IDR", 300_000_000_00, _INDONESIAN, 4_000_000_006_00),
    )
}
# How long a rail waits for its scheme's answer, in seconds: the one that is to be the soonest of its currency waits least.
ANSWERS_WITHIN = {"": "3", "SEPA_INSTANT": "2", "CHAPS": "2"}


@dataclass(frozen=True)
class Case:
    """One ending. `name`: what the payee is called, by which the scheme knows what to do. `comes_back`: one part of so many that the
    payee's bank returns once it is paid.
    """

    name: str
    status: str
    paid: int
    reason: str | None = None
    comes_back: int = 0

    def back(self, amount: int) -> int:
        """What comes back of an amount, in minor units."""
        return amount // self.comes_back if self.comes_back else 0


CASES = {
    "success": Case("Käthe Brinkschulte", "COMPLETED", 1),
    "reject with reason": Case("Sandbox Reject AC06", "REFUNDED", 0, "AC06"),
    "timeout, found settled": Case("Sandbox Timeout Settled", "COMPLETED", 1),
    "timeout, found unknown": Case("Sandbox Timeout Lost", "REFUNDED", 0, "AG09"),
    "return after completion": Case("Käthe Brinkschulte", "RETURNED", 1, comes_back=1),
    "return of a part": Case("Käthe Brinkschulte", "PARTIALLY_RETURNED", 1, comes_back=5),
    "answered twice": Case("Sandbox Answer Twice", "COMPLETED", 1),
    "answered late": Case("Sandbox Answer Late", "COMPLETED", 1),
}


@dataclass
class Played:
    """What came of it. `ended` and `counted` by (rail, case); `credited`: what each rail brought, minor units."""

    ended: dict[tuple[str, str], Transfer] = field(default_factory=dict)
    counted: dict[tuple[str, str], Payments] = field(default_factory=dict)
    credited: dict[str, str] = field(default_factory=dict)
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    report: Report | None = None


class Matrix:
    """The partner, its wallets, and the consoles of the schemes by rail."""

    def __init__(self, kovra: KovraClient, directory: Directory, consoles: Mapping[str, SchemeConsole]) -> None:
        self.kovra = kovra
        self.directory = directory
        self.consoles = consoles
        self.wallets: dict[str, str] = {}
        self.payers: dict[str, str] = {}

    async def set_up(self, done: Provisioned) -> None:
        self.wallets = done.wallets
        made = await asyncio.gather(*(self._payer(region) for region in _PAYERS))
        self.payers = dict(zip(_PAYERS, made, strict=True))

    async def _payer(self, region: str) -> str:
        person = PAYERS[_PAYERS[region]]
        return (await self.kovra.payers.create(region=region, **person.details)).id

    async def collect(self, row: Row, account_number: str) -> str:
        """Money arrives by the rail; the scheme's word on it once the wallet has it."""
        wallet, console = self.wallets[row.target], self.consoles[row.rail]
        creditor = wallet_account(profile_of(row.rail).account_form, account_number)
        reference = await console.collect(row.collected, row.target, creditor, Party("Sandbox Payer"))

        async def arrived() -> bool:
            lines = (await self.kovra.wallets.statement(wallet)).data
            amount = format_amount(row.collected, row.target)
            return any(one.entry == "credit" and one.amount.value == amount for one in lines)

        await until(arrived, timeout_s=ENDS_WITHIN_S)
        return str((await console.collection(reference))["status"])

    async def pay(self, row: Row, case: Case) -> Transfer:
        """One payment, to its end."""
        region_in = self.directory.region_of_currency[row.target]
        region_out = self.directory.region_of_currency[row.source]
        recipient = await self.kovra.recipients.create(
            region=region_in, currency=row.target, name=case.name, account=row.account
        )
        quote = await self.kovra.quotes.create(
            source_currency=row.source, target=(format_amount(row.amount, row.target), row.target)
        )
        made = await self.kovra.transfers.create(
            quote_id=quote.id,
            recipient_id=recipient.id,
            payer_id=self.payers[region_out],
            deadline=datetime.now(UTC) + timedelta(days=7) if row.patient else None,
        )
        ended = await self.kovra.transfers.wait_for(made.id, timeout_s=ENDS_WITHIN_S)
        return await self._returned(row, case, ended) if case.comes_back else ended

    async def _returned(self, row: Row, case: Case, paid: Transfer) -> Transfer:
        assert paid.status == "COMPLETED", paid.status
        await self.consoles[row.rail].give_back(end_to_end_id(paid.id), case.back(row.amount), "AC06", deliveries=2)
        async with asyncio.timeout(ENDS_WITHIN_S):
            found = paid
            while found.status != case.status or not (await self.counted(row, paid.id)).returned_minor:
                await asyncio.sleep(_LOOK_EVERY_S)
                found = await self.kovra.transfers.get(paid.id)
        return found

    async def counted(self, row: Row, transfer_id: str) -> Payments:
        return await self.consoles[row.rail].payments(end_to_end_id(transfer_id))


async def play(stack: RunningStack) -> Played:
    """All rails and endings at once, after money has arrived by every rail; then the books at rest."""
    played = Played()
    async with _partner(stack) as (matrix, numbers):
        rows = list(ROWS.values())
        words = await asyncio.gather(*(matrix.collect(row, numbers[row.target]) for row in rows))
        played.credited = {row.rail: word for row, word in zip(rows, words, strict=True)}
        await asyncio.gather(*(_one(matrix, played, row, title) for row in rows for title in CASES))
    names = list(load_directory(stack.home).cells)
    played.report = await settled([load_spec(name, stack.home) for name in names], RESTS_WITHIN_S)
    return played


async def _one(matrix: Matrix, played: Played, row: Row, title: str) -> None:
    key = (row.rail, title)
    try:
        played.ended[key] = transfer = await matrix.pay(row, CASES[title])
        played.counted[key] = await matrix.counted(row, transfer.id)
    except Exception as error:  # noqa: BLE001 - one ending that fails is told beside the others
        played.failed[key] = f"{type(error).__name__}: {error}"


@asynccontextmanager
async def _partner(stack: RunningStack) -> AsyncIterator[tuple[Matrix, Mapping[str, str]]]:
    """A partner without limits, and its account numbers by currency."""
    directory = load_directory(stack.home)
    first = min(directory.cells.values(), key=lambda cell: cell.number)
    tenant = mint_tenant("Matrix Partner", first, tier="benchmark")
    minted = mint_key(first.name, tenant.environment)
    key = ApiKey(minted.key_id, tenant.tenant_id, minted.secret_sha256, SCOPES, "matrix")
    done = await provision(stack.home, tenant, keys=[key], actor="system:matrix", action="tenants.create")
    async with AsyncExitStack() as opened:
        consoles = await _consoles(opened, stack, directory.cells)
        kovra = await opened.enter_async_context(KovraClient(stack.status.router_url, minted.text, retry_s=60.0))
        matrix = Matrix(kovra, directory, consoles)
        await matrix.set_up(done)
        yield matrix, done.account_numbers


async def _consoles(
    opened: AsyncExitStack, stack: RunningStack, cells: Sequence[str] | Mapping[str, Any]
) -> dict[str, SchemeConsole]:
    found: dict[str, SchemeConsole] = {}
    for cell in cells:
        spec = load_spec(cell, stack.home)
        for rail, settings in spec.settings.schemes.items():
            connection = connection_to(rail, spec.entry.number, settings.url, settings.secret)
            found[rail] = await opened.enter_async_context(SchemeConsole(connection))
    return found
