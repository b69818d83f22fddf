"""Sub-wallets as rows. Multi-row statements inside the caller's transaction; nothing commits here."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from cells.backends.postgres import Connection, Read
from cells.backends.rows import Rows
from cells.journal import store_lives
from cells.journal.entry import Author
from cells.journal.life import Birth, Change
from cells.sub_wallets.internal_transfer import SUB_WALLET, SubWallet
from cells.tenants.account_numbers import mint_account_number
from residency.directory import CellEntry
from residency.errors import UnexpectedAnswer

# Two random account numbers meet rarely; three rounds without progress are a bug.
_MINT_ROUNDS = 3
_ROWS = Rows("wallets", "wallet_id tenant_id currency account_number")


async def insert(connection: Connection, region: str, one: SubWallet, by: Author) -> bool:
    """Put a wish on record; False if an open sub-wallet of the same wallet has the label."""
    return bool(await store_lives.begin(connection, region, SUB_WALLET, [Birth(one, SUB_WALLET.kind("asked"), by)]))


async def read(connection: Connection, region: str, wallet_ids: Sequence[str]) -> dict[str, SubWallet]:
    return await store_lives.read(connection, region, SUB_WALLET, wallet_ids)


async def page(
    connection: Connection, region: str, tenant_id: str, parent_wallet_id: str, after: str, limit: int
) -> list[SubWallet]:
    """Those of a wallet, closed ones too, oldest first, after an id ("": all)."""
    return await store_lives.fetch(
        connection, region, SUB_WALLET,
        "tenant_id = $2 and parent_wallet_id = $3 and wallet_id > $4 and state <> 'asked' order by wallet_id limit $5",
        tenant_id, parent_wallet_id, after, limit,
    )  # fmt: skip


async def open_asked(connection: Connection, cell: CellEntry, wallet_ids: Sequence[str], by: Author) -> None:
    """Number those that are asked for, and open their wallets. Whoever calls is the only writer of their main wallets."""
    rows = await store_lives.load(connection, cell.region, SUB_WALLET, wallet_ids)
    asked = [one for one in rows.values() if one.state == "asked"]
    missing = asked
    for _ in range(_MINT_ROUNDS):
        if not missing:
            break
        opened = await _insert_wallets(connection, cell, missing)
        missing = [one for one in missing if one.wallet_id not in opened]
    if missing:
        raise UnexpectedAnswer("no account number was free in so many rounds")
    changes = [Change(one, replace(one, state="open"), SUB_WALLET.kind("opened"), by) for one in asked]
    await store_lives.append(connection, cell.region, SUB_WALLET, changes)


async def close(connection: Connection, region: str, wallet_ids: Sequence[str], by: Author) -> None:
    """From now on nothing goes in. The money in them is the caller's affair."""
    rows = (await store_lives.load(connection, region, SUB_WALLET, wallet_ids)).values()
    changes = [
        Change(one, replace(one, state="closed"), SUB_WALLET.kind("closed"), by)
        for one in rows
        if one.state != "closed"
    ]
    await store_lives.append(connection, region, SUB_WALLET, changes)
    await connection.execute(
        "update wallets set state = 'closed' where compliance_region = $1 and wallet_id = any ($2::text[])",
        region, wallet_ids,
    )  # fmt: skip


async def standing(
    connection: Connection, region: str, older_than: timedelta, limit: int, aside: Collection[str] = ()
) -> Read[SubWallet]:
    """Those that nobody has opened for a while: what the sweep takes up."""
    return await store_lives.apart(
        connection, region, SUB_WALLET,
        "state = 'asked' and created_at < now() - $2::interval and wallet_id <> all ($4::text[]) order by wallet_id limit $3",
        older_than, limit, list(aside),
    )  # fmt: skip


async def _insert_wallets(connection: Connection, cell: CellEntry, wanted: Sequence[SubWallet]) -> set[str]:
    """The ids of those that were given a row: the next numbers of their tenant and currency, and account numbers of their own."""
    rows = await connection.fetch(
        f"""
        insert into wallets (compliance_region, wallet_id, tenant_id, currency, qualifier, account_number)
        select $1, n.wallet_id, n.tenant_id, n.currency, n.place + (
                select max(w.qualifier) from wallets w
                where w.compliance_region = $1 and w.tenant_id = n.tenant_id and w.currency = n.currency
            ), n.account_number
        from (
            select *, row_number() over (partition by tenant_id, currency order by wallet_id) as place
            from {_ROWS.source(2, "u")}
        ) n
        on conflict do nothing returning wallet_id
        """,
        cell.region,
        *_ROWS.arguments(
            (one.wallet_id, one.tenant_id, one.currency, mint_account_number(cell.region, one.currency, cell.number))
            for one in wanted
        ),
    )
    return {row["wallet_id"] for row in rows}
