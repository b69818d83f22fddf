"""What was asked of the rails, as rows. Batch-first; none commits; the caller holds the writer's connection.

Invariants: `mark_asked` lets a payment go out once; a final answer is written once and nothing written after
changes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cells.backends.postgres import Connection, Record
from cells.backends.rows import Rows
from cells.rails.desk import Submission
from cells.rails.rail import InDoubt, Outcome, Refused, Settled, end_to_end_id, uetr


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """A payment to hand to a rail."""

    transfer_id: str
    tenant_id: str


_QUEUED = Rows("submissions", "transfer_id tenant_id end_to_end_id uetr")
_DOUBTS = Rows("submissions", "transfer_id in_doubt_since:timestamptz in_doubt_cause in_doubt_code")
_FINAL = Rows("submissions", "transfer_id scheme_reference reason_code reason answered_at:timestamptz")


async def enqueue(connection: Connection, region: str, rail: str, payments: Sequence[NewSubmission]) -> None:
    """Put payments on record as queued; those on record already stay as they are."""
    rows = [(one.transfer_id, one.tenant_id, name := end_to_end_id(one.transfer_id), uetr(name)) for one in payments]
    on_record = "on conflict (compliance_region, transfer_id) do nothing"
    await _QUEUED.insert(connection, rows, on_record, compliance_region=region, rail=rail)


async def named_by_uetr(connection: Connection, region: str, uetrs: Sequence[str]) -> dict[str, str]:
    """The end-to-end ids of the payments on record under these UETRs, by UETR as it is given. Any other text names none."""
    rows = await connection.fetch(
        "select one, s.end_to_end_id from unnest($2::text[]) as one join submissions s on s.uetr = lower(one) where s.compliance_region = $1",
        region, list(uetrs),
    )  # fmt: skip
    return {row["one"]: row["end_to_end_id"] for row in rows}


async def mark_asked(
    connection: Connection, region: str, rail: str, transfer_ids: Sequence[str]
) -> dict[str, datetime]:
    """Queued → asked. Answers those that were queued at this rail until now, with the database's time:
    only they may be sent.
    """
    rows = await connection.fetch(
        """
        update submissions set state = 'asked', asked_at = now()
        where compliance_region = $1 and rail = $2 and transfer_id = any ($3::text[]) and state = 'queued'
        returning transfer_id, asked_at
        """,
        region,
        rail,
        transfer_ids,
    )
    return {row["transfer_id"]: row["asked_at"] for row in rows}


async def mark_queued(connection: Connection, region: str, transfer_ids: Sequence[str]) -> None:
    """Asked → queued, for payments that the scheme cannot have seen. One already in doubt may have been:
    it stays.
    """
    await connection.execute(
        """
        update submissions set state = 'queued', asked_at = null
        where compliance_region = $1 and transfer_id = any ($2::text[]) and state = 'asked'
          and in_doubt_since is null
        """,
        region,
        transfer_ids,
    )


async def record(
    connection: Connection, region: str, answers: Sequence[tuple[str, Outcome]], *, inquired: bool = True
) -> set[str]:
    """Write (transfer id, outcome). Final ones close the asking; an in-doubt one is counted, where we have `inquired`;
    neither reopens anything. The ids that are closed by it.
    """
    final = [(one, outcome) for one, outcome in answers if not isinstance(outcome, InDoubt)]
    doubts = [(one, outcome) for one, outcome in answers if isinstance(outcome, InDoubt)]
    if doubts:
        await _record_doubts(connection, region, doubts, int(inquired))
    return await _record_final(connection, region, final) if final else set()


async def _record_doubts(
    connection: Connection, region: str, doubts: Sequence[tuple[str, InDoubt]], counted: int
) -> None:
    await connection.execute(
        f"""
        update submissions as s
        set inquiries = s.inquiries + $2::integer * (s.in_doubt_since is not null)::integer,
            in_doubt_since = coalesce(s.in_doubt_since, new.in_doubt_since),
            -- Silence takes back nothing of what the scheme has said.
            in_doubt_cause = case when new.in_doubt_cause = 'no_answer' then coalesce(s.in_doubt_cause, new.in_doubt_cause)
                else new.in_doubt_cause end,
            in_doubt_code = case when new.in_doubt_cause = 'no_answer' then s.in_doubt_code else nullif(new.in_doubt_code, '') end
        from {_DOUBTS.source(4)}
        where s.compliance_region = $1 and s.transfer_id = any ($3::text[]) and s.transfer_id = new.transfer_id and s.state = 'asked'
        """,
        region,
        counted,
        [one for one, _ in doubts],
        *_DOUBTS.arguments((one, outcome.since, outcome.cause, outcome.code) for one, outcome in doubts),
    )


async def _record_final(
    connection: Connection, region: str, answers: Sequence[tuple[str, Settled | Refused]]
) -> set[str]:
    rows = await connection.fetch(
        f"""
        update submissions as s
        set state = 'answered', outcome = case when new.reason_code is null then 'settled' else 'refused' end,
            scheme_reference = new.scheme_reference, reason_code = new.reason_code, reason = new.reason,
            answered_at = new.answered_at
        from {_FINAL.source(3)}
        where s.compliance_region = $1 and s.transfer_id = any ($2::text[]) and s.transfer_id = new.transfer_id and s.state = 'asked'
        returning s.transfer_id
        """,
        region,
        [one for one, _ in answers],
        *_FINAL.arguments(
            (one, outcome.scheme_reference, None, None, outcome.at)
            if isinstance(outcome, Settled)
            else (one, None, outcome.reason_code, outcome.reason, outcome.at)
            for one, outcome in answers
        ),
    )
    return {row["transfer_id"] for row in rows}


async def acknowledge(connection: Connection, region: str, transfer_ids: Sequence[str]) -> None:
    """The wallets have taken the final answers of these: nothing is owed any more."""
    await connection.execute(
        """
        update submissions set state = 'acknowledged', acknowledged_at = now()
        where compliance_region = $1 and transfer_id = any ($2::text[]) and state = 'answered'
        """,
        region,
        transfer_ids,
    )


async def unfinished(connection: Connection, region: str, rail: str, after: str, limit: int) -> list[Submission]:
    """What is not acknowledged, by transfer id, after the given one."""
    rows = await connection.fetch(
        """
        select transfer_id, state, asked_at, outcome, scheme_reference, reason_code, reason, answered_at
        from submissions
        where compliance_region = $1 and rail = $2 and transfer_id > $3 and state <> 'acknowledged'
        order by transfer_id limit $4
        """,
        region,
        rail,
        after,
        limit,
    )
    return [Submission(row["transfer_id"], row["state"], row["asked_at"], outcome_of(row)) for row in rows]


def outcome_of(row: Record) -> Outcome | None:
    """The final answer on a row of submissions; None while there is none."""
    match row["outcome"]:
        case "settled":
            return Settled(row["scheme_reference"], row["answered_at"])
        case "refused":
            return Refused(row["reason_code"], row["reason"], row["answered_at"])
        case _:
            return None
