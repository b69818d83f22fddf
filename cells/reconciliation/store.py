"""What the journal's tables say of one cell, for reconciliation. SQL only; reads, sums and pages; writes nothing."""

from collections.abc import Sequence
from typing import Any

from cells.backends.postgres import Connection
from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.payments.machine import Leg, State
from cells.reconciliation.facts import CollectionSum, LegSum, OrderSum, QuoteFault, WalletSum
from cells.reconciliation.standing import Standing, is_in

QUOTE_FAULTS_MAX = 1000


async def take_snapshot(connection: Connection) -> None:
    """Make the caller's transaction, just begun, see one instant of the record, and write nothing."""
    await connection.execute("set transaction isolation level repeatable read, read only")


async def leg_sums(connection: Connection, region: str) -> list[LegSum]:
    """All legs, added up by what they have in common."""
    rows = await connection.fetch(
        """
        select leg, state, origin_cell, destination_cell, source_currency, target_currency, count(*) as count,
            sum(principal) as principal, sum(margin) as margin, sum(fee) as fee, sum(target_amount) as target,
            sum(recipient_fee) as recipient_fee
        from transfers where compliance_region = $1 group by 1, 2, 3, 4, 5, 6
        """,
        region,
    )
    return [LegSum(Leg(row[0]), State(row[1]), *list(row)[2:6], *map(int, list(row)[6:])) for row in rows]


async def collection_sums(connection: Connection, region: str) -> list[CollectionSum]:
    rows = await connection.fetch(
        "select state, currency, count(*), sum(amount) from collections where compliance_region = $1 group by 1, 2",
        region,
    )
    return [CollectionSum(row[0], row[1], row[2], int(row[3])) for row in rows]


async def order_sums(connection: Connection, region: str) -> list[OrderSum]:
    """Orders that are still to be carried out, added up by what they have in common."""
    rows = await connection.fetch(
        """
        select kind, state, suspended, rail, currency, count(*), sum(amount) from orders
        where compliance_region = $1 and state not in ('done', 'failed') group by 1, 2, 3, 4, 5
        """,
        region,
    )
    return [OrderSum(row[0], row[1], row[2], row[3], row[4], row[5], int(row[6])) for row in rows]


async def wallet_sums(connection: Connection, region: str, peer_prefix: str) -> list[WalletSum]:
    """Every tenant's wallet with what its collections and payments add up to. A peer's correspondent wallets are none."""
    rows = await connection.fetch(
        """
        select w.wallet_id, w.currency, w.qualifier, t.owner_number, coalesce(c.credited, 0), coalesce(p.spent, 0),
            coalesce(p.held, 0) + coalesce(o.held, 0), coalesce(p.frozen, 0), coalesce(r.returned, 0) + coalesce(p.freed, 0), coalesce(b.moved, 0)
        from wallets w
        join tenants t using (compliance_region, tenant_id)
        left join (
            select wallet_id, sum(amount) as credited from collections
            where compliance_region = $1 and state = 'credited' group by 1
        ) c using (wallet_id)
        left join (
            select wallet_id,
                sum(total) filter (where state = any ($3::text[])) as spent,
                sum(total) filter (where leg = 'origin' and state = any ($4::text[])
                    or leg = 'in_region' and state = any ($5::text[])) as held,
                sum(total) filter (where state = any ($6::text[])) as frozen,
                -- A batch's line that was released from a freeze: its funds came out of the batch's reserve, and are the wallet's.
                sum(total) filter (where batch_id is not null) as freed
            from (
                select wallet_id, leg, state, batch_id,
                    principal + fee + case when leg = 'origin' then margin else 0 end as total
                from transfers where compliance_region = $1 and leg <> 'destination' and (batch_id is null or released)
            ) totals group by 1
        ) p using (wallet_id)
        left join (
            select wallet_id, sum(principal_back + margin_back + fee_back) as returned from returns
            where compliance_region = $1 and state <> 'received' group by 1
        ) r using (wallet_id)
        left join (
            select wallet_id, sum(amount) as held from orders
            where compliance_region = $1 and not suspended and state in ('held', 'answered') group by 1
        ) o using (wallet_id)
        left join (
            select wallet_id, sum(amount) as moved from (
                select to_wallet_id as wallet_id, amount from book_transfers where compliance_region = $1 and state = 'applied'
                union all
                select from_wallet_id, -amount from book_transfers where compliance_region = $1 and state = 'applied'
            ) both_ways group by 1
        ) b using (wallet_id)
        where w.compliance_region = $1 and not starts_with(w.tenant_id, $2)
        """,
        region, peer_prefix, _states(Leg.ORIGIN, Standing.POSTED), _states(Leg.ORIGIN, Standing.HELD),
        _states(Leg.IN_REGION, Standing.HELD), _states(Leg.ORIGIN, Standing.FROZEN),
    )  # fmt: skip
    return [
        WalletSum(
            row[0], chart.wallet(row[3], CURRENCIES[row[1]].number, row[2]), *(int(value) for value in list(row)[4:])
        )
        for row in rows
    ]


