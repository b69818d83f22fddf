"""What router/WEBHOOKS.md says of webhooks is so: its code verifies a real delivery, its schedule and its table are the code's own."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from cells.webhooks.catalogue import table
from cells.webhooks.schedule import in_words, published_schedule
from tests.architecture.tree import ROOT
from tests.support.eu_cell import EuCell, open_eu_cell
from tests.support.http_listener import open_listener
from tests.support.servers import CellDatabase
from tests.support.webhook_room import REGION, an_event, append, new_endpoint, worker

PAGE = (ROOT / "router" / "WEBHOOKS.md").read_text()


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        yield opened


async def test_the_code_of_the_page_believes_a_delivery_and_no_forgery(cell: EuCell) -> None:
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    said: dict[str, Any] = {}
    exec(found[1], said)
    async with open_listener() as listener, worker(cell.writer):
        made = await new_endpoint(cell, listener.url)
        told = an_event(cell)
        await append(cell, told)
        (got,) = await listener.wait_for(1)
    assert said["received"](got.body, got.headers, made.secret)["id"] == told.event_id
    with pytest.raises(WebhookVerificationError):
        said["received"](got.body.replace(b"completed", b"cancelled"), got.headers, made.secret)


def test_the_schedule_and_the_table_of_events_are_the_codes_own() -> None:
    assert in_words(published_schedule()) in PAGE
    assert table() in PAGE, "cells.webhooks.catalogue.table() writes it"
