"""What one cell's journal says of one payment. SQL only; reads; nothing about a person is asked for.

Left out on purpose: the partner's metadata, the scheme's free text and the receiver's address, which other hands have written.
"""

from collections.abc import Sequence

from cells.backends.postgres import Connection, Record

OF_DELIVERY = ("endpoint_id", "state", "attempts", "last_status", "delivered_at", "due_at")


async def submission_of(connection: Connection, region: str, transfer_id: str) -> Record | None:
    """What the rail was asked, and what it said."""
    return await connection.fetchrow(
        """
        select rail, end_to_end_id, state, outcome, scheme_reference, reason_code, queued_at, asked_at, in_doubt_since,
            in_doubt_cause, inquiries, answered_at, acknowledged_at
        from submissions where compliance_region = $1 and transfer_id = $2
        """,
        region, transfer_id,
    )  # fmt: skip


async def returns_of(connection: Connection, region: str, transfer_id: str) -> list[Record]:
    """What came back of it, in the order of the numbers."""
    rows: list[Record] = await connection.fetch(
        """
        select number, attempt, rail, scheme_reference, currency, amount, principal_back + margin_back + fee_back as credited,
            reason_code, state, received_at, updated_at
        from returns where compliance_region = $1 and transfer_id = $2 order by number
        """,
        region, transfer_id,
    )  # fmt: skip
    return rows


async def deliveries_of(connection: Connection, region: str, event_ids: Sequence[str]) -> list[Record]:
    """The deliveries of these events; one that nobody listens to has none."""
    rows: list[Record] = await connection.fetch(
        f"""
        select event_id, {', '.join(OF_DELIVERY)} from webhook_deliveries
        where compliance_region = $1 and event_id = any ($2::text[]) order by event_id, endpoint_id
        """,
        region, event_ids,
    )  # fmt: skip
    return rows


async def payment_of_quote(connection: Connection, region: str, quote_id: str) -> str | None:
    """The transfer that has taken the quote."""
    found: str | None = await connection.fetchval(
        """
        SELECT t.transfer_id FROM quotes q JOIN transfers t USING (compliance_region, tenant_id, quote_id)
        WHERE q.compliance_region = $1 AND q.quote_id = $2
        """,
        region, quote_id,
    )  # fmt: skip
    return found


async def payments_of_batch(connection: Connection, region: str, batch_id: str, limit: int) -> list[str]:
    """The transfers of its lines, in the order of their ids."""
    rows = await connection.fetch(
        "SELECT transfer_id FROM transfers WHERE compliance_region = $1 AND batch_id = $2 ORDER BY transfer_id LIMIT $3",
        region, batch_id, limit,
    )  # fmt: skip
    return [row["transfer_id"] for row in rows]
