"""Payments that a scheme is silent about, and words of a scheme that contradict each other. Multi-row statements; nothing commits here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from cells.rails.rail import Outcome
from cells.rails.store import outcome_of
from residency.classes import Confidential, Public


@dataclass(frozen=True, slots=True)
class Asked:
    """A payment on a rail's record: `outcome` is None while no final answer is on it."""

    transfer_id: str
    tenant_id: str
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What a scheme has said of a payment against its own word on record; `both`: settled and refused at once."""

    transfer_id: str
    tenant_id: str
    said: Literal["settled", "refused", "both"]
    scheme_reference: str | None = None
    reason_code: str | None = None


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A payment to take up, and the wallet whose actor takes it. `scheme_reference`: of a late "settled"."""

    transfer_id: str
    wallet_id: str
    scheme_reference: str | None = None


_FOUND = Rows("contradictions", Contradiction)


async def silent(
    connection: Connection, region: str, rail: str, times: tuple[timedelta, timedelta], limit: int
) -> list[Doubtful]:
    """Payments without a final answer whose money is still held, that the rail was asked for longer ago than the first of `times`, and
    has been asked after in vain, or longer ago than the second.
    """
    rows = await connection.fetch(
        """
        select t.transfer_id, t.wallet_id from submissions s join transfers t using (compliance_region, transfer_id)
        where s.compliance_region = $1 and s.rail = $2 and s.state = 'asked' and s.in_doubt_since is not null
          and s.asked_at < now() - $3::interval and (s.inquiries > 0 or s.asked_at < now() - $4::interval)
          and t.state = 'PENDING_RAIL'
        order by s.asked_at limit $5
        """,
        region, rail, *times, limit,
    )  # fmt: skip
    return [Doubtful(row["transfer_id"], row["wallet_id"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A payment that its scheme has left in doubt `since` then. `code`: the reason under which it was refused without being ended; `amount`:
    what the scheme was asked to pay, minor units of `currency`."""

    transfer_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    rail: Annotated[str, Public]
    currency: Annotated[str, Public]
    amount: Annotated[int, Confidential]
    cause: Annotated[str, Public]
    code: Annotated[str | None, Public]
    since: Annotated[datetime, Public]
    asked_at: Annotated[datetime, Public]
    inquiries: Annotated[int, Public]

    @property
    def version(self) -> str:
        """What a decision is about: another word of the scheme makes it another case."""
        return f"{self.cause}:{self.code or ''}"


async def doubts(connection: Connection, region: str, limit: int, transfer_id: str | None = None) -> list[Doubt]:
    """Payments in doubt whose money is held for their rail, longest first; of one payment, where it is given."""
    rows = await connection.fetch(
        """
        select s.transfer_id, s.tenant_id, s.rail, t.target_currency as currency, t.target_amount - t.recipient_fee as amount,
            s.in_doubt_cause as cause, s.in_doubt_code as code, s.in_doubt_since as since, s.asked_at, s.inquiries
        from submissions s join transfers t using (compliance_region, transfer_id)
        where s.compliance_region = $1 and s.state = 'asked' and s.in_doubt_since is not null and t.state = 'PENDING_RAIL'
          and ($3::text is null or s.transfer_id = $3)
        order by s.in_doubt_since, s.transfer_id limit $2
        """,
        region, limit, transfer_id,
    )  # fmt: skip
    return [Doubt(**row) for row in rows]


async def untold(connection: Connection, region: str, still_for: timedelta, limit: int) -> list[tuple[str, Outcome]]:
    """Payments whose final answer has been on record for a while, and whose wallets have not acted upon it."""
    rows = await connection.fetch(
        """
        select s.transfer_id, s.outcome, s.scheme_reference, s.reason_code, s.reason, s.answered_at
        from submissions s join transfers t using (compliance_region, transfer_id)
        where s.compliance_region = $1 and s.state = 'answered' and s.answered_at < now() - $2::interval and t.state = 'PENDING_RAIL'
        order by s.transfer_id limit $3
        """,
        region, still_for, limit,
    )  # fmt: skip
    return [(row["transfer_id"], outcome) for row in rows if (outcome := outcome_of(row))]


async def asked(connection: Connection, region: str, rail: str, transfer_ids: Sequence[str]) -> dict[str, Asked]:
    """What the rail's record holds of payments that it was asked for, by id; locked."""
    rows = await connection.fetch(
        """
        select transfer_id, tenant_id, outcome, scheme_reference, reason_code, reason, answered_at from submissions
        where compliance_region = $1 and rail = $2 and transfer_id = any ($3::text[]) and state <> 'queued'
        order by transfer_id for update
        """,
        region, rail, transfer_ids,
    )  # fmt: skip
    return {row["transfer_id"]: Asked(row["transfer_id"], row["tenant_id"], outcome_of(row)) for row in rows}


async def contradict(connection: Connection, region: str, rail: str, found: Sequence[Contradiction]) -> set[str]:
    """Keep words that contradict the record; the payments of which it is the first."""
    rows = await _FOUND.insert(
        connection, found, "on conflict do nothing returning transfer_id", compliance_region=region, rail=rail
    )
    return {row["transfer_id"] for row in rows}


async def to_book(connection: Connection, region: str, limit: int) -> list[Doubtful]:
    """Payments that a scheme says it has made, late, and whose money has been given back: what the sweep takes up."""
    rows = await connection.fetch(
        """
        select t.transfer_id, t.wallet_id, c.scheme_reference
        from contradictions c join transfers t using (compliance_region, transfer_id)
        where c.compliance_region = $1 and c.said = 'settled' and t.state = 'REFUNDED' order by c.found_at limit $2
        """,
        region, limit,
    )  # fmt: skip
    return [Doubtful(**row) for row in rows]
