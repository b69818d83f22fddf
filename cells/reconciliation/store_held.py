"""What money stands behind ids, read without the columns that could make a row unreadable. Reads only; the writer's connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cells.backends.postgres import Connection
from residency.classes import Confidential, Public


@dataclass(frozen=True, slots=True)
class Held:
    """The money of one payment, batch or credit that has not ended. `amount` in minor units."""

    state: Annotated[str, Public]
    currency: Annotated[str, Confidential]
    amount: Annotated[int, Confidential]


async def held(connection: Connection, region: str, ids: Sequence[str]) -> dict[str, Held]:
    """By id: what a payment takes out of its wallet (what it pays out, of one that another cell sent), what a batch has set aside, what a
    credit brought. One that is none of these, or has ended, is absent."""
    rows = await connection.fetch(
        """
        select transfer_id, state, case leg when 'destination' then target_currency else source_currency end,
            case leg when 'destination' then target_amount else principal + margin + fee end
        from transfers where compliance_region = $1 and transfer_id = any ($2::text[]) and state not in
            ('COMPLETED', 'REFUNDED', 'REJECTED', 'CANCELLED', 'LOST', 'PARTIALLY_RETURNED', 'RETURNED')
        union all
        select batch_id, state, source_currency, coalesce(funding_minor, 0) from batches
        where compliance_region = $1 and batch_id = any ($2::text[])
            and state not in ('COMPLETED', 'PARTIALLY_COMPLETED', 'FAILED', 'CANCELLED')
        union all
        select collection_id, state, currency, amount from collections
        where compliance_region = $1 and collection_id = any ($2::text[]) and state = 'received'
        """,
        region, ids,
    )  # fmt: skip
    return {row[0]: Held(*tuple(row)[1:]) for row in rows}
