"""`kovra payments` over running cells: found by what they are, page by page, and nothing of a person."""

import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from cells.backends.postgres import transaction
from cells.kit.money import format_amount
from cells.payments.machine import State
from cells.payments.store_search import Sought, search
from cells.payments.transfer import Transfer
from router.cli import payments
from router.cli.choices import UnknownChoice
from router.cli.payments import SearchContradicted, csv_of
from tests.support.reconciled_cells import Reconciled, at_home, invoke

pytestmark = pytest.mark.writes_by_hand


@pytest.fixture
async def cells(cell_database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reconciled]:
    async with at_home(cell_database, tmp_path, monkeypatch) as opened:
        yield opened


async def kovra(*arguments: str) -> Result:
    return await invoke("payments", *arguments, of=[payments.register])


async def ids(*arguments: str) -> list[str]:
    done = await kovra("list", "--json", *arguments)
    assert done.exit_code == 0, done.exception
    return [one["transfer_id"] for one in json.loads(done.stdout)["payments"]]


async def marked(cells: Reconciled, transfer: Transfer, **columns: object) -> None:
    """The journal's row as a story would have left it."""
    sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(columns, 2))
    async with transaction(cells.eu.institution.pool) as connection:
        await connection.execute(
            f"update transfers set {sets} where transfer_id = $1", transfer.transfer_id, *columns.values()
        )


async def test_payments_are_found_by_what_they_are(cells: Reconciled) -> None:
    first, second = await cells.abroad(10_000), await cells.abroad(20_000)
    small, large = first.transfer_id, second.transfer_id
    here = ("--cell", "eu-1")
    assert await ids(*here) == [large, small]
    total = format_amount(second.source_total, "EUR")
    assert await ids(*here, "--currency", "EUR", "--from-amount", total, "--to-amount", total) == [large]
    assert await ids(*here, "--currency", "IDR") == []
    assert await ids(*here, "--tenant", first.tenant_id) == [large, small]
    assert await ids(*here, "--tenant", "ten_eu1_0") == await ids(*here, "--batch", "bat_eu1_0") == []
    assert await ids(*here, "--until", "2020-01-01T00:00:00Z") == await ids(*here, "--in-doubt") == []
    await marked(cells, second, state="REFUNDED", reason_code="AC04", in_doubt=True, answer={"rail": "bi_rtgs"})
    assert await ids(*here, "--reason", "AC04") == await ids(*here, "--in-doubt") == [large]
    assert await ids(*here, "--rail", "bi_rtgs") == await ids(*here, "--status", "REFUNDED") == [large]
    assert await ids(*here, "--status", "REFUNDED", "--status", str(first.state)) != []


async def test_pages_lead_on_also_where_few_rows_fit(cells: Reconciled) -> None:
    made = [(await cells.abroad(10_000)).transfer_id for _ in range(3)]
    done = json.loads((await kovra("list", "--cell", "eu-1", "--limit", "2", "--json")).stdout)
    assert done["next"] == {"eu-1": made[1]}
    assert await ids("--cell", "eu-1", "--before", made[1]) == made[:1]
    shown: list[str] = []
    cursor = None
    async with transaction(cells.eu.institution.pool) as connection:
        while True:
            found, cursor = await search(
                connection, "EU", Sought(tenant_id=cells.wallet.tenant_id), before_id=cursor, limit=5, scanned_max=1
            )
            shown += [one.transfer_id for one in found]
            if cursor is None:
                break
    assert shown == made[::-1]


async def test_what_cannot_be_searched_for_is_refused(cells: Reconciled) -> None:
    for arguments, refusal in (
        (("--from-amount", "1.00"), SearchContradicted),
        (("--before", "tr_eu1_x"), SearchContradicted),
        (("--status", "SETTLING"), UnknownChoice),
        (("--rail", "swift"), UnknownChoice),
    ):
        assert isinstance((await kovra("list", *arguments)).exception, refusal)


async def test_blocked_funds_are_listed_with_their_sums(cells: Reconciled) -> None:
    transfer = await cells.abroad(10_000)
    await marked(cells, transfer, state=str(State.UNFREEZING))
    assert "No payment" in (await kovra("blocked", "--cell", "id-1")).stderr
    shown = (await kovra("blocked", "--cell", "eu-1")).stdout
    assert transfer.transfer_id in shown
    assert shown.count(f"{format_amount(transfer.source_total, 'EUR')} EUR") == 2


async def test_csv_has_every_column_and_no_formula(cells: Reconciled) -> None:
    transfer = await cells.abroad(10_000)
    done = await kovra("list", "--cell", "eu-1", "--csv")
    [row] = csv.DictReader(io.StringIO(done.stdout))
    assert (row["transfer_id"], row["currency"], row["rail"]) == (transfer.transfer_id, "EUR", transfer.rail_used)
    hostile = replace(transfer, reason_code="=1+1", batch_id="@x")
    [row] = csv.DictReader(io.StringIO(csv_of({"eu-1": ([hostile], None)})))
    assert (row["reason_code"], row["batch_id"]) == ("'=1+1", "'@x")
