"""Usage as rows: reserved in the commit of the intent, released in the commit of the refund. Batch-first; none commits.

Days and months are the jurisdiction's (`zone` in its rules): a daily limit is counted by the day of the cell that the money leaves.

One row for each tenant, wallet and payer in a currency, with the day and the month that it speaks of: a later day or month begins anew in the
same row, so that nothing grows with time.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from cells.limits.limits import LimitExceeded, Scope, Usage, check
from cells.limits.rules import SCOPES, Bounds, Sender
from residency.rules import rules_of

# Whose usage: (tenant id, currency, scope, subject).
Key = tuple[str, str, Scope, str]


class Reservation(NamedTuple):
    """A transfer that wants to leave a wallet: `amount_minor` is all that leaves it."""

    transfer_id: str
    sender: Sender
    amount_minor: int


class Release(NamedTuple):
    """A transfer whose money came back. `reserved_at`: now() of the transaction that reserved it, as the
    transfer's row has it.
    """

    sender: Sender
    amount_minor: int
    reserved_at: datetime


_USED = Rows("limit_usage", "tenant_id currency scope subject day_amount:bigint day_transfers:integer")
_UNUSED = Rows("limit_usage", "tenant_id currency scope subject day_amount:bigint day_transfers:integer at:timestamptz")


async def reserve(
    connection: Connection, region: str, reservations: Sequence[Reservation], bounds: Bounds
) -> dict[str, LimitExceeded | None]:
    """Count transfers against their limits, in order: None for those that fit, else the limit, by transfer id.

    The usage rows stay locked until the commit, so wallets and payers of one tenant on different hosts cannot pass a limit together.
    """
    zone = ZoneInfo(rules_of(region).zone)
    verdicts = {one.transfer_id: _first(one, bounds, {}, zone) for one in reservations}
    # What passes by itself is counted first and checked against what the rows then say: one statement, unless
    # something does not fit. (What does not pass by itself stays out, so that a batch of giants cannot overflow a sum.)
    passing = [one for one in reservations if verdicts[one.transfer_id] is None]
    added = _summed((one.sender, one.amount_minor) for one in passing)
    usages = await _add(connection, region, added)
    for key, (amount, transfers) in added.items():
        usages[key] = usages[key].plus(-amount, -transfers)
    over = []
    for one in passing:
        verdicts[one.transfer_id] = _first(one, bounds, usages, zone)
        if verdicts[one.transfer_id]:
            over.append(one)
            continue
        for key in _keys(one.sender):
            usages[key] = usages[key].plus(one.amount_minor)
    await _subtract(connection, region, [(one.sender, one.amount_minor, None) for one in over])
    return verdicts


async def release(connection: Connection, region: str, releases: Sequence[Release]) -> None:
    """Give back what transfers had reserved, as far as the day and the month that they were counted in still run."""
    await _subtract(connection, region, releases)


async def find_usage(connection: Connection, region: str, tenant_id: str) -> dict[Key, Usage]:
    """What a tenant, its wallets and its payers have sent this day and month; what has sent nothing may be left out."""
    rows = await connection.fetch(
        """
        select tenant_id, currency, scope, subject,
            day_amount * (kept.day = today.day)::integer, month_amount * (kept.month = today.month)::integer,
            day_transfers * (kept.day = today.day)::integer, month_transfers * (kept.month = today.month)::integer
        from limit_usage kept, (select (now() at time zone $3::text)::date, date_trunc('month', now() at time zone $3::text)::date)
            as today (day, month)
        where compliance_region = $1 and tenant_id = $2
        """,
        region, tenant_id, rules_of(region).zone,
    )  # fmt: skip
    return {(row[0], row[1], row[2], row[3]): Usage(row[4], row[5], row[6], row[7]) for row in rows}


def _keys(sender: Sender) -> list[Key]:
    return [(sender.tenant_id, sender.currency, scope, sender.subject(scope)) for scope in SCOPES]


def _first(one: Reservation, bounds: Bounds, usages: dict[Key, Usage], zone: ZoneInfo) -> LimitExceeded | None:
    """The first limit of its three scopes that a transfer would pass."""
    for scope, key in zip(SCOPES, _keys(one.sender), strict=True):
        limits = bounds.limits(one.sender, scope)
        verdict = check(usages.get(key, _NONE), one.amount_minor, one.sender.currency, limits, scope, zone)
        if verdict is not None:
            return verdict
    return None


_NONE = Usage()


def _summed(entries: Iterable[tuple[Sender, int]]) -> dict[Key, tuple[int, int]]:
    """(amount, transfers) by whose they are, in the one order in which rows are locked, so that no two batches deadlock."""
    sums: dict[Key, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for sender, amount in entries:
        for key in _keys(sender):
            before = sums[key]
            sums[key] = (before[0] + amount, before[1] + 1)
    return dict(sorted(sums.items()))


async def _add(connection: Connection, region: str, sums: dict[Key, tuple[int, int]]) -> dict[Key, Usage]:
    """Count under now; the usage after it. A batch that began before midnight and comes after one of the new day adds nothing to that."""
    if not sums:
        return {}
    rows = await connection.fetch(
        f"""
        insert into limit_usage as kept (compliance_region, tenant_id, currency, scope, subject,
            day, day_amount, day_transfers, month, month_amount, month_transfers)
        select $1, asked.tenant_id, asked.currency, asked.scope, asked.subject,
            today.day, asked.day_amount, asked.day_transfers, today.month, asked.day_amount, asked.day_transfers
        from {_USED.source(3, "asked", place=True)},
            (select (now() at time zone $2::text)::date, date_trunc('month', now() at time zone $2::text)::date) as today (day, month)
        order by asked.place
        on conflict (compliance_region, tenant_id, currency, scope, subject) do update set
            day = greatest(kept.day, excluded.day),
            day_amount = kept.day_amount * (kept.day >= excluded.day)::integer
                + excluded.day_amount * (excluded.day >= kept.day)::integer,
            day_transfers = kept.day_transfers * (kept.day >= excluded.day)::integer
                + excluded.day_transfers * (excluded.day >= kept.day)::integer,
            month = greatest(kept.month, excluded.month),
            month_amount = kept.month_amount * (kept.month >= excluded.month)::integer
                + excluded.month_amount * (excluded.month >= kept.month)::integer,
            month_transfers = kept.month_transfers * (kept.month >= excluded.month)::integer
                + excluded.month_transfers * (excluded.month >= kept.month)::integer
        returning tenant_id, currency, scope, subject, day_amount, month_amount, day_transfers, month_transfers
        """,
        region,
        rules_of(region).zone,
        *_USED.arguments((*key, *value) for key, value in sums.items()),
    )
    return {(row[0], row[1], row[2], row[3]): Usage(row[4], row[5], row[6], row[7]) for row in rows}


async def _subtract(
    connection: Connection, region: str, entries: Sequence[tuple[Sender, int, datetime | None]]
) -> None:
    """Uncount one transfer per entry (sender, amount, when it was counted; None = in this transaction)."""
    if not entries:
        return
    by_moment: dict[datetime | None, list[tuple[Sender, int]]] = defaultdict(list)
    for sender, amount, at in entries:
        by_moment[at].append((sender, amount))
    rows = [(*key, *value, at) for at, several in by_moment.items() for key, value in _summed(several).items()]
    await connection.execute(
        f"""
        with asked as materialized (
            select tenant_id, currency, scope, subject, day_amount, day_transfers, (coalesce(at, now()) at time zone $2::text)::date as day
            from {_UNUSED.source(3, "asked")}
        ), held as materialized (
            select tenant_id, currency, scope, subject, day, month from limit_usage
            where compliance_region = $1
              and (tenant_id, currency, scope, subject) in (select tenant_id, currency, scope, subject from asked)
            order by tenant_id collate "C", currency collate "C", scope collate "C", subject collate "C" for update
        ), given as (
            select tenant_id, currency, scope, subject,
                coalesce(sum(asked.day_amount) filter (where asked.day = held.day), 0) as day_amount,
                coalesce(sum(asked.day_transfers) filter (where asked.day = held.day), 0) as day_transfers,
                coalesce(sum(asked.day_amount) filter (where date_trunc('month', asked.day)::date = held.month), 0) as month_amount,
                coalesce(sum(asked.day_transfers) filter (where date_trunc('month', asked.day)::date = held.month), 0) as month_transfers
            from asked join held using (tenant_id, currency, scope, subject) group by 1, 2, 3, 4
        )
        update limit_usage kept set day_amount = kept.day_amount - given.day_amount,
            day_transfers = kept.day_transfers - given.day_transfers, month_amount = kept.month_amount - given.month_amount,
            month_transfers = kept.month_transfers - given.month_transfers
        from given
        where kept.compliance_region = $1 and (kept.tenant_id, kept.currency, kept.scope, kept.subject)
              = (given.tenant_id, given.currency, given.scope, given.subject)
        """,
        region,
        rules_of(region).zone,
        *_UNUSED.arguments(rows),
    )
