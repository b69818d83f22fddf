"""Tenants and wallets as rows (their keys: store_keys.py). Batch-first: every function takes sequences, and none commits.

`region` comes first after the connection, because it is the first column of every key.
"""

from collections.abc import Sequence

from cells.backends.postgres import Connection, Record
from cells.backends.rows import Rows
from cells.tenants.account_numbers import mint_account_number
from cells.tenants.tenant import NewWallet, Tenant, UnknownTenant, Wallet
from residency.directory import CellEntry
from residency.errors import UnexpectedAnswer
from residency.ids import mint

# Two random account numbers meet rarely (the shortest has 10^8 forms); three rounds without progress are a
# bug.
_MINT_ROUNDS = 3

_SELECT_WALLET = """
    select w.wallet_id, w.tenant_id, w.currency, w.qualifier, w.account_number, w.epoch, w.host, w.state,
           t.owner_number, t.placement, t.tier
    from wallets w join tenants t using (compliance_region, tenant_id)
"""
_TENANTS = Rows("tenants", Tenant)
_WALLETS = Rows("wallets", "wallet_id tenant_id currency qualifier:bigint account_number")
_WANTED = Rows("wallets", NewWallet)


async def create_tenants(connection: Connection, region: str, tenants: Sequence[Tenant]) -> list[str]:
    """Provision tenants into this cell; one that is there already is left as it is, so this may be repeated. Answers the ids of new ones."""
    rows = await _TENANTS.insert(
        connection,
        tenants,
        "on conflict (compliance_region, tenant_id) do nothing returning tenant_id",
        compliance_region=region,
    )
    return [row["tenant_id"] for row in rows]


async def find_tenants(connection: Connection, region: str, tenant_ids: Sequence[str]) -> dict[str, Tenant]:
    """The tenants among `tenant_ids` that this cell knows, by id."""
    rows = await connection.fetch(
        """
        select tenant_id, name, home_region, home_cell, tier, owner_number, environment, placement,
               agreed_margin_bps
        from tenants where compliance_region = $1 and tenant_id = any ($2::text[])
        """,
        region, tenant_ids,
    )  # fmt: skip
    return {row["tenant_id"]: tenant_of(row) for row in rows}


async def set_tier(connection: Connection, region: str, tenant_ids: Sequence[str], tier: str) -> list[str]:
    """Move tenants to another tier from now on; answers those that this cell knows. Their wallets stay where they are placed."""
    rows = await connection.fetch(
        "update tenants set tier = $3 where compliance_region = $1 and tenant_id = any ($2::text[]) returning tenant_id",
        region, tenant_ids, tier,
    )  # fmt: skip
    return [row["tenant_id"] for row in rows]


async def list_tenants(connection: Connection, region: str, limit: int = 10_000) -> list[Tenant]:
    """The tenants that this cell knows, oldest first (ids are time-ordered)."""
    rows = await connection.fetch(
        """
        select tenant_id, name, home_region, home_cell, tier, owner_number, environment, placement,
               agreed_margin_bps
        from tenants where compliance_region = $1 and tenant_id like 'ten\\_%' order by created_at, tenant_id limit $2
        """,
        region, limit,
    )  # fmt: skip
    return [tenant_of(row) for row in rows]


async def open_wallets(connection: Connection, cell: CellEntry, wallets: Sequence[NewWallet]) -> list[Wallet]:
    """Open wallets in `cell`, each with an account number of its own; one that is open is answered as it is.

    The answer is in the order of `wallets`. Raises UnknownTenant.
    """
    for one in wallets:
        if one.currency not in cell.currencies:
            raise ValueError(f"{cell.name} does not hold {one.currency}")
    found = await _wallets_by_key(connection, cell.region, wallets)
    for _ in range(_MINT_ROUNDS):
        missing = list(dict.fromkeys(one for one in wallets if one not in found))
        if not missing:
            return [found[one] for one in wallets]
        known = await find_tenants(connection, cell.region, [one.tenant_id for one in missing])
        if strangers := {one.tenant_id for one in missing} - set(known):
            raise UnknownTenant(f"Provision {', '.join(sorted(strangers))} into {cell.name} first.")
        await _insert_wallets(connection, cell, missing)
        found |= await _wallets_by_key(connection, cell.region, missing)
    raise UnexpectedAnswer("no account number was free in so many rounds")


async def find_wallets(connection: Connection, region: str, wallet_ids: Sequence[str]) -> dict[str, Wallet]:
    """The wallets among `wallet_ids`, by id."""
    rows = await connection.fetch(
        _SELECT_WALLET + "where w.compliance_region = $1 and w.wallet_id = any ($2::text[])",
        region,
        wallet_ids,
    )
    return {row["wallet_id"]: _wallet(row) for row in rows}


