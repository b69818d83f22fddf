"""Credits as the rail gateway puts them on record."""

from datetime import UTC, datetime
from hashlib import sha256

from cells.backends.postgres import Pool, transaction
from cells.credits.credit import Deposit
from cells.journal.entry import component
from cells.rails import store_collections
from cells.rails.store_collections import CollectionRow


async def on_record(pool: Pool, region: str, one: Deposit) -> None:
    """Write its row, which no wallet has booked yet."""
    row = CollectionRow(
        one.collection_id, one.tenant_id, one.wallet_id, one.rail, one.collection_id, "NOTPROVIDED", one.amount, one.currency,
        "received", None, None, sha256(one.collection_id.encode()).digest(), datetime.now(UTC),
    )  # fmt: skip
    async with transaction(pool) as connection:
        await store_collections.receive(connection, region, [row], component("rail"))
