"""A credit that its sender asks back: on record once, and answered with a refusal that the scheme takes."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from actors.workers.recalls import RecallAnswers
from cells.backends.postgres import transaction
from cells.rails.connection import sign
from infra.schemes.messages_returns import recall_message
from tests.api_cell import RAIL_SECRETS, ApiCell, credit_to, open_api_cell


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def recalled(cell: ApiCell, recall_id: str, reference: str) -> int:
    body = recall_message(recall_id, "NOTPROVIDED", reference, 500_000, "EUR", "DUPL")
    headers = sign(RAIL_SECRETS["sepa_instant"].encode(), body, datetime.now(UTC))
    return (await cell.anyone.post("/rails/sepa_instant/inbound", content=body, headers=headers)).status_code


async def record(cell: ApiCell) -> list[tuple[str, str, str | None, bool]]:
    async with transaction(cell.parts.writer) as connection:
        rows = await connection.fetch("select * from recalls order by recall_id")
    return [(row["recall_id"], row["state"], row["answer_code"], row["tenant_id"] is not None) for row in rows]


async def test_a_recall_is_on_record_once_and_refused(cell: ApiCell) -> None:
    await cell.inbound(
        "sepa_instant", credit_to({"iban": cell.wallets["EUR"].account_number}, 500_000, scheme_reference="IN-1")
    )
    for _ in range(2):
        assert await recalled(cell, "RC-1", "IN-1") == 204
    assert await recalled(cell, "RC-2", "IN-UNKNOWN") == 204
    assert await record(cell) == [("RC-1", "asked", None, True), ("RC-2", "asked", None, False)]
    worker = RecallAnswers(replace(cell.parts.institution, pool=cell.parts.writer))
    await worker.round("sepa_instant")
    await worker.round("sepa_instant")
    assert await record(cell) == [("RC-1", "kept", "CUST", True), ("RC-2", "kept", "NOOR", False)]
    assert worker.health() == {"answered": 2}
