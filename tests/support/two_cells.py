"""Two cells on real databases, with their real sagas and border gates, in one process: what a test drives by hand.

Nothing is doubled but the way between the cells: `carry` takes what one cell's outbox holds to the other's admission, and may be
made to lose, repeat or reorder it. The ledger is the embedded engine on the cell's own database, or any other that is handed in.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cells.backends.postgres import Pool, open_pool, tenant_transaction, transaction
from cells.backends.vault import Vault
from cells.cell import Institution, found_accounts
from cells.compliance.list_checker import open_list_checker
from cells.compliance.magic import SCREENED_NAMES
from cells.compliance.rules import load_rules
from cells.compliance.standing import Standing
from cells.credits.credit import Deposit
from cells.customs.admit import Admission, Admitted, admit
from cells.customs.receipts import Closed, close_through, make_receipts
from cells.customs.store_outbox import mark_published, unpublished
from cells.fx.ecb import EcbHistory
from cells.fx.fees import Tariff
from cells.fx.pricing import price
from cells.fx.quotes import NewQuote, Quote
from cells.fx.store import lock_quotes
from cells.idempotency.answer import Answer
from cells.kit.command import Command, Reply
from cells.ledger.ledger import Ledger
from cells.ledger.postgres import PostgresLedger
from cells.limits.book import LimitBook
from cells.parties.models import Address, BankAccount, PayerNew, RecipientNew
from cells.parties.payers import Payers
from cells.parties.recipients import Recipients
from cells.parties.sealing import name_reader
from cells.parties.token import TokenVerifier
from cells.payments import border, store
from cells.payments.acceptance import Acceptance
from cells.payments.machine import Event
from cells.payments.recovery import told_by_answer
from cells.payments.transfer import Told, Transfer
from cells.rails.rail import ReturnReceived
from cells.rails.registry import profile_of
from cells.rails.router import RailRouter
from cells.returns import store as store_returns
from cells.returns.book import return_command
from cells.returns.receive import ReturnReception, admit_returns, receive_returns
from cells.returns.returned import Return
from cells.spec import CellSpec, PrivateSettings
from cells.tenants import store as tenants
from cells.tenants.tenant import NewWallet, Tenant, Wallet, mint_tenant
from cells.wallets.handler import Saga
from residency.ids import mint
from tests.support.asking import PARTNER
from tests.support.border import World, world_of_today
from tests.support.credits import on_record
from tests.support.servers import CellDatabase
from tests.support.tariffs import founded


@dataclass
class Handed:
    """A RailDoor that remembers what it was handed."""

    transfer_ids: list[str] = field(default_factory=list)

    async def submit(self, rail: str, transfer_ids: Sequence[str]) -> None:
        self.transfer_ids += transfer_ids


@dataclass
class HandCell:
    """One cell, moved by hand."""

    institution: Institution
    api: Pool
    ledger: Ledger
    saga: Saga
    rails: Handed
    epochs: dict[str, int] = field(default_factory=dict)

    @property
    def spec(self) -> CellSpec:
        return self.institution.spec

    async def ask(self, *commands: Command) -> Sequence[Reply]:
        missing = {one.wallet_id for one in commands} - set(self.epochs)
        if missing:
            self.epochs |= await self.saga.activate(sorted(missing))
        epochs = {one.wallet_id: self.epochs[one.wallet_id] for one in commands}
        return await self.saga.run(commands, epochs, lambda: None)

    async def tell(self, transfer: Transfer, event: Event, **facts: Any) -> Reply:
        told = Told(transfer.transfer_id, event, facts)
        [reply] = await self.ask(Command(f"{transfer.transfer_id}:{event}", transfer.wallet_id, "tell", told))
        return reply

    async def transfer(self, transfer_id: str) -> Transfer:
        async with transaction(self.institution.pool) as connection:
            return (await store.read(connection, self.spec.region, [transfer_id]))[transfer_id]

    async def wallet(self, tenant: Tenant, currency: str) -> Wallet:
        """A wallet of the tenant's, also in what the cell holds no more."""
        entry = self.spec.entry.model_copy(update={"currencies": (currency,)})
        async with transaction(self.institution.pool) as connection:
            [wallet] = await tenants.open_wallets(connection, entry, [NewWallet(tenant.tenant_id, currency)])
            return wallet

    async def balance(self, wallet: Wallet) -> dict[str, int]:
        [reply] = await self.ask(Command(mint("req", self.spec.name), wallet.wallet_id, "balance"))
        return reply

    async def deposit(self, wallet: Wallet, amount: int, rail: str) -> Deposit:
        one = Deposit(mint("col", self.spec.name), wallet.tenant_id, wallet.wallet_id, rail, amount, wallet.currency)
        await on_record(self.institution.pool, self.spec.region, one)
        [reply] = await self.ask(Command(f"{one.collection_id}:deposit", wallet.wallet_id, "deposit", one))
        assert reply is None, reply
        return one

    async def recipient(self, tenant: Tenant, currency: str, account: BankAccount, name: str = "Budi Santoso") -> str:
        """A recipient; one with a name of the sandbox is of the kind that its line says, with its LEI."""
        magic = next((one for one in SCREENED_NAMES if one.name == name), None)
        more = {"kind": magic.kind, "lei": magic.lei} if magic else {}
        request = RecipientNew.model_validate({"currency": currency, "name": name, "account": account} | more)
        async with tenant_transaction(self.api, tenant.tenant_id) as connection:
            [made] = await self.institution.recipients.create(connection, tenant.tenant_id, [request])
        assert not isinstance(made, Exception), made
        return made.id

    async def payer(self, tenant: Tenant, name: str = "Astrid Lindqvist-Marker") -> str:
        """A payer; one with a name of the sandbox has what its line says beside it."""
        request = PayerNew(
            name=name,
            address=Address(street="Storgatan", building_number="12", post_code="22350", town="Lund", country="SE"),
            customer_number="C-10021",
            date_of_birth=next((one.born for one in SCREENED_NAMES if one.name == name), None),
            document={"type": "passport", "number": "P-88231177", "country": "SE"},  # type: ignore[arg-type]
        )
        async with tenant_transaction(self.api, tenant.tenant_id) as connection:
            [made] = await self.institution.payers.create(connection, tenant.tenant_id, [request])
        return made.id

    async def quote(
        self,
        tenant: Tenant,
        source: str,
        target: str,
        amount: int,
        rail: str,
        *,
        tariff: Tariff | None = None,
        **more: Any,
    ) -> Quote:
        rate = EcbHistory().latest().rate(source, target)
        locked = price(rate, "source", amount, 0 if source == target else 80, tariff or founded(source, target, rail))
        async with tenant_transaction(self.api, tenant.tenant_id) as connection:
            new = NewQuote(mint("qt", self.spec.name), tenant.tenant_id, rail, locked)
            [quote] = await lock_quotes(connection, self.spec.region, [new], **more)
        return quote

    async def accept(self, wallet: Wallet, quote: Quote, recipient: str, payer: str, key: str = "") -> Answer:
        [reply] = await self.ask(self.acceptance(wallet, quote, recipient, payer, key))
        assert isinstance(reply, Answer), reply
        return reply

    def acceptance(self, wallet: Wallet, quote: Quote, recipient: str, payer: str, key: str = "") -> Command:
        transfer_id = mint("tr", self.spec.name)
        key = key or transfer_id
        body = Acceptance(
            transfer_id, wallet.tenant_id, quote.quote_id, recipient, payer, key, key.encode().ljust(32)[:32], PARTNER
        )
        return Command(f"{wallet.tenant_id}:{key}", wallet.wallet_id, "accept", body)

    async def export(self) -> list[bytes]:
        """One round of the exporter: what is due, signed, logged and ready to publish."""
        async with transaction(self.institution.pool) as connection:
            await border.export_due(connection, self.institution.gate)
        async with transaction(self.institution.pool) as connection:
            waiting = await unpublished(connection, 1000)
            await mark_published(connection, waiting)
        return [one.envelope for one in waiting]

    async def admit(self, envelopes: Sequence[bytes], *, act: bool = True) -> list[Admission]:
        """One round of the admitter; with `act`, the wallets are told too."""
        institution = self.institution
        async with transaction(institution.pool) as connection:
            decisions = await admit(
                connection, institution.spec, institution.keys, institution.spec.directory, envelopes
            )
            admitted = [one for one in decisions if isinstance(one, Admitted)]
            legs = await institution.destination.admit(connection, admitted)
            answered = await border.admit_answers(connection, institution.spec.region, admitted)
            returned = await admit_returns(connection, institution.spec.name, institution.spec.region, admitted)
        if act:
            for leg in legs:
                await self.tell(leg, Event.TAKEN)
            for one in answered:
                told = told_by_answer(one)
                await self.tell(one, told.event, **told.facts)
            await self.book(returned)
        return decisions

    async def receive_return(self, one: ReturnReceived, *, act: bool = True) -> ReturnReception:
        """A return at the rails' door; with `act`, the wallet is told too."""
        async with transaction(self.institution.pool) as connection:
            reception = await receive_returns(connection, self.spec.name, self.spec.region, [one])
        if act:
            await self.book(reception.open)
        return reception

    async def book(self, returns: Sequence[Return]) -> None:
        """Ask the wallets to book returns that are on record."""
        if returns:
            await self.ask(*(return_command(one) for one in returns))

    async def returns(self, transfer_id: str) -> list[Return]:
        async with transaction(self.institution.pool) as connection:
            return (await store_returns.of_transfers(connection, self.spec.region, [transfer_id])).get(transfer_id, [])

    async def receipts(self) -> list[bytes]:
        institution = self.institution
        async with transaction(institution.pool) as connection:
            made = await make_receipts(connection, institution.spec, institution.keys, institution.spec.directory)
        return [one.envelope for one in made]

    async def take_receipt(self, receipt: bytes) -> None:
        async with transaction(self.institution.pool) as connection:
            closed = await close_through(connection, self.spec, self.spec.directory, receipt)
            assert isinstance(closed, Closed), closed
            await border.receipted(connection, self.spec.region, closed.instructed)


