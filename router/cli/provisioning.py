"""A tenant into every cell: the same id and owner number everywhere, its wallets where their currencies are held.

It writes to each cell's own database with that cell's writer role, which only the operator of the cells can do, and puts what is new in a
cell on that cell's audit trail. Everything is written so that doing it again changes nothing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cells.cell import vault_of
from cells.spec import CellSpec, load_spec
from cells.tenants import store, store_keys
from cells.tenants.issuing import Issued
from cells.tenants.tenant import ApiKey, NewWallet, Tenant
from residency.directory import load_directory
from router.cli.choices import one_of
from router.cli.record import changing


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
    actor: str,
    action: str,
) -> Provisioned:
    """Into all cells; wallets in `currencies`, by default in all there are. What signs is sealed by each cell's own vault. `actor` and
    `action`: as each cell's audit trail has them.

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
        wallets = [NewWallet(tenant.tenant_id, code) for code in held]
        async with changing(spec, actor) as change:
            connection = change.connection
            new = await store.create_tenants(connection, spec.region, [tenant])
            new_keys = await store_keys.add_keys(connection, spec.region, rows)
            before = await store.find_wallets_of_tenants(connection, spec.region, wallets)
            opened = await store.open_wallets(connection, spec.entry, wallets)
            if new_keys:
                for key_id in new_keys:
                    await change.record(action, key_id, tenant_id=tenant.tenant_id)
            elif new or len(before) < len(wallets):
                await change.record(action, tenant.tenant_id, tenant_id=tenant.tenant_id)
            else:
                change.unchanged = True
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
