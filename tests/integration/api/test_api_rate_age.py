"""Old rates: a quote says how old, and above the cell's limit nothing is priced, by quote, intent or batch, until there are newer ones."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from actors.workers.batches import Batches
from cells.cell import open_institution
from cells.fx.ecb import EcbHistory
from cells.fx.rate_age import age_days
from cells.fx.rates import RateTable
from tests.integration.api.test_api_payment import indonesian_token
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.batch_api import get, of, submit
from tests.support.waiting import until

LIMIT = 4
QUOTE = {"source": {"value": "100.00", "currency": "EUR"}, "target_currency": "IDR"}
AT_HOME = {**QUOTE, "target_currency": "EUR"}


@dataclass
class Published:
    """The ECB's rates, as if published so many banking days ago."""

    age: int

    def latest(self) -> RateTable:
        now = datetime.now(UTC)
        day = now.date()
        while age_days(day, now) < self.age:
            day -= timedelta(days=1)
        return replace(EcbHistory().latest(), as_of=day)


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes, rate_age_max_days=LIMIT) as opened:
        yield opened


def publish(cell: ApiCell, age: int) -> Published:
    source = Published(age)
    cell.app.state.parts = replace(cell.app.state.parts, rates=source)
    return source


@pytest.mark.parametrize(("age", "stale"), [(1, False), (2, False), (3, True), (LIMIT, True)])
async def test_a_quote_and_the_rates_say_how_old_they_are(cell: ApiCell, age: int, stale: bool) -> None:
    as_of = publish(cell, age).latest().as_of
    made = await cell.client.post("/v1/quotes", json=QUOTE)
    assert made.status_code == 201, made.text
    quote = made.json()
    assert (quote["rate_as_of"], quote["rate_age_days"], quote["rate_stale"]) == (as_of.isoformat(), age, stale)
    assert (await cell.client.get(f"/v1/quotes/{quote['id']}")).json()["rate_stale"] == stale
    at_home = (await cell.client.post("/v1/quotes", json=AT_HOME)).json()
    assert at_home["rate_stale"] is False
    rates = (await cell.client.get("/v1/rates")).json()
    assert (rates["as_of"], rates["age_days"], rates["stale"], rates["age_max_days"]) == (
        as_of.isoformat(), age, stale, LIMIT,
    )  # fmt: skip


async def test_above_the_limit_nothing_is_priced_but_what_exchanges_nothing(cell: ApiCell) -> None:
    source = publish(cell, LIMIT + 1)
    refused = await cell.client.post("/v1/quotes", json=QUOTE, headers={"Idempotency-Key": "once"})
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["retryable"]) == (503, "rates-too-old", True)
    assert problem["rate_age_days"] == LIMIT + 1
    assert int(refused.headers["Retry-After"]) == problem["retry_after_s"] > 0
    assert (await cell.client.post("/v1/quotes", json=AT_HOME)).status_code == 201
    assert (await cell.client.get("/v1/rates")).json()["age_days"] == LIMIT + 1
    payment = {**QUOTE, "recipient_id": indonesian_token(cell), "payer_id": await cell.payer()}
    intent = await cell.client.post("/v1/intents", json=payment, headers={"Idempotency-Key": "pay"})
    assert (intent.status_code, intent.json()["code"]) == (503, "rates-too-old")
    source.age = 1
    again = await cell.client.post("/v1/quotes", json=QUOTE, headers={"Idempotency-Key": "once"})
    assert again.status_code == 201, "the refusal has not used the key up"


async def test_a_batch_waits_for_newer_rates_and_no_line_of_it_is_lost(cell: ApiCell) -> None:
    await cell.fund()
    institution = await open_institution(cell.spec, "writer", name="test-batches", connections_max=2)
    source = Published(LIMIT + 1)
    worker = Batches(institution, cell.parts.wallets.ask_many, source)
    try:
        payer = await cell.payer()
        lines = [of(await cell.recipient(), payer), {**of(indonesian_token(cell), payer), "target_currency": "IDR"}]
        batch = (await submit(cell, lines)).json()["id"]
        for _ in range(3):
            await worker.round()
        assert (await get(cell, batch))["status"] == "VALIDATING"
        source.age = 1
        assert await invalid_lines(cell, worker, batch) == 0
    finally:
        await institution.close()


async def invalid_lines(cell: ApiCell, worker: Batches, batch: str) -> int:
    """How many there are once the batch has been priced."""

    async def goes_on() -> bool:
        await worker.round()
        return (await get(cell, batch))["status"] not in ("VALIDATING", "SCHEDULED", "FUNDING")

    await until(goes_on)
    return sum(one["lines"] for one in (await get(cell, batch))["progress"] if one["status"] == "INVALID")