@asynccontextmanager
async def open_hand_cell(
    world: World, cell: str, database: CellDatabase, tenants_of_world: Sequence[Tenant], ledger: Ledger | None = None
) -> AsyncIterator[HandCell]:
    spec = CellSpec(
        Path("/nowhere"), world.directory.cell(cell), world.directory, PrivateSettings.model_construct(sandbox=True)
    )
    keys = world.keys[cell]
    pool = await open_pool(database.writer, size_max=6, name="test-cell")
    api = await open_pool(database.api, size_max=2, name="test-api")
    ledger = ledger or await PostgresLedger.open(database.ledger, name="test-ledger")
    vault = Vault(spec.region, keys.keks, max(keys.keks))
    standing = Standing(spec.region, open_list_checker(), name_reader(vault))
    signer = keys.signer(spec.directory, datetime.now(UTC))[1]
    rails = [profile_of(name) for name in spec.entry.rails]
    institution = Institution(
        spec, keys, vault, pool, standing,
        Payers(spec.entry, vault, standing),
        Recipients(spec.entry, spec.directory, vault, standing, signer, None, rails),
        TokenVerifier(spec.directory),
        RailRouter(spec.region, rails),
        LimitBook(spec.region),
        load_rules(),
    )  # fmt: skip
    await found_accounts(spec, pool, ledger)
    async with transaction(pool) as connection:
        await tenants.create_tenants(connection, spec.region, tenants_of_world)
    rails = Handed()
    numbers = {entry.name: entry.number for entry in spec.directory.cells.values()}
    saga = Saga(spec.entry, numbers, pool, ledger, institution.origin, "test", rails)
    try:
        yield HandCell(institution, api, ledger, saga, rails)
    finally:
        await saga.close()
        await api.close()


@dataclass
class TwoCells:
    eu: HandCell
    id: HandCell
    tenant: Tenant
    stranger: Tenant


@asynccontextmanager
async def open_two_cells(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[TwoCells]:
    world = world_of_today()
    home = world.directory.cell("eu-1")
    tenant = mint_tenant("Nusantara Pay", home, tier="growth")
    stranger = mint_tenant("Hanse Remit", home, tier="growth")
    async with (
        open_hand_cell(world, "eu-1", cell_database("EU"), [tenant, stranger]) as eu,
        open_hand_cell(world, "id-1", cell_database("ID"), [tenant, stranger]) as indonesia,
    ):
        yield TwoCells(eu, indonesia, tenant, stranger)
