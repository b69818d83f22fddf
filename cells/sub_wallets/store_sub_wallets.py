"""Sub-wallets as rows. Multi-row statements inside the caller's transaction; nothing commits here."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import timedelta

from cells.backends.postgres import Connection, Read, fetch_apart
from cells.backends.rows import Rows
from cells.sub_wallets.internal_transfer import SubWallet
from cells.tenants.account_numbers import mint_account_number
from residency.directory import CellEntry
from residency.errors import UnexpectedAnswer

_COLUMNS = ", ".join(field.name for field in fields(SubWallet))
# Two random account numbers meet rarely; three rounds without progress are a bug.
_MINT_ROUNDS = 3
_ROWS = Rows("wallets", "wallet_id tenant_id currency account_number")


async def insert(connection: Connection, region: str, one: SubWallet) -> bool:
    """Put a wish on record; False if an open sub-wallet of the same wallet has the label."""
    row = await connection.fetchrow(
        """
        insert into sub_wallets (compliance_region, wallet_id, tenant_id, parent_wallet_id, currency, label, target_minor,
            locked_until)
        values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning wallet_id
        """,
        region, one.wallet_id, one.tenant_id, one.parent_wallet_id, one.currency, one.label, one.target_minor, one.locked_until,
    )  # fmt: skip
    return row is not None


async def read(connection: Connection, region: str, wallet_ids: Sequence[str]) -> dict[str, SubWallet]:
    rows = await connection.fetch(
        f"select {_COLUMNS} from sub_wallets where compliance_region = $1 and wallet_id = any ($2::text[])",
        region, wallet_ids,
    )  # fmt: skip
    return {row["wallet_id"]: SubWallet(**row) for row in rows}


async def page(
    connection: Connection, region: str, tenant_id: str, parent_wallet_id: str, after: str, limit: int
) -> list[SubWallet]:
    """Those of a wallet, closed ones too, oldest first, after an id ("": all)."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from sub_wallets
        where compliance_region = $1 and tenant_id = $2 and parent_wallet_id = $3 and wallet_id > $4 and state <> 'asked'
        order by wallet_id limit $5
        """,
        region, tenant_id, parent_wallet_id, after, limit,
    )  # fmt: skip
    return [SubWallet(**row) for row in rows]


async def open_asked(connection: Connection, cell: CellEntry, wallet_ids: Sequence[str]) -> None:
    """Number those that are asked for, and open their wallets. Whoever calls is the only writer of their main wallets."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from sub_wallets where compliance_region = $1 and wallet_id = any ($2::text[]) and state = 'asked'"
        " order by wallet_id for update",
        cell.region, wallet_ids,
    )  # fmt: skip
    missing = [SubWallet(**row) for row in rows]
    for _ in range(_MINT_ROUNDS):
        if not missing:
            break
        opened = await _insert_wallets(connection, cell, missing)
        missing = [one for one in missing if one.wallet_id not in opened]
    if missing:
        raise UnexpectedAnswer("no account number was free in so many rounds")
    await connection.execute(
        "update sub_wallets set state = 'open' where compliance_region = $1 and wallet_id = any ($2::text[]) and state = 'asked'",
        cell.region, [row["wallet_id"] for row in rows],
    )  # fmt: skip


async def close(connection: Connection, region: str, wallet_ids: Sequence[str]) -> None:
    """From now on nothing goes in. The money in them is the caller's affair."""
    await connection.execute(
        "update sub_wallets set state = 'closed', closed_at = now() where compliance_region = $1"
        " and wallet_id = any ($2::text[]) and state <> 'closed'",
        region, wallet_ids,
    )  # fmt: skip
    await connection.execute(
        "update wallets set state = 'closed' where compliance_region = $1 and wallet_id = any ($2::text[])",
        region, wallet_ids,
    )  # fmt: skip


async def standing(
    connection: Connection, region: str, older_than: timedelta, limit: int, aside: Collection[str] = ()
) -> Read[SubWallet]:
    """Those that nobody has opened for a while: what the sweep takes up."""
    return await fetch_apart(
        connection, lambda row: SubWallet(**row), "wallet_id",
        f"""
        select {_COLUMNS} from sub_wallets
        where compliance_region = $1 and state = 'asked' and created_at < now() - $2::interval and wallet_id <> all ($4::text[])
        order by wallet_id limit $3
        """,
        region, older_than, limit, list(aside),
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
