"""Recalls of credits that we received, as rows. Batch-first; none commits; the caller holds the writer's connection."""

from collections.abc import Sequence

from cells.backends.postgres import Connection
from cells.rails.later import RecallKept, RecallReceived

# ISO 20022 ExternalPaymentCancellationRejection1Code: the customer keeps it; no such credit was received.
_CUSTOMER, _NO_ORIGINAL = "CUST", "NOOR"


async def receive(connection: Connection, region: str, recalls: Sequence[RecallReceived]) -> None:
    """Put recalls on record, with the credit that each names; one that is there already stays as it is."""
    await connection.execute(
        """
        insert into recalls (compliance_region, rail, recall_id, collection_id, tenant_id, scheme_reference, end_to_end_id,
            reason_code, received_at)
        select $1, n.rail, n.recall_id, c.collection_id, c.tenant_id, n.scheme_reference, n.end_to_end_id, n.reason_code, n.received_at
        from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
            as n (rail, recall_id, scheme_reference, end_to_end_id, reason_code, received_at)
        left join collections c on c.compliance_region = $1 and c.rail = n.rail and c.scheme_reference = n.scheme_reference
            and c.state <> 'refused'
        on conflict do nothing
        """,
        region, [one.rail for one in recalls], [one.recall_id for one in recalls],
        [one.scheme_reference for one in recalls], [one.end_to_end_id for one in recalls],
        [one.reason_code for one in recalls], [one.received_at for one in recalls],
    )  # fmt: skip


async def unanswered(connection: Connection, region: str, rail: str, limit: int) -> list[RecallKept]:
    """Our no to those that have none yet, oldest first."""
    rows = await connection.fetch(
        """
        select recall_id, scheme_reference, end_to_end_id, collection_id is null as unknown from recalls
        where compliance_region = $1 and rail = $2 and state = 'asked' order by recall_id limit $3
        """,
        region, rail, limit,
    )  # fmt: skip
    return [
        RecallKept(
            row["recall_id"],
            row["scheme_reference"],
            row["end_to_end_id"],
            _NO_ORIGINAL if row["unknown"] else _CUSTOMER,
        )
        for row in rows
    ]


async def answered(connection: Connection, region: str, rail: str, kept: Sequence[RecallKept]) -> None:
    """The scheme has our answers to these."""
    await connection.execute(
        """
        update recalls r set state = 'kept', answer_code = n.code, answered_at = now()
        from unnest($3::text[], $4::text[]) as n (recall_id, code)
        where r.compliance_region = $1 and r.rail = $2 and r.recall_id = n.recall_id and r.state = 'asked'
        """,
        region, rail, [one.recall_id for one in kept], [one.reason_code for one in kept],
    )  # fmt: skip
