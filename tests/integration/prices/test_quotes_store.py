"""Quotes on a real Postgres: one use each, the database's clock, concurrent batches."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal

import pytest

from cells.backends.postgres import tenant_transaction, transaction
from cells.fx import store
from cells.fx.ecb import EcbHistory
from cells.fx.pricing import price
from cells.fx.quotes import NewQuote, Quote, QuoteExpired, QuoteUse, QuoteUsed, UnknownQuote
from residency.ids import mint
from tests.support.eu_cell import CELL, EuCell, open_eu_cell
from tests.support.servers import CellDatabase
from tests.support.tariffs import founded

REGION = CELL.region


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        yield opened


async def _lock(cell: EuCell, count: int = 1, lifetime_s: float = 600) -> list[Quote]:
    rate = EcbHistory().latest().rate("EUR", "IDR")
    priced = price(rate, "source", 125_000, 150, founded("EUR", "IDR", "bi_fast"))
    new = [NewQuote(mint("qt", CELL.name), cell.tenant.tenant_id, "bi_fast", priced) for _ in range(count)]
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        quotes = await store.lock_quotes(connection, REGION, new, lifetime_s=lifetime_s)
    assert [one.price for one in quotes] == [priced] * count
    return quotes


def _use(quote: Quote, tenant_id: str | None = None) -> QuoteUse:
    return QuoteUse(mint("tr", CELL.name), tenant_id or quote.tenant_id, quote.quote_id)


async def test_a_quote_is_used_once_and_by_the_first_of_a_batch(cell: EuCell) -> None:
    (quote,) = await _lock(cell)
    first, second = _use(quote), _use(quote)
    async with transaction(cell.writer) as connection:
        lost = await store.use_quotes(connection, REGION, [first, second])
        [used] = (await store.find_quotes(connection, REGION, [quote.quote_id])).values()
    assert used.transfer_id == first.transfer_id
    assert list(lost) == [second.transfer_id]
    assert isinstance(lost[second.transfer_id], QuoteUsed)
    async with transaction(cell.writer) as connection:
        lost = await store.use_quotes(connection, REGION, [second, first])
    assert list(lost) == [second.transfer_id], "the transfer that has it may ask again"


async def test_an_expired_a_foreign_and_a_made_up_quote_are_refused_each_by_its_name(cell: EuCell) -> None:
    (stale,) = await _lock(cell, lifetime_s=0.001)
    (good,) = await _lock(cell)
    foreign = _use(good, cell.stranger.tenant_id)
    made_up = QuoteUse(mint("tr", CELL.name), cell.tenant.tenant_id, mint("qt", CELL.name))
    uses = [_use(stale), foreign, made_up, _use(good)]
    async with transaction(cell.writer) as connection:
        lost = await store.use_quotes(connection, REGION, uses)
    kinds = [type(lost.get(use.transfer_id)) for use in uses]
    assert kinds == [QuoteExpired, UnknownQuote, UnknownQuote, type(None)]


async def test_a_rolled_back_use_leaves_the_quote_free(cell: EuCell) -> None:
    (quote,) = await _lock(cell)

    async with cell.writer.acquire() as connection:
        change = connection.transaction()
        await change.start()
        await store.use_quotes(connection, REGION, [_use(quote)])
        await change.rollback()
    again = _use(quote)
    async with transaction(cell.writer) as connection:
        assert await store.use_quotes(connection, REGION, [again]) == {}
        [used] = (await store.find_quotes(connection, REGION, [quote.quote_id])).values()
    assert used.transfer_id == again.transfer_id


async def test_concurrent_batches_over_the_same_quotes_share_them_out_without_deadlock(cell: EuCell) -> None:
    quotes = await _lock(cell, count=20)

    async def batch(ordered: list[Quote]) -> list[str]:
        uses = [_use(one) for one in ordered]
        async with transaction(cell.writer) as connection:
            lost = await store.use_quotes(connection, REGION, uses)
        return [use.quote_id for use in uses if use.transfer_id not in lost]

    taken = await asyncio.gather(batch(quotes), batch(quotes[::-1]), batch(quotes[10:] + quotes[:10]))
    assert sorted(one for batch_taken in taken for one in batch_taken) == sorted(one.quote_id for one in quotes)


async def test_a_tenant_does_not_see_another_tenants_quote(cell: EuCell) -> None:
    (quote,) = await _lock(cell)
    async with tenant_transaction(cell.api, cell.stranger.tenant_id) as connection:
        assert await store.find_quotes(connection, REGION, [quote.quote_id]) == {}
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        assert await store.find_quotes(connection, REGION, [quote.quote_id]) == {quote.quote_id: quote}
    assert Decimal(quote.rate) == quote.price.rate.mid
