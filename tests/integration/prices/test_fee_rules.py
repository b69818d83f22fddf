"""Fee rules on a real Postgres: versions by date, a tenant's own, and past payments under a candidate; the commands over them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from cells.backends.postgres import transaction
from cells.fx import store_fees
from cells.fx.expressions import InvalidExpression
from cells.fx.fee_book import FeeBook, found_rules
from cells.fx.fee_trials import Backtest, PastPayment, add_up, try_on
from cells.fx.fees import FeeRule, FeesUnavailable, in_force, seeds, total
from cells.fx.store_fees import FeeRuleRefused
from router.cli.fees import backtest_document
from tests.support.eu_cell import CELL, EuCell, open_eu_cell
from tests.support.reconciled_cells import open_reconciled
from tests.support.servers import CellDatabase
from tests.support.tariffs import circumstances, made, rule

REGION = CELL.region


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        async with transaction(opened.writer) as connection:
            await found_rules(connection, REGION, CELL.currencies)
        yield opened


async def add(cell: EuCell, text: str, *, since: datetime | None = None, **more) -> FeeRule:
    told = replace(rule(text, more.pop("kind", "PRE"), name=more.pop("name", "eur-idr")), **more)
    async with transaction(cell.writer) as connection:
        return await store_fees.add(connection, REGION, replace(told, effective_from=since or datetime.now(UTC)))


async def charged(cell: EuCell, at: datetime, tenant_id: str = "") -> list[int]:
    """What eur-idr takes of 1,000.00, and by which version."""
    async with transaction(cell.writer) as connection:
        rules = in_force(await store_fees.all_rules(connection, REGION), tenant_id, at)
    [item] = [one for one in made(*rules).of("PRE", 100_000) if one.rule == "eur-idr"]
    return [item.version, item.amount_minor]


async def test_the_rules_of_a_founded_cell_are_those_of_the_file_and_founding_again_changes_nothing(
    cell: EuCell,
) -> None:
    async with transaction(cell.writer) as connection:
        await found_rules(connection, REGION, CELL.currencies)
        assert {one.rule: one for one in await store_fees.all_rules(connection, REGION)} == {
            one.rule: one for one in seeds(CELL.currencies)
        }


async def test_a_version_counts_from_its_date_and_a_promotion_until_its_end(cell: EuCell) -> None:
    now = datetime.now(UTC)
    later, end = now + timedelta(days=1), now + timedelta(days=2)
    assert (await add(cell, "7", since=later, effective_to=end)).version == 2
    assert (await add(cell, "9", since=now + timedelta(days=30))).version == 3
    assert await charged(cell, later - timedelta(seconds=1)) == [1, 300]
    assert await charged(cell, later) == [2, 7]
    assert await charged(cell, end) == [1, 300]
    assert await charged(cell, now + timedelta(days=31)) == [3, 9]


async def test_a_tenants_own_rule_is_its_own(cell: EuCell) -> None:
    own = await add(cell, "1", tenant_id=cell.tenant.tenant_id)
    assert own.version == 1
    soon = datetime.now(UTC) + timedelta(seconds=1)
    assert await charged(cell, soon, cell.tenant.tenant_id) == [1, 1]
    assert await charged(cell, soon, cell.stranger.tenant_id) == [1, 300]
    book = FeeBook(cell.writer, REGION)
    assert own in await book.rules(cell.tenant.tenant_id)
    assert own not in await book.rules(cell.stranger.tenant_id)


async def test_what_cannot_be_added(cell: EuCell) -> None:
    for wrong in (
        {"name": "Upper"},
        {"kind": "POST"},
        {"tenant_id": "ten_eu1_nobody"},
        {"since": datetime.now(UTC) - timedelta(hours=1)},
        {"effective_to": datetime(2026, 1, 1, tzinfo=UTC)},
    ):
        with pytest.raises(FeeRuleRefused):
            await add(cell, "5", **wrong)
    for text in ("1.5", "amount_minor * 0.1", "unknown", "[1].map(x, x)"):
        with pytest.raises(InvalidExpression):
            await add(cell, text)


async def test_nobody_edits_a_rule(cell: EuCell) -> None:
    for statement in ("update fee_rules set amount = '0'", "delete from fee_rules"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(cell.writer) as connection:
                await connection.execute(statement)


async def test_a_cell_without_rules_gives_no_price(cell_database: Callable[[str], CellDatabase]) -> None:
    async with open_eu_cell(cell_database(REGION)) as bare:
        with pytest.raises(FeesUnavailable):
            await FeeBook(bare.writer, REGION).rules(bare.tenant.tenant_id)


@asynccontextmanager
async def past(cell_database) -> AsyncIterator[tuple[list[FeeRule], list[PastPayment]]]:
    """Two payments abroad and one at home, as their cell's record has them."""
    async with open_reconciled(cell_database) as cells:
        made_now = [await cells.abroad(100_000), await cells.abroad(20_000), await cells.at_home(10_020)]
        spec, since = cells.eu.spec, datetime.now(UTC) - timedelta(hours=1)
        regions = spec.directory.region_of_currency
        async with transaction(cells.eu.institution.pool) as connection:
            rules = await store_fees.all_rules(connection, spec.region)
            pages = store_fees.past_payments(connection, spec.region, since, "", 100, regions)
            payments = [one async for page in pages for one in page]
            assert [one.transfer_id for one in payments] == [one.transfer_id for one in made_now]
            none = store_fees.past_payments(connection, spec.region, since, "ten_eu1_nobody", 100, regions)
            assert [page async for page in none] == []
            first = store_fees.past_payments(connection, spec.region, since, "", 1, regions)
            assert [len(page) async for page in first] == [1]
        yield rules, payments


