"""Credits on record, in pages, for reconciliation. SQL only; reads."""

from collections.abc import Sequence
from typing import NamedTuple

from cells.backends.postgres import Connection


class Credit(NamedTuple):
    """One credit that was taken. `amount` in minor units."""

    collection_id: str
    scheme_reference: str
    currency: str
    amount: int


async def page(connection: Connection, region: str, rail: str, after: str, limit: int) -> Sequence[Credit]:
    """What came by that rail and was not refused, by id, after that one."""
    rows = await connection.fetch(
        """
        select collection_id, scheme_reference, currency, amount from collections
        where compliance_region = $1 and rail = $2 and collection_id > $3 and state <> 'refused'
        order by collection_id limit $4
        """,
        region, rail, after, limit,
    )  # fmt: skip
    return [Credit(*row) for row in rows]
