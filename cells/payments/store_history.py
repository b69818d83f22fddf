"""What the journal remembers of parties that paid or were paid. Reads only, in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

from cells.backends.postgres import Connection


async def last_payments(
    connection: Connection,
    region: str,
    tenant_id: str,
    *,
    recipient_ids: Sequence[str] = (),
    payer_ids: Sequence[str] = (),
) -> dict[str, datetime]:
    """When each recipient (by token) or payer (by id) last took part in a payment of the tenant; absent: never."""
    rows = await connection.fetch(
        """
        select party, max(updated_at) as at from (
            select recipient_id as party, updated_at from transfers
            where compliance_region = $1 and tenant_id = $2 and recipient_id = any ($3::text[])
            union all
            select payer_id, updated_at from transfers
            where compliance_region = $1 and tenant_id = $2 and payer_id = any ($4::text[])
        ) as taken group by party
        """,
        region, tenant_id, recipient_ids, payer_ids,
    )  # fmt: skip
    return {row["party"]: row["at"] for row in rows}
