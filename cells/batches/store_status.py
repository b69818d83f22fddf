"""What has become of a batch's lines, read together with the payments that they are. Reads only, in the caller's transaction.

A payment's states are given by the callers, who know its lifecycle; here they are words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from cells.backends.postgres import Connection
from cells.batches.batch import Ended, Fault
from residency.classes import Confidential, Public
from residency.errors import needed

_JOINED = """
    from batch_lines l
    left join transfers t on t.compliance_region = l.compliance_region and t.transfer_id = l.transfer_id and l.state = 'ACCEPTED'
    where l.compliance_region = $1 and l.batch_id = $2
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many lines are in one state (a payment's own, once it is one), and what leaves the wallet for them."""

    state: Annotated[str, Public]
    count: Annotated[int, Public]
    source_minor: Annotated[int, Confidential]


@dataclass(frozen=True, slots=True)
class LineStanding:
    """A line with what its payment has come to. Amounts in minor units; `payout_minor` of the target currency."""

    line: Annotated[int, Public]
    state: Annotated[str, Public]
    transfer_id: Annotated[str | None, Public]
    recipient_id: Annotated[str | None, Public]
    payer_id: Annotated[str | None, Public]
    target_currency: Annotated[str | None, Public]
    source_minor: Annotated[int | None, Confidential]
    payout_minor: Annotated[int | None, Confidential]
    reason_code: Annotated[str | None, Public]
    scheme_reference: Annotated[str | None, Confidential]
    metadata: Annotated[dict[str, str], Confidential]
    fault: Annotated[Fault | None, Public]
    file_line: Annotated[int | None, Public]


class Wanted(NamedTuple):
    """Which lines are asked for: by their own states, or by those of their payments."""

    of_lines: Sequence[str]
    of_payments: Sequence[str]


async def progress(connection: Connection, region: str, batch_id: str) -> list[Standing]:
    rows = await connection.fetch(
        f"select coalesce(t.state, l.state), count(*), coalesce(sum(l.source_minor), 0) {_JOINED} group by 1 order by 1",
        region, batch_id,
    )  # fmt: skip
    return [Standing(row[0], row[1], int(row[2])) for row in rows]


async def lines_page(
    connection: Connection, region: str, batch_id: str, after: int, limit: int, wanted: Wanted | None
) -> list[LineStanding]:
    """Lines after that number, in their order."""
    rows = await connection.fetch(
        f"""
        select l.line, coalesce(t.state, l.state) as state, case when l.state = 'ACCEPTED' then l.transfer_id end as transfer_id,
            l.recipient_id, l.payer_id, l.target_currency, l.source_minor, t.target_amount - t.recipient_fee as payout_minor,
            t.reason_code, t.scheme_reference, l.metadata, l.fault, l.file_line
        {_JOINED} and l.line > $3
          and ($5::text[] is null or (t.state is null and l.state = any ($5)) or t.state = any ($6::text[]))
        order by l.line limit $4
        """,
        region, batch_id, after, limit,
        None if wanted is None else list(wanted.of_lines), None if wanted is None else list(wanted.of_payments),
    )  # fmt: skip
    return [LineStanding(**{**row, "fault": None if row["fault"] is None else Fault(**row["fault"])}) for row in rows]


class Busy(NamedTuple):
    """Of some batches, those that have a line which waits, and those that have a payment under way."""

    waiting: frozenset[str]
    moving: frozenset[str]


async def busy(connection: Connection, region: str, batch_ids: Sequence[str], at_rest: Sequence[str]) -> Busy:
    rows = await connection.fetch(
        """
        select b.batch_id,
            exists (select from batch_lines l where l.compliance_region = $1 and l.batch_id = b.batch_id
                    and l.state in ('RECEIVED', 'READY')) as waiting,
            exists (select from transfers t where t.compliance_region = $1 and t.batch_id = b.batch_id
                    and t.state <> all ($3::text[])) as moving
        from unnest($2::text[]) as b (batch_id)
        """,
        region, batch_ids, at_rest,
    )  # fmt: skip
    return Busy(
        frozenset(row["batch_id"] for row in rows if row["waiting"]),
        frozenset(row["batch_id"] for row in rows if row["moving"]),
    )


async def ended(
    connection: Connection,
    region: str,
    batch_id: str,
    *,
    at_rest: Sequence[str],
    paid: Sequence[str],
    frozen: Sequence[str],
) -> Ended:
    """What the lines have come to, by the states in which a payment is at rest, has paid, or is frozen. What was released from a
    freeze has left the reserve for good."""
    row = await connection.fetchrow(
        f"""
        select count(*) filter (where t.state <> all ($3::text[])), count(*) filter (where l.state in ('RECEIVED', 'READY')),
            count(*) filter (where t.state = any ($4::text[])),
            coalesce(sum(t.principal + t.margin + t.fee) filter (where t.state = any ($4::text[]) or t.state = any ($5::text[]) or t.released), 0)
        {_JOINED}
        """,
        region, batch_id, at_rest, paid, frozen,
    )  # fmt: skip
    row = needed(row, "a count is one row")
    return Ended(row[0], row[1], row[2], int(row[3]))
