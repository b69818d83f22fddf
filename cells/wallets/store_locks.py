"""The one order in which a wallet's actor locks what it writes: idempotency keys, then the rows below from top to bottom, each kind by
id, then limits and quotes.

Two copies of an actor may write for one wallet at a time: a stale one is fenced from the journal, but may still write down what the ledger
answered it. Both transactions of a turn therefore lock all the rows they will write before they write the first.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from cells.backends.postgres import Connection

Kind = Literal["batches", "transfers", "book_transfers", "collections", "orders", "returns"]

_KEYS: Final[Mapping[Kind, str]] = {
    "batches": "batch_id",
    "transfers": "transfer_id",
    "book_transfers": "book_id",
    "collections": "collection_id",
    "orders": "order_id",
    "returns": "return_id",
}


KINDS: Final = tuple(_KEYS)


async def lock_rows(connection: Connection, region: str, wanted: Mapping[Kind, Iterable[str]]) -> None:
    """Lock these rows, by kind and id, until the transaction ends. An id without a row is passed over."""
    for kind, key in _KEYS.items():
        if ids := sorted(set(wanted.get(kind, ()))):
            await connection.execute(
                f"select 1 from {kind} where compliance_region = $1 and {key} = any ($2::text[]) order by {key} for update",
                region, ids,
            )  # fmt: skip
