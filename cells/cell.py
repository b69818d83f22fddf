"""The one place where a cell is assembled and closed. A process opens the parts it needs and no others:

open_institution   keys, vault, parties, screening: what the API, the workers and the actors share
open_wallet_handler, open_rail_desk   what the actors' processes build inside (named in actors/deployment.py)
found_cell         what must be there before the first payment: platform accounts, peers, prefunding, fee rules, limits
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from cells.backends.postgres import Pool, open_pool, transaction
from cells.backends.vault import RegionKeys, Vault
from cells.batches.room import BatchRoom
from cells.compliance.list_checker import open_list_checker
from cells.compliance.rules import Rules, load_rules
from cells.compliance.standing import Standing
from cells.fx.fee_book import found_rules
from cells.fx.rates import RateSource
from cells.kit.command import RailDoor, WalletHandler
from cells.kit.money import CURRENCIES
from cells.ledger import house
from cells.ledger.ledger import Ledger
from cells.ledger.opening import ensure_open
from cells.ledger.postgres import PostgresLedger
from cells.ledger.prefunding import Cap, declare_caps
from cells.ledger.tigerbeetle import TigerBeetleLedger
from cells.limits import store_rules
from cells.limits.book import LimitBook
from cells.parties.payers import Payers
from cells.parties.recipients import Recipients
from cells.parties.sealing import name_reader
from cells.parties.token import TokenVerifier
from cells.payments.border import Gate
from cells.payments.destination import Destination
from cells.payments.origin import Origin
from cells.payments.reviewing import Reviewing
from cells.payments.reviewing_parties import PartyReviewing
from cells.payments.submissions import JournalDesk
from cells.payments.transfer import PEER_TENANT_PREFIX
from cells.preflight import check_directory
from cells.rails import registry
from cells.rails.archive import VaultArchive
from cells.rails.desk import RailDesk
from cells.rails.modulus import ModulusTables, read_tables
from cells.rails.router import RailRouter
from cells.spec import CellSpec, load_spec
from cells.tenants import store as tenants
from cells.tenants.tenant import NewWallet, Tenant
from cells.tenants.tiers import founding_limits
from cells.wallets.handler import Saga
from residency.directory import CellEntry
from residency.keys import CellKeys, load_keys, read_keks

Role = Literal["api", "writer"]


@dataclass(frozen=True, slots=True)
class Institution:
    """What the processes of a cell share: each has its own copy, over its own pool of one database role."""

    spec: CellSpec
    keys: CellKeys
    vault: Vault
    pool: Pool
    standing: Standing
    payers: Payers
    recipients: Recipients
    tokens: TokenVerifier
    router: RailRouter
    limit_book: LimitBook
    rules: Rules

    @property
    def origin(self) -> Origin:
        return Origin(
            self.spec.entry,
            self.spec.directory,
            self.vault,
            self.payers,
            self.recipients,
            self.tokens,
            self.router,
            self.limit_book,
            self.rules,
        )

    def batches(self, rates: RateSource) -> BatchRoom:
        """Where batches are validated and priced."""
        return BatchRoom(
            self.spec.entry,
            self.spec.directory,
            self.payers,
            self.recipients,
            self.tokens,
            rates,
            self.spec.settings.rate_age_limit,
        )

    @property
    def destination(self) -> Destination:
        return Destination(self.spec, self.vault, self.recipients, self.tokens, self.router)

    @property
    def reviewing(self) -> Reviewing:
        return Reviewing(self.spec.entry, self.standing, self.rules)

    @property
    def reviewing_parties(self) -> PartyReviewing:
        return PartyReviewing(self.spec.entry, self.standing)

    @property
    def gate(self) -> Gate:
        return Gate(self.spec, self.keys, self.vault)

    async def close(self) -> None:
        await self.pool.close()


async def open_institution(spec: CellSpec, role: Role, *, name: str, connections_max: int) -> Institution:
    """Raises DirectoryInvalid, KeysInvalid, ModulusTableInvalid, StoreUnavailable."""
    check_directory(spec.directory)
    keys = load_keys(spec.home, spec.name, spec.directory)
    vault = vault_of(spec)
    standing = Standing(spec.region, open_list_checker(), name_reader(vault))
    dsn = spec.settings.postgres.api if role == "api" else spec.settings.postgres.writer
    rails = registry.profiles_of(spec)
    pool = await open_pool(dsn, size_max=connections_max, name=name)
    return Institution(
        spec=spec,
        keys=keys,
        vault=vault,
        pool=pool,
        standing=standing,
        payers=Payers(spec.entry, vault, standing),
        recipients=Recipients(
            spec.entry,
            spec.directory,
            vault,
            standing,
            keys.signer(spec.directory, datetime.now(UTC))[1],
            # The API alone registers recipients; a broken file must not keep a wallet's actor from starting.
            _modulus_of(spec) if role == "api" else None,
            rails,
        ),
        tokens=TokenVerifier(spec.directory),
        router=RailRouter(spec.region, rails),
        limit_book=LimitBook(spec.region),
        rules=load_rules(),
    )


def _modulus_of(spec: CellSpec) -> ModulusTables | None:
    found = spec.settings.modulus
    return None if found is None else read_tables(found.weights_path, found.substitutions_path)


def vault_of(spec: CellSpec) -> Vault:
    """The vault of a region under its cell's keys, as they are now and will be while this process runs. Raises KeysInvalid."""

    def read() -> RegionKeys:
        return read_keks(spec.home, spec.name, datetime.now(UTC))

    return Vault(spec.region, *read(), read=read)