async def find_wallets_by_account(
    connection: Connection, region: str, account_numbers: Sequence[str]
) -> dict[str, Wallet]:
    """The wallets that carry `account_numbers` (as inbound money names them), by account number. Nobody is told that of a sub-wallet,
    and nothing is found by it."""
    rows = await connection.fetch(
        _SELECT_WALLET + "where w.compliance_region = $1 and w.account_number = any ($2::text[]) and w.qualifier = 0",
        region, account_numbers,
    )  # fmt: skip
    return {row["account_number"]: _wallet(row) for row in rows}


async def find_wallets_of_tenants(
    connection: Connection, region: str, wallets: Sequence[NewWallet]
) -> dict[NewWallet, Wallet]:
    """The wallets that stand under (tenant, currency, qualifier), by that key."""
    return await _wallets_by_key(connection, region, wallets)


async def list_wallets(connection: Connection, region: str, tenant_id: str) -> list[Wallet]:
    """All wallets of a tenant in this cell, by currency and qualifier."""
    rows = await connection.fetch(
        _SELECT_WALLET
        + "where w.compliance_region = $1 and w.tenant_id = $2 order by w.currency, w.qualifier",
        region, tenant_id,
    )  # fmt: skip
    return [_wallet(row) for row in rows]


async def own_wallets(connection: Connection, region: str, limit: int) -> list[str]:
    """The wallets whose tenants have an actor for each of their wallets, in the order of the grants."""
    rows = await connection.fetch("select wallet_id from own_wallets($1, $2)", region, limit)
    return [row["wallet_id"] for row in rows]


async def bump_epoch(connection: Connection, region: str, wallet_ids: Sequence[str], host: str) -> dict[str, int]:
    """Take wallets over for `host`: their new epochs, by wallet id. Every earlier holder is stale from the
    commit on.

    A wallet that does not exist is left out. Rows are taken in one order, so that two hosts cannot deadlock.
    """
    rows = await connection.fetch(
        """
        with taken as (
            select wallet_id from wallets
            where compliance_region = $1 and wallet_id = any ($2::text[]) order by wallet_id for update
        )
        update wallets w set epoch = w.epoch + 1, host = $3
        from taken where w.compliance_region = $1 and w.wallet_id = taken.wallet_id
        returning w.wallet_id, w.epoch
        """,
        region, wallet_ids, host,
    )  # fmt: skip
    return {row["wallet_id"]: row["epoch"] for row in rows}


async def lock_epochs(connection: Connection, region: str, wallet_ids: Sequence[str]) -> dict[str, int]:
    """The epochs of wallets, held for the rest of the transaction against bump_epoch, not against each other."""
    rows = await connection.fetch(
        """
        select wallet_id, epoch from wallets
        where compliance_region = $1 and wallet_id = any ($2::text[]) order by wallet_id for share
        """,
        region, wallet_ids,
    )  # fmt: skip
    return {row["wallet_id"]: row["epoch"] for row in rows}


async def _insert_wallets(connection: Connection, cell: CellEntry, wallets: Sequence[NewWallet]) -> None:
    # No target on the conflict: either unique key may meet, and the caller reads back which rows are there.
    rows = [
        (
            mint("wal", cell.name),
            one.tenant_id,
            one.currency,
            one.qualifier,
            mint_account_number(cell.region, one.currency, cell.number),
        )
        for one in wallets
    ]
    await _WALLETS.insert(connection, rows, "on conflict do nothing", compliance_region=cell.region)


async def _wallets_by_key(connection: Connection, region: str, wallets: Sequence[NewWallet]) -> dict[NewWallet, Wallet]:
    rows = await connection.fetch(
        f"""
        {_SELECT_WALLET} join {_WANTED.source(2, "wanted")}
          on (w.tenant_id, w.currency, w.qualifier) = (wanted.tenant_id, wanted.currency, wanted.qualifier)
        where w.compliance_region = $1
        """,
        region,
        *_WANTED.arguments(wallets),
    )
    return {NewWallet(row["tenant_id"], row["currency"], row["qualifier"]): _wallet(row) for row in rows}


def tenant_of(row: Record) -> Tenant:
    return Tenant(
        row["tenant_id"], row["name"], row["home_region"], row["home_cell"], row["tier"], row["owner_number"],
        row["environment"], row["placement"], row["agreed_margin_bps"],
    )  # fmt: skip


def _wallet(row: Record) -> Wallet:
    return Wallet(**dict(row))
