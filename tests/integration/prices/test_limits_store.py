"""Limits on a real Postgres: rules by date and narrowness, and usage by tenant, wallet and payer, at the edges of day and month."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from cells.backends.postgres import tenant_transaction, transaction
from cells.limits import store, store_rules
from cells.limits.book import LimitBook
from cells.limits.limits import LimitExceeded, Usage
from cells.limits.rules import ANY, Bounds, LimitRefused, LimitRule, Sender
from cells.limits.store import Release, Reservation
from cells.tenants.tiers import founding_limits, tiers
from residency.ids import mint
from tests.support.eu_cell import CELL, EuCell, open_eu_cell
from tests.support.servers import CellDatabase

REGION = CELL.region
WALLET, PAYER = "wal_eu1_a", "pyr_eu1_a"


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        yield opened


def rule(scope: str, window: str, measure: str, value: int, **more) -> LimitRule:
    told = {"tenant_id": ANY, "tier": ANY, "currency": "EUR", "subject": ANY, "version": 1, **more}
    return LimitRule(scope=scope, window=window, measure=measure, value=value, **told)


TENANTS = [
    rule("tenant", "transfer", "amount", 1_000),
    rule("tenant", "day", "amount", 2_500),
    rule("tenant", "month", "amount", 10_000),
    rule("tenant", "day", "count", 4),
    rule("tenant", "month", "count", 100),
]
ROOMY = [rule("tenant", "day", "amount", 10**9)]


def bounds(*rules: LimitRule) -> Bounds:
    return Bounds.of(rules, datetime.now(UTC))


def sender(cell: EuCell, wallet: str = WALLET, payer: str = PAYER) -> Sender:
    return Sender(cell.tenant.tenant_id, "starter", "EUR", wallet, payer)


async def reserve(cell: EuCell, limits: Bounds, *wanted: tuple[Sender, int]) -> list[str | None]:
    """Reserve; for each the limit that stood against it."""
    asked = [Reservation(mint("tr", CELL.name), who, amount) for who, amount in wanted]
    async with transaction(cell.writer) as connection:
        verdicts = await store.reserve(connection, REGION, asked, limits)
    ordered = [verdicts[one.transfer_id] for one in asked]
    assert all(isinstance(one, LimitExceeded | None) for one in ordered)
    return [one.extra["limit"] if one else None for one in ordered]


async def usage(cell: EuCell) -> dict[tuple[str, str], Usage]:
    """By (scope, subject)."""
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        found = await store.find_usage(connection, REGION, cell.tenant.tenant_id)
    return {(scope, subject): one for (_, _, scope, subject), one in found.items()}


def everywhere(one: Usage) -> dict[tuple[str, str], Usage]:
    return {("tenant", ""): one, ("wallet", WALLET): one, ("payer", PAYER): one}


async def test_what_does_not_fit_adds_nothing_and_what_follows_it_still_may(cell: EuCell) -> None:
    us, limits = sender(cell), bounds(*TENANTS)
    assert await usage(cell) == {}
    said = await reserve(cell, limits, *((us, amount) for amount in (1_001, 1_000, 1_000, 501, 500)))
    assert said == ["tenant-transfer-amount", None, None, "tenant-day-amount", None]
    assert await usage(cell) == everywhere(Usage(2_500, 2_500, 3, 3))
    assert await reserve(cell, limits, (us, 1)) == ["tenant-day-amount"]


async def test_a_batch_of_giants_is_refused_one_by_one_and_not_by_an_overflow(cell: EuCell) -> None:
    giants = [(sender(cell), 10**16)] * 1_000
    assert await reserve(cell, bounds(*TENANTS), *giants) == ["tenant-transfer-amount"] * 1_000
    assert await reserve(cell, bounds(*ROOMY), *giants) == ["tenant-transfer-amount"] * 1_000, "no rule lifts that"
    assert await usage(cell) == {}


async def test_each_wallet_and_each_payer_has_its_own_count(cell: EuCell) -> None:
    limits = bounds(*ROOMY, rule("wallet", "day", "amount", 500), rule("payer", "month", "count", 2))
    first, another_payer, another_wallet = sender(cell), sender(cell, payer="pyr_b"), sender(cell, wallet="wal_b")
    assert await reserve(cell, limits, (first, 300), (another_payer, 200), (another_payer, 1)) == [
        None, None, "wallet-day-amount",
    ]  # fmt: skip
    assert await reserve(cell, limits, (another_wallet, 500), (another_wallet, 1)) == [None, "wallet-day-amount"]
    assert await reserve(cell, limits, (sender(cell, wallet="wal_c"), 1)) == ["payer-month-count"], "two have been made"
    assert await usage(cell) == {
        ("tenant", ""): Usage(1_000, 1_000, 3, 3),
        ("wallet", WALLET): Usage(500, 500, 2, 2),
        ("wallet", "wal_b"): Usage(500, 500, 1, 1),
        ("wallet", "wal_c"): Usage(),
        ("payer", PAYER): Usage(800, 800, 2, 2),
        ("payer", "pyr_b"): Usage(200, 200, 1, 1),
    }


async def test_released_limits_can_be_used_again(cell: EuCell) -> None:
    us, limits = sender(cell), bounds(*TENANTS)
    asked = [Reservation(mint("tr", CELL.name), us, 900) for _ in range(2)]
    async with transaction(cell.writer) as connection:
        await store.reserve(connection, REGION, asked, limits)
        reserved_at = await connection.fetchval("select now()")
    async with transaction(cell.writer) as connection:
        await store.release(connection, REGION, [Release(us, 900, reserved_at)] * 2)
    assert await usage(cell) == everywhere(Usage())
    assert await reserve(cell, limits, (us, 1_000), (us, 1_000), (us, 500)) == [None, None, None]


async def _set_back(cell: EuCell, days: int) -> None:
    """As if what was sent had been sent so many days before now."""
    async with transaction(cell.writer) as connection:
        await connection.execute(
            "update limit_usage set day = day - $1::integer, month = date_trunc('month', day - $1::integer)::date", days
        )


async def test_a_new_day_and_a_new_month_begin_at_nothing(cell: EuCell) -> None:
    us, limits = sender(cell), bounds(*TENANTS)
    assert await reserve(cell, limits, (us, 1_000), (us, 1_000)) == [None, None]
    await _set_back(cell, 40)
    assert await usage(cell) == everywhere(Usage())
    assert await reserve(cell, limits, (us, 1_000)) == [None]
    assert await usage(cell) == everywhere(Usage(1_000, 1_000, 1, 1))


async def test_yesterdays_transfers_count_for_the_month_and_not_for_today(cell: EuCell) -> None:
    us, limits = sender(cell), bounds(*TENANTS)
    assert await reserve(cell, limits, (us, 1_000), (us, 1_000)) == [None, None]
    async with transaction(cell.writer) as connection:
        await connection.execute("update limit_usage set day = day - 1")
    assert await usage(cell) == everywhere(Usage(0, 2_000, 0, 2))
    assert await reserve(cell, limits, (us, 1_000)) == [None]
    assert await usage(cell) == everywhere(Usage(1_000, 3_000, 1, 3))
    # What was counted yesterday and comes back is taken off the month alone.
    async with transaction(cell.writer) as connection:
        yesterday = await connection.fetchval("select now()") - timedelta(days=1)
        await store.release(connection, REGION, [Release(us, 1_000, yesterday)])
        first_of_month = yesterday.month != (yesterday + timedelta(days=1)).month
    assert await usage(cell) == everywhere(
        Usage(1_000, 3_000 if first_of_month else 2_000, 1, 3 if first_of_month else 2)
    )


async def test_what_was_counted_a_month_ago_takes_nothing_off(cell: EuCell) -> None:
    us = sender(cell)
    assert await reserve(cell, bounds(*TENANTS), (us, 700)) == [None]
    async with transaction(cell.writer) as connection:
        await store.release(connection, REGION, [Release(us, 500, datetime.now(UTC) - timedelta(days=40))])
    assert await usage(cell) == everywhere(Usage(700, 700, 1, 1))


async def test_the_day_is_the_jurisdictions(cell: EuCell) -> None:
    us, midnight = (
        sender(cell),
        datetime.now(ZoneInfo("Europe/Berlin")).replace(hour=0, minute=0, second=0, microsecond=0),
    )
    assert await reserve(cell, bounds(*TENANTS), (us, 400), (us, 300)) == [None, None]
    async with transaction(cell.writer) as connection:
        await store.release(connection, REGION, [Release(us, 200, midnight - timedelta(microseconds=1))])
        await store.release(connection, REGION, [Release(us, 300, midnight)])
        assert await connection.fetchval("select day from limit_usage limit 1") == midnight.date()
    assert {one.day_minor for one in (await usage(cell)).values()} == {400}


async def test_a_straggler_from_before_midnight_adds_nothing_to_the_new_day(cell: EuCell) -> None:
    us, limits = sender(cell), bounds(*TENANTS)
    assert await reserve(cell, limits, (us, 100)) == [None]
    await _set_back(cell, -1)  # another batch has begun tomorrow's row
    assert await reserve(cell, limits, (us, 100)) == [None]
    async with transaction(cell.writer) as connection:
        rows = await connection.fetch("select distinct day_amount, day_transfers from limit_usage")
    assert [tuple(row) for row in rows] == [(100, 1)]


async def test_concurrent_hosts_cannot_pass_a_limit_together(cell: EuCell) -> None:
    us, limits = sender(cell), bounds(*TENANTS)
    verdicts = await asyncio.gather(*(reserve(cell, limits, (us, 1_000)) for _ in range(6)))
    assert sorted(verdicts, key=str) == [["tenant-day-amount"]] * 4 + [[None]] * 2
    assert await usage(cell) == everywhere(Usage(2_000, 2_000, 2, 2))


async def test_batches_over_the_same_payers_in_other_orders_do_not_deadlock(cell: EuCell) -> None:
    limits = bounds(*ROOMY)
    senders = [sender(cell, wallet=f"wal_{number % 3}", payer=f"pyr_{number}") for number in range(20)]

    async def there_and_back(order: list[Sender]) -> None:
        for _ in range(5):
            await reserve(cell, limits, *((one, 10) for one in order))
            async with transaction(cell.writer) as connection:
                now = await connection.fetchval("select now()")
                await store.release(connection, REGION, [Release(one, 10, now) for one in reversed(order)])

    await asyncio.gather(
        there_and_back(senders), there_and_back(senders[::-1]), there_and_back(senders[7:] + senders[:7])
    )
    assert set((await usage(cell)).values()) == {Usage()}


async def test_the_record_gives_the_limits_of_the_moment(cell: EuCell) -> None:
    now = datetime.now(UTC)
    async with transaction(cell.writer) as connection:
        await store_rules.found(connection, REGION, founding_limits(CELL.currencies))
        await store_rules.found(connection, REGION, founding_limits(CELL.currencies))
        for change in (
            rule("payer", "day", "amount", 700),
            rule("payer", "day", "amount", 900, effective_from=now + timedelta(days=1)),
            rule("payer", "day", "amount", 50, subject="pyr_watched"),
            rule("tenant", "day", "count", 3, tenant_id=cell.tenant.tenant_id),
            rule(
                "wallet",
                "month",
                "count",
                9,
                effective_from=now - timedelta(days=9),
                effective_to=now - timedelta(days=1),
            ),
        ):
            stored = await store_rules.add(connection, REGION, change)
            assert stored.version == (2 if change.value == 900 else 1)
        found = await LimitBook(REGION).bounds(connection)
    starter = tiers()["starter"].limits["EUR"]
    us = found.limits(sender(cell), "tenant")
    assert (us.day_transfers, us.day_minor, us.transfer_minor) == (3, starter.day_minor, starter.transfer_minor)
    stranger = Sender(cell.stranger.tenant_id, "growth", "EUR", WALLET, PAYER)
    assert found.limits(stranger, "tenant") == tiers()["growth"].limits["EUR"]
    assert found.limits(sender(cell), "payer").day_minor == 700
    assert found.limits(sender(cell, payer="pyr_watched"), "payer").day_minor == 50
    assert found.limits(sender(cell), "wallet").month_transfers == 2**31 - 1, "that one has run out"


@pytest.mark.parametrize(
    "broken",
    [
        {"window": "transfer", "measure": "count"},
        {"window": "transfer", "measure": "amount", "value": 10**15 + 1},
        {"value": -1},
        {"scope": "tenant", "subject": "wal_x"},
        {"scope": "everybody"},
    ],
)
async def test_the_record_takes_no_limit_that_makes_no_sense(cell: EuCell, broken: dict[str, object]) -> None:
    wrong = rule(**{"scope": "payer", "window": "day", "measure": "amount", "value": 5, **broken})
    if wrong.scope != "everybody":
        with pytest.raises(LimitRefused):
            wrong.check()
    with pytest.raises(asyncpg.CheckViolationError):
        async with transaction(cell.writer) as connection:
            await store_rules.found(connection, REGION, [wrong])


async def test_a_limit_for_a_tenant_that_is_not_there_is_refused(cell: EuCell) -> None:
    with pytest.raises(LimitRefused):
        async with transaction(cell.writer) as connection:
            await store_rules.add(connection, REGION, rule("tenant", "day", "count", 5, tenant_id="ten_eu1_nobody"))


async def test_nobody_edits_a_limit(cell: EuCell) -> None:
    async with transaction(cell.writer) as connection:
        await store_rules.add(connection, REGION, rule("payer", "day", "amount", 5))
    for statement in ("update limit_rules set value = 9", "delete from limit_rules"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(cell.writer) as connection:
                await connection.execute(statement)
