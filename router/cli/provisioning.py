"""A tenant into every cell: the same id and owner number everywhere, its wallets where their currencies are held.

It writes to each cell's own database with that cell's writer role, which only the operator of the cells can do. Everything is
written so that doing it again changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cells.backends.postgres import Connection, open_pool, transaction
from cells.cell import vault_of
from cells.spec import CellSpec, load_spec
from cells.tenants import store, store_keys
from cells.tenants.issuing import Issued
from cells.tenants.tenant import ApiKey, NewWallet, Tenant
from residency.directory import load_directory
from router.cli.choices import one_of


@dataclass
class Provisioned:
    """Ids and account numbers of the wallets, by currency."""

    wallets: dict[str, str] = field(default_factory=dict)
    account_numbers: dict[str, str] = field(default_factory=dict)


async def provision(
    home: Path,
    tenant: Tenant,
    *,
    keys: Sequence[ApiKey] = (),
    issued: Sequence[Issued] = (),
    currencies: Sequence[str] | None = None,
) -> Provisioned:
    """Into all cells; wallets in `currencies`, by default in all there are. What signs is sealed by each cell's own vault.

    Raises StoreUnavailable, SettingsInvalid, KeysInvalid.
    """
    done = Provisioned()

    async def into(spec: CellSpec) -> None:
        held = [code for code in spec.entry.currencies if currencies is None or code in currencies]
        # Of two cells in a region that hold a currency, the tenant's wallet is in the first.
        if first_of_region(spec) != spec.name:
            held = []
        vault = vault_of(spec) if issued else None
        rows = [*keys, *(one.sealed_by(vault) for one in issued if vault is not None)]
        async with writing(spec) as connection:
            await store.create_tenants(connection, spec.region, [tenant])
            await store_keys.add_keys(connection, spec.region, rows)
            opened = await store.open_wallets(
                connection, spec.entry, [NewWallet(tenant.tenant_id, code) for code in held]
            )
        done.wallets.update({one.currency: one.wallet_id for one in opened})
        done.account_numbers.update({one.currency: one.account_number for one in opened})

    async with asyncio.TaskGroup() as group:
        for spec in all_cells(home):
            group.create_task(into(spec))
    return done


def first_of_region(spec: CellSpec) -> str:
    """The cell of this one's region that takes new resources."""
    return spec.directory.first_cell(spec.region).name


def all_cells(home: Path) -> list[CellSpec]:
    """Every cell of this home, by number. Raises SettingsInvalid, DirectoryInvalid."""
    cells = sorted(load_directory(home).cells.values(), key=lambda cell: cell.number)
    return [load_spec(cell.name, home) for cell in cells]


def chosen_cells(home: Path, name: str) -> list[CellSpec]:
    """The cell of that name, or all where none is given. Raises SettingsInvalid, DirectoryInvalid, UnknownChoice."""
    if not name:
        return all_cells(home)
    one_of(name, load_directory(home).cells, "cell")
    return [load_spec(name, home)]


@asynccontextmanager
async def writing(spec: CellSpec) -> AsyncIterator[Connection]:
    """One transaction of a cell's writer. Raises StoreUnavailable."""
    pool = await open_pool(spec.settings.postgres.writer, size_max=1, name="kovra-cli")
    try:
        async with transaction(pool) as connection:
            yield connection
    finally:
        await pool.close()
