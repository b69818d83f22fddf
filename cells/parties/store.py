"""The tables `recipients` and `payers`: nothing about a person. Multi-row statements; never commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cells.backends.postgres import Connection, Record
from cells.backends.rows import Rows
from cells.parties.models import PartyKind
from cells.rails.rail import NameResult


class RecipientRow(NamedTuple):
    recipient_id: str
    tenant_id: str
    token: str
    kind: PartyKind
    currency: str
    country: str
    bank: str
    created_at: datetime
    deleted_at: datetime | None
    name_check: NameResult | None = None
    name_checked_at: datetime | None = None


class PayerRow(NamedTuple):
    payer_id: str
    tenant_id: str
    kind: PartyKind
    created_at: datetime
    deleted_at: datetime | None


_RECIPIENT = (
    "recipient_id, tenant_id, token, kind, currency, country, bank, created_at, deleted_at, name_check, name_checked_at"
)
_PAYER = "payer_id, tenant_id, kind, created_at, deleted_at"
_RECIPIENTS = Rows("recipients", RecipientRow, RecipientRow._fields[:8])
_NAME_CHECKS = Rows("recipients", "recipient_id name_check name_checked_at:timestamptz")
_PAYERS = Rows("payers", PayerRow, PayerRow._fields[:4])


async def insert_recipients(connection: Connection, region: str, rows: Sequence[RecipientRow]) -> None:
    await _RECIPIENTS.insert(connection, rows, compliance_region=region)


async def countries(connection: Connection, region: str, row_ids: Sequence[str]) -> dict[str, str]:
    """Where the accounts of recipients are, by recipient id."""
    rows = await connection.fetch(
        "select recipient_id, country from recipients where compliance_region = $1 and recipient_id = any ($2::text[])",
        region, row_ids,
    )  # fmt: skip
    return {row["recipient_id"]: row["country"] for row in rows}


async def select_recipients(connection: Connection, region: str, row_ids: Sequence[str]) -> list[RecipientRow]:
    rows = await connection.fetch(
        f"""
        select {_RECIPIENT} from recipients
        where compliance_region = $1 and recipient_id = any($2::text[])
        """,
        region,
        row_ids,
    )
    return [_recipient(row) for row in rows]


async def page_recipients(
    connection: Connection, region: str, tenant_id: str, after: str, limit: int
) -> list[RecipientRow]:
    """Up to `limit` recipients of a tenant that are not deleted, oldest first, after the row id `after` ("":
    all)."""
    rows = await connection.fetch(
        f"""
        select {_RECIPIENT} from recipients
        where compliance_region = $1 and tenant_id = $2 and recipient_id > $3 and deleted_at is null
        order by recipient_id limit $4
        """,
        region,
        tenant_id,
        after,
        limit,
    )
    return [_recipient(row) for row in rows]


async def mark_recipients_deleted(
    connection: Connection, region: str, tenant_id: str, row_ids: Sequence[str]
) -> list[str]:
    """The ids of those that this call deleted."""
    rows = await connection.fetch(
        """
        update recipients set deleted_at = now()
        where compliance_region = $1 and tenant_id = $2 and recipient_id = any($3::text[])
          and deleted_at is null
        returning recipient_id
        """,
        region,
        tenant_id,
        row_ids,
    )
    return [row["recipient_id"] for row in rows]


async def record_name_checks(
    connection: Connection, region: str, tenant_id: str, checks: Sequence[tuple[str, NameResult, datetime]]
) -> None:
    """Keep what was said of each recipient's name, as `(row id, result, when)`; the newest stays."""
    await connection.execute(
        f"""
        update recipients r set name_check = new.name_check, name_checked_at = new.name_checked_at
        from {_NAME_CHECKS.source(3)}
        where r.compliance_region = $1 and r.tenant_id = $2 and r.recipient_id = new.recipient_id
          and (r.name_checked_at is null or r.name_checked_at < new.name_checked_at)
        """,
        region, tenant_id, *_NAME_CHECKS.arguments(checks),
    )  # fmt: skip


async def insert_payers(connection: Connection, region: str, rows: Sequence[PayerRow]) -> None:
    await _PAYERS.insert(connection, rows, compliance_region=region)


async def select_payers(connection: Connection, region: str, payer_ids: Sequence[str]) -> list[PayerRow]:
    rows = await connection.fetch(
        f"select {_PAYER} from payers where compliance_region = $1 and payer_id = any($2::text[])",
        region,
        payer_ids,
    )
    return [_payer(row) for row in rows]


async def lock_party(connection: Connection, region: str, party_id: str) -> tuple[str, bool] | None:
    """Hold a party's row until the commit: whose it is, and whether it lives. None where there is none."""
    table, column = ("payers", "payer_id") if party_id.startswith("pyr_") else ("recipients", "recipient_id")
    row = await connection.fetchrow(
        f"select tenant_id, deleted_at is null from {table} where compliance_region = $1 and {column} = $2 for update",
        region,
        party_id,
    )
    return None if row is None else (row[0], row[1])


async def page_payers(connection: Connection, region: str, tenant_id: str, after: str, limit: int) -> list[PayerRow]:
    """Up to `limit` payers of a tenant that are not deleted, oldest first, after the id `after` ("": all)."""
    rows = await connection.fetch(
        f"""
        select {_PAYER} from payers
        where compliance_region = $1 and tenant_id = $2 and payer_id > $3 and deleted_at is null
        order by payer_id limit $4
        """,
        region,
        tenant_id,
        after,
        limit,
    )
    return [_payer(row) for row in rows]


async def mark_payers_deleted(
    connection: Connection, region: str, tenant_id: str, payer_ids: Sequence[str]
) -> list[str]:
    """The ids of those that this call deleted."""
    rows = await connection.fetch(
        """
        update payers set deleted_at = now()
        where compliance_region = $1 and tenant_id = $2 and payer_id = any($3::text[]) and deleted_at is null
        returning payer_id
        """,
        region,
        tenant_id,
        payer_ids,
    )
    return [row["payer_id"] for row in rows]


def _recipient(row: Record) -> RecipientRow:
    return RecipientRow(*row.values())


def _payer(row: Record) -> PayerRow:
    return PayerRow(*row.values())
