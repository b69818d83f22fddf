"""What the rails brought in, as rows. Batch-first; none commits; the caller holds the writer's connection.

Invariant: a scheme reference is on record once per rail. A duplicate finds the first one's row, whatever
became of it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Literal

from cells.backends.postgres import Connection, Read
from cells.backends.rows import Rows
from cells.journal import store_lives
from cells.journal.entry import Author
from cells.journal.life import Birth, Change, Life

CollectionState = Literal["received", "credited", "suspended", "returned", "refused"]


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """One inbound credit on record. `amount` in minor units;
    `tenant_id` and `wallet_id` are the house's own for what rests in suspense; what was refused is the house's, and in no wallet.
    `settlement_date`: as the scheme said it; `available_at`: when that day begins, None where it had begun on arrival.
    """

    collection_id: str
    tenant_id: str
    wallet_id: str | None
    rail: str
    scheme_reference: str
    end_to_end_id: str
    amount: int
    currency: str
    state: CollectionState
    reason_code: str | None
    debtor_subject_id: str | None
    message_sha256: bytes
    received_at: datetime
    settlement_date: date | None = None
    available_at: datetime | None = None
    version: int = 1
    updated_at: datetime | None = None

    def is_due(self, at: datetime) -> bool:
        """Whether it waits for its booking alone, and not for its day."""
        return self.state == "received" and (self.available_at is None or self.available_at <= at)


CREDIT: Final = Life(
    "credit", "collections", "collection_id", CollectionRow, money={"amount": "currency"}, may_exist=True, changes_hands=True
)  # fmt: skip
_REFERENCES = Rows("collections", "rail scheme_reference")
_BOOKED, _SUSPENDED = CREDIT.kind("booked"), CREDIT.kind("suspended")
_ASSIGNED, _RETURNED = CREDIT.kind("assigned"), CREDIT.kind("returned")


async def receive(
    connection: Connection, region: str, rows: Sequence[CollectionRow], by: Author
) -> list[CollectionRow]:
    """Put credits on record, and answer what the record then holds for each, in order.

    A duplicate is answered with the row that was there first, so its collection_id tells it from the new one.
    A credit that differs from it in amount or currency is the caller's to refuse.
    """
    await store_lives.begin(connection, region, CREDIT, [Birth(one, _birth_of(one), by) for one in rows])
    kept = await by_reference(connection, region, [(row.rail, row.scheme_reference) for row in rows])
    return [kept[row.rail, row.scheme_reference] for row in rows]


async def by_reference(
    connection: Connection, region: str, references: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], CollectionRow]:
    """What is on record under (rail, scheme reference)."""
    rows = await store_lives.fetch(
        connection, region, CREDIT, f"(rail, scheme_reference) in (select * from {_REFERENCES.source(2)})",
        *_REFERENCES.arguments(references),
    )  # fmt: skip
    return {(row.rail, row.scheme_reference): row for row in rows}


async def close(
    connection: Connection,
    region: str,
    collection_ids: Sequence[str],
    state: Literal["credited", "suspended"],
    by: Author,
) -> set[str]:
    """Received → credited or suspended. One that is closed stays as it is; the ids closed now."""
    rows = (await store_lives.load(connection, region, CREDIT, collection_ids)).values()
    kind = _BOOKED if state == "credited" else _SUSPENDED
    changes = [Change(one, replace(one, state=state), kind, by) for one in rows if one.state == "received"]
    await store_lives.append(connection, region, CREDIT, changes)
    return {one.now.collection_id for one in changes}


async def assign(connection: Connection, region: str, owners: Mapping[str, tuple[str, str]], by: Author) -> None:
    """These credits are now of other tenants, and in their wallets, by id."""
    rows = await store_lives.load(connection, region, CREDIT, list(owners))
    changes = [
        Change(row, replace(row, state="credited", tenant_id=owners[one][0], wallet_id=owners[one][1]), _ASSIGNED, by)
        for one, row in rows.items()
    ]
    await store_lives.append(connection, region, CREDIT, changes)


async def give_back(connection: Connection, region: str, reasons: Mapping[str, str], by: Author) -> None:
    """These credits have gone back to who paid them, each for a reason, by id."""
    rows = await store_lives.load(connection, region, CREDIT, list(reasons))
    changes = [
        Change(row, replace(row, state="returned"), _RETURNED, by, {"return_reason": reasons[one]})
        for one, row in rows.items()
    ]
    await store_lives.append(connection, region, CREDIT, changes)


async def find(connection: Connection, region: str, collection_ids: Sequence[str]) -> dict[str, CollectionRow]:
    """Those among `collection_ids` that the connection's role may see, by id."""
    return await store_lives.read(connection, region, CREDIT, collection_ids)


async def stuck(
    connection: Connection, region: str, before: datetime, limit: int, aside: Collection[str] = ()
) -> Read[CollectionRow]:
    """Credits that could have been booked before that instant and are still open, oldest first: what the sweep drives on, and how one
    that came before its settlement date is booked on it.
    """
    return await store_lives.apart(
        connection, region, CREDIT,
        "state = 'received' and coalesce(available_at, received_at) < $2 and collection_id <> all ($4::text[])"
        " order by coalesce(available_at, received_at) limit $3",
        before, limit, list(aside),
    )  # fmt: skip


async def pending(connection: Connection, region: str, wallet_ids: Sequence[str]) -> dict[str, int]:
    """What has come for each wallet and is not credited yet, in minor units; a wallet of which nothing is on its way is absent.
    Reads no more than what is open in the whole cell."""
    rows = await connection.fetch(
        "select wallet_id, sum(amount)::bigint as amount from collections"
        " where compliance_region = $1 and state = 'received' and wallet_id = any ($2::text[]) group by wallet_id",
        region, wallet_ids,
    )  # fmt: skip
    return {row["wallet_id"]: row["amount"] for row in rows}


async def suspended(connection: Connection, region: str, limit: int) -> list[CollectionRow]:
    """What rests in suspense, oldest first."""
    return await store_lives.fetch(
        connection, region, CREDIT, "state = 'suspended' order by collection_id limit $2", limit
    )


def _birth_of(row: CollectionRow) -> str:
    if row.state == "refused":
        return CREDIT.kind("refused")
    return CREDIT.kind("received" if row.available_at is None else "pending")