async def open_ledger(spec: CellSpec, *, name: str) -> Ledger:
    """The engine that the cell's settings name. Raises LedgerUnknown or StoreUnavailable when it does not answer."""
    settings = spec.settings.ledger
    if settings.engine == "tigerbeetle":
        return await TigerBeetleLedger.open(settings.cluster_id, settings.addresses)
    return await PostgresLedger.open(spec.settings.postgres.ledger, name=name)


async def open_wallet_handler(cell: str, rails: RailDoor) -> WalletHandler:
    """What a hosting actor of `cell` builds inside its process."""
    spec = load_spec(cell)
    institution = await open_institution(spec, "writer", name="kovra-wallets", connections_max=4)
    ledger = await open_ledger(spec, name="kovra-wallets")
    numbers = {entry.name: entry.number for entry in spec.directory.cells.values()}
    return Saga(spec.entry, numbers, institution.pool, ledger, institution.origin, "wallets", rails)


async def open_rail_desk(cell: str, rail: str) -> RailDesk:
    """What the actor of one rail of `cell` builds inside its process."""
    spec = load_spec(cell)
    institution = await open_institution(spec, "writer", name=f"kovra-rail-{rail}", connections_max=4)
    archive = VaultArchive(institution.pool, institution.vault)
    opened = registry.open_rail(rail, registry.connection_of(spec, rail), archive)
    return JournalDesk(spec, institution.pool, institution.vault, institution.router, opened, rail)


async def found_cell(spec: CellSpec) -> None:
    """Make sure of what every payment rests on. Idempotent: run at every start of the cell's host. Raises DirectoryInvalid."""
    check_directory(spec.directory)
    pool = await open_pool(spec.settings.postgres.writer, size_max=1, name="kovra-founding")
    ledger = await open_ledger(spec, name="kovra-founding")
    try:
        await found_accounts(spec, pool, ledger)
    finally:
        await ledger.close()
        await pool.close()


async def found_accounts(spec: CellSpec, pool: Pool, ledger: Ledger) -> None:
    """The platform's accounts, fee rules and limits; for each peer a tenant of its own with a correspondent wallet per currency, and for
    the cell itself one whose wallets' actors keep its suspense; and the prefunding that caps what the peer may owe this cell."""
    await _open_platform_accounts(spec, ledger)
    async with transaction(pool) as connection:
        cells = [spec.entry, *spec.directory.peers_of(spec.name)]
        await tenants.create_tenants(connection, spec.region, [_cell_tenant(one) for one in cells])
        wanted = [
            NewWallet(PEER_TENANT_PREFIX + one.name, currency) for one in cells for currency in spec.entry.currencies
        ]
        await tenants.open_wallets(connection, spec.entry, wanted)
        await found_rules(connection, spec.region, spec.entry.currencies)
        await store_rules.found(connection, spec.region, founding_limits(spec.entry.currencies))
    await _declare_caps(spec, ledger)


async def _open_platform_accounts(spec: CellSpec, ledger: Ledger) -> None:
    home = {CURRENCIES[one].number for one in spec.entry.currencies}
    foreign = {CURRENCIES[one].number for one in spec.directory.region_of_currency} - home
    accounts = house.platform_accounts(
        sorted(home),
        sorted(foreign),
        [peer.number for peer in spec.directory.peers_of(spec.name)],
        [(rail, CURRENCIES[registry.profile_of(rail).currency].number) for rail in spec.entry.rails],
    )
    await ensure_open(ledger, accounts)


async def _declare_caps(spec: CellSpec, ledger: Ledger) -> None:
    caps = {
        f"{peer.name} in {currency}": Cap(peer.number, CURRENCIES[currency].number, amount)
        for peer in spec.directory.peers_of(spec.name)
        for currency, amount in spec.entry.settlement.peer_cap_minor.items()
    }
    await declare_caps(ledger, caps)


def _cell_tenant(one: CellEntry) -> Tenant:
    """A cell as the tenant of its correspondent wallets at a peer, or of its own suspense. It has no key and no tier of its own."""
    return Tenant(PEER_TENANT_PREFIX + one.name, one.name, one.region, one.name, "cell", one.number)
