"""Usage as rows: reserved in the commit of the intent, released in the commit of the refund. Batch-first;
none commits.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from cells.backends.postgres import Connection
from cells.limits.limits import CurrencyLimits, LimitExceeded, Usage, check

# The buckets of each (tenant, currency, day) asked about. Ordered, so that two batches cannot deadlock.
_BUCKETS = """
    select asked.tenant_id, asked.currency, bucket.period, bucket.first_day,
           sum(asked.amount)::bigint as amount, sum(asked.transfers)::integer as transfers
    from unnest($2::text[], $3::text[], $4::bigint[], $5::integer[], $6::timestamptz[])
         as asked (tenant_id, currency, amount, transfers, at)
    cross join lateral (select (coalesce(asked.at, now()) at time zone 'utc')::date as day) as utc
    cross join lateral (values ('day', utc.day), ('month', date_trunc('month', utc.day)::date))
               as bucket (period, first_day)
    group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""


class Reservation(NamedTuple):
    """A transfer that wants to leave a wallet: `amount_minor` is all that leaves it."""

    transfer_id: str
    tenant_id: str
    currency: str
    amount_minor: int


class Release(NamedTuple):
    """A transfer whose money came back. `reserved_at`: now() of the transaction that reserved it, as the
    transfer's row has it.
    """

    tenant_id: str
    currency: str
    amount_minor: int
    reserved_at: datetime


async def reserve(
    connection: Connection,
    region: str,
    reservations: Sequence[Reservation],
    limits: Mapping[tuple[str, str], CurrencyLimits],
) -> dict[str, LimitExceeded | None]:
    """Count transfers against their limits, in order: None for those that fit, else the limit, by transfer
    id.

    `limits` is by (tenant id, currency). The usage rows stay locked until the commit, so wallets of one
    tenant and currency on different hosts cannot pass a limit together.
    """
    verdicts = {
        one.transfer_id: check(Usage(), one.amount_minor, one.currency, limits[one.tenant_id, one.currency])
        for one in reservations
    }
    # What passes by itself is counted first and checked against what the rows then say: one statement, unless
    # something does not fit. (What does not pass by itself stays out, so that a batch of giants cannot overflow a sum.)
    passing = [one for one in reservations if verdicts[one.transfer_id] is None]
    counted = await _add(connection, region, [(one.tenant_id, one.currency, one.amount_minor, 1) for one in passing])
    asked: dict[tuple[str, str], list[Reservation]] = defaultdict(list)
    for one in passing:
        asked[one.tenant_id, one.currency].append(one)
    for key, several in asked.items():
        usage = _before(counted[key], several)
        for one in several:
            verdicts[one.transfer_id] = verdict = check(usage, one.amount_minor, one.currency, limits[key])
            usage = usage if verdict else usage.plus(one.amount_minor)
    over = [one for one in passing if verdicts[one.transfer_id]]
    await _subtract(connection, region, [(one.tenant_id, one.currency, one.amount_minor, None) for one in over])
    return verdicts


async def release(connection: Connection, region: str, releases: Sequence[Release]) -> None:
    """Give back what transfers had reserved, in the buckets that they were counted in."""
    await _subtract(connection, region, releases)


async def find_usage(connection: Connection, region: str, tenant_id: str) -> dict[str, Usage]:
    """What a tenant has sent this UTC day and month, by currency; a currency without any is left out."""
    rows = await connection.fetch(
        """
        select currency, period, amount_minor, transfers from limit_usage
        where compliance_region = $1 and tenant_id = $2
          and first_day = date_trunc(period, now() at time zone 'utc')::date
        """,
        region, tenant_id,
    )  # fmt: skip
    buckets: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for row in rows:
        buckets[row["currency"]][row["period"]] = (row["amount_minor"], row["transfers"])
    return {currency: _usage(of) for currency, of in buckets.items()}


async def _add(
    connection: Connection, region: str, entries: Sequence[tuple[str, str, int, int]]
) -> dict[tuple[str, str], Usage]:
    """Count entries (tenant, currency, amount, transfers) under now; the usage after them, by (tenant,
    currency).
    """
    rows = await connection.fetch(
        f"""
        insert into limit_usage as kept
            (compliance_region, tenant_id, currency, period, first_day, amount_minor, transfers)
        select $1, * from ({_BUCKETS}) as buckets
        on conflict (compliance_region, tenant_id, currency, period, first_day) do update
        set amount_minor = kept.amount_minor + excluded.amount_minor,
            transfers = kept.transfers + excluded.transfers
        returning tenant_id, currency, period, amount_minor, transfers
        """,
        region,
        *_columns([(*entry, None) for entry in entries]),
    )
    buckets: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
    for row in rows:
        buckets[row["tenant_id"], row["currency"]][row["period"]] = (row["amount_minor"], row["transfers"])
    return {key: _usage(of) for key, of in buckets.items()}


async def _subtract(
    connection: Connection, region: str, entries: Sequence[tuple[str, str, int, datetime | None]]
) -> None:
    """Uncount one transfer per entry (tenant, currency, amount, when it was counted; None = in this
    transaction).
    """
    if not entries:
        return
    await connection.execute(
        f"""
        with buckets as ({_BUCKETS}), held as (
            select kept.tenant_id, kept.currency, kept.period, kept.first_day,
                   buckets.amount, buckets.transfers as number
            from limit_usage kept join buckets using (tenant_id, currency, period, first_day)
            where kept.compliance_region = $1 order by 1, 2, 3, 4 for update of kept
        )
        update limit_usage kept
        set amount_minor = kept.amount_minor - held.amount, transfers = kept.transfers - held.number
        from held
        where kept.compliance_region = $1 and (kept.tenant_id, kept.currency, kept.period, kept.first_day)
              = (held.tenant_id, held.currency, held.period, held.first_day)
        """,
        region,
        *_columns([(tenant_id, currency, amount, 1, at) for tenant_id, currency, amount, at in entries]),
    )


def _columns(entries: Sequence[tuple[str, str, int, int, datetime | None]]) -> list[list[object]]:
    return [[entry[place] for entry in entries] for place in range(5)]


def _usage(buckets: Mapping[str, tuple[int, int]]) -> Usage:
    day, month = buckets.get("day", (0, 0)), buckets.get("month", (0, 0))
    return Usage(day[0], month[0], day[1], month[1])


def _before(after: Usage, counted: Sequence[Reservation]) -> Usage:
    amount = sum(one.amount_minor for one in counted)
    return Usage(
        after.day_minor - amount,
        after.month_minor - amount,
        after.day_transfers - len(counted),
        after.month_transfers - len(counted),
    )