def tried(rules: Sequence[FeeRule], payments: Sequence[PastPayment], candidate: FeeRule) -> dict[str, Backtest]:
    found: dict[str, Backtest] = {}
    add_up(try_on(payments, rules, candidate), candidate.kind, found, 20)
    return found


async def test_a_back_test_says_what_past_payments_would_have_cost(cell_database) -> None:
    async with past(cell_database) as (rules, payments):
        assert [one.circumstances.corridor for one in payments] == ["EU-ID", "EU-ID", "EU-EU"]
        today = next(one for one in seeds(CELL.currencies) if one.rule == "eur-idr")
        same = tried(rules, payments, today)["EUR"]
        assert (same.payments, same.dearer, same.cheaper, same.was_minor, same.would_be_minor) == (3, 0, 0, 460, 460)
        assert same.was_minor == total([item for one in payments for item in one.fees])

        dearer = tried(rules, payments, replace(today, amount="amount_minor > 50000 ? 500 : 140"))["EUR"]
        assert (dearer.dearer, dearer.cheaper, dearer.would_be_minor) == (1, 0, 660)
        assert [one.payment.transfer_id for one in dearer.differing] == [payments[0].transfer_id]

        failing = tried(rules, payments, replace(today, amount="1 / (amount_minor - 20000)"))["EUR"]
        assert (failing.failing, failing.cheaper) == (1, 1)

        theirs = tried(rules, payments, rule("250099", "POST", name="new", applies="target_currency == 'IDR'"))
        assert theirs["IDR"].would_be_minor == 2 * 250_000, "down to whole rupiah"
        shown = backtest_document(theirs)
        assert shown["IDR"]["difference"] == {"value": "5000.00", "currency": "IDR"}
        assert {one["was"]["value"] for one in shown["IDR"]["differing"]} == {"0.00"}


def test_labels_and_tier_of_a_quote_reach_the_rule_that_asks_for_them() -> None:
    here = circumstances(tier="growth", tags=("payroll",))
    free = rule("tier == 'growth' && 'payroll' in metadata.tags ? 0 : 5")
    assert made(free, here=here).of("PRE", 100) == ()