async def payment_states(
    connection: Connection, region: str, payment_ids: Sequence[str]
) -> dict[str, tuple[Leg | None, str]]:
    """Leg and state of transfers, and the state of collections (`giving_back` while the ledger holds one that goes back) and batches, by id."""
    rows = await connection.fetch(
        """
        select transfer_id, leg, state from transfers where compliance_region = $1 and transfer_id = any ($2::text[])
        union all
        select collection_id, null, case when exists (
                select from orders o where o.compliance_region = $1 and o.collection_id = c.collection_id
                    and o.state in ('held', 'answered')
            ) then 'giving_back' else state end
        from collections c where compliance_region = $1 and collection_id = any ($2::text[])
        union all
        select batch_id, null, state from batches where compliance_region = $1 and batch_id = any ($2::text[])
        """,
        region, payment_ids,
    )  # fmt: skip
    return {row[0]: (Leg(row[1]) if row[1] else None, row[2]) for row in rows}


async def quote_faults(connection: Connection, region: str) -> list[QuoteFault]:
    """Quotes and transfers that do not name each other, or not only each other. At most QUOTE_FAULTS_MAX of each kind."""
    used_twice = await connection.fetch(
        """
        select quote_id, string_agg(transfer_id, ', ' order by transfer_id), count(*) from transfers
        where compliance_region = $1 and quote_id is not null group by quote_id having count(*) > 1 limit $2
        """,
        region, QUOTE_FAULTS_MAX,
    )  # fmt: skip
    named_by_transfer = await connection.fetch(
        """
        select t.quote_id, t.transfer_id, q.transfer_id, q.quote_id is null from transfers t
        left join quotes q on q.compliance_region = $1 and q.quote_id = t.quote_id
        where t.compliance_region = $1 and t.leg <> 'destination' and
            (t.quote_id is null or q.transfer_id is distinct from t.transfer_id or q.tenant_id <> t.tenant_id)
        limit $2
        """,
        region, QUOTE_FAULTS_MAX,
    )  # fmt: skip
    named_by_quote = await connection.fetch(
        """
        select q.quote_id, q.transfer_id, t.quote_id from quotes q
        left join transfers t on t.compliance_region = $1 and t.transfer_id = q.transfer_id
        where q.compliance_region = $1 and q.transfer_id is not null and t.quote_id is distinct from q.quote_id
        limit $2
        """,
        region, QUOTE_FAULTS_MAX,
    )  # fmt: skip
    return [
        *(QuoteFault(row[0], row[1], "transfers that name the quote", "one", str(row[2])) for row in used_twice),
        *(
            QuoteFault(
                row[0] or "no quote", row[1], "quote that the transfer names",
                f"one that {row[1]} took", "no such quote" if row[3] else f"taken by {row[2] or 'no transfer'} (or another tenant's)",
            )
            for row in named_by_transfer
        ),
        *(
            QuoteFault(row[0], row[1], "transfer that took the quote", f"one that names {row[0]}", row[2] or "none")
            for row in named_by_quote
        ),
    ]  # fmt: skip


async def customs_peers(connection: Connection, region: str, cell: str) -> set[str]:
    """Cells that this one has exported to or admitted from."""
    rows = await connection.fetch(
        "select peer from customs_corridors where compliance_region = $1 and (exported_sequence > 0 or admitted_sequence > 0)",
        region,
    )
    return {row[0] for row in rows} - {cell}


async def crossings(
    connection: Connection, region: str, direction: str, corridor: tuple[str, str], sequences: tuple[int, int]
) -> list[dict[str, Any]]:
    """Log entries of one corridor (from, to) and direction whose sequence lies in the range, both ends included."""
    rows = await connection.fetch(
        """
        select * from customs_log
        where compliance_region = $1 and direction = $2 and from_cell = $3 and to_cell = $4 and sequence between $5 and $6
        """,
        region, direction, *corridor, *sequences,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def last_crossing(connection: Connection, region: str, direction: str, corridor: tuple[str, str]) -> int:
    last = await connection.fetchval(
        "select max(sequence) from customs_log where compliance_region = $1 and direction = $2 and from_cell = $3 and to_cell = $4",
        region, direction, *corridor,
    )  # fmt: skip
    return int(last or 0)


def _states(leg: Leg, standing: Standing) -> list[str]:
    return [str(state) for state in State if is_in(leg, state, standing)]
