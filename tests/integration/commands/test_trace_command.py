"""`kovra trace` as an operator runs it: payments of every ending, under way, in region, and one that nobody knows."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from cells.kit.money import money
from cells.payments.watch import minted_at
from residency.errors import KovraError
from router.cli import trace
from tests.integration.payments.test_returns import back
from tests.support.reconciled_cells import Reconciled, at_home, invoke

# Whoever pays and whoever is paid in these cells, and their accounts.
PERSONAL = ("Budi", "Santoso", "Astrid", "Lindqvist", "Weiß", "Storgatan", "1234567890", "DE8937", "P-88231177")


@pytest.fixture
async def cells(cell_database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reconciled]:
    async with at_home(cell_database, tmp_path, monkeypatch) as opened:
        yield opened


run = partial(invoke, of=[trace.register])


async def traced(transfer_id: str, *options: str) -> dict:
    result = await run(transfer_id, "--json", *options)
    assert result.exit_code == 0, (result.output, result.exception)
    assert not [word for word in PERSONAL if word in result.output]
    return json.loads(result.stdout)


async def test_a_completed_payment_is_told_from_both_cells(cells: Reconciled) -> None:
    transfer = await cells.complete(await cells.abroad())
    journey = await traced(transfer.transfer_id)
    origin, destination = journey["legs"]
    assert (origin["cell"], origin["leg"], origin["state"]) == ("eu-1", "origin", "COMPLETED")
    assert (destination["cell"], destination["leg"], destination["state"]) == ("id-1", "destination", "COMPLETED")
    assert journey["at_rest"] is True
    events = [step["event"] for step in origin["steps"]]
    assert events == ["accepted", "held", "instruct", "receipted", "answered", "settled", "posted"]
    assert all(step["ms"] is not None for step in origin["steps"])
    assert destination["steps"][0]["ms"] is None, "what one cell's clock says is not taken from another's"
    exported, admitted = origin["crossings"][0], destination["crossings"][0]
    assert exported["envelope_sha256"] == admitted["envelope_sha256"]
    assert exported["crossed_fields"] == admitted["crossed_fields"] != []
    assert {one["phase"] for one in origin["postings"]} == {"pending", "post"}
    assert {one["debit"] for one in origin["postings"]} >= {"TENANT_WALLET"}
    assert [one["event_type"] for one in origin["deliveries"]][-1] == "transfer.completed"
    table = await run(transfer.transfer_id)
    assert table.exit_code == 0, table.exception
    assert not [word for word in PERSONAL if word in table.output]
    for shown in (
        "COMPLETED",
        "rail_settled",
        "REGIONAL_SETTLEMENT",
        exported["envelope_sha256"][:16],
        journey["trace_id"],
    ):
        assert shown in table.output


def posted(journey: dict, cell: str) -> dict[tuple[str, str], tuple[str, ...]]:
    return {
        (one["account"], one["debit"]["currency"]): tuple(
            one[side]["value"] for side in ("debit", "credit", "held_debit", "held_credit")
        )
        for one in journey["accounts"]
        if one["cell"] == cell
    }


async def test_the_price_and_what_each_account_was_moved_by(cells: Reconciled) -> None:
    transfer = await cells.complete(await cells.abroad())
    journey = await traced(transfer.transfer_id)
    origin, destination = journey["legs"]
    price = origin["price"]
    parts = [Decimal(price[name]["value"]) for name in ("principal", "margin", "fee")]
    assert sum(parts) == Decimal(price["source"]["value"]) == 1000
    assert price["margin_bps"] > 0
    assert destination["price"] is None
    arrives = price["target"]["value"]
    assert posted(journey, "eu-1") == {
        ("TENANT_WALLET", "EUR"): ("1000.00", "0.00", "0.00", "0.00"),
        ("FX_POSITION", "EUR"): ("0.00", price["principal"]["value"], "0.00", "0.00"),
        ("FX_MARGIN", "EUR"): ("0.00", price["margin"]["value"], "0.00", "0.00"),
        ("FEE_REVENUE", "EUR"): ("0.00", price["fee"]["value"], "0.00", "0.00"),
        ("FX_POSITION", "IDR"): (arrives, "0.00", "0.00", "0.00"),
        ("REGIONAL_SETTLEMENT id-1", "IDR"): ("0.00", arrives, "0.00", "0.00"),
    }
    assert posted(journey, "id-1")["PENDING_OUTBOUND", "IDR"] == (arrives, arrives, "0.00", "0.00")
    table = (await run(transfer.transfer_id)).output
    for shown in (
        "1000.00 EUR leaves the wallet",
        f"EUR/IDR at {price['rate']}",
        "Accounts of id-1",
        "in all",
    ):
        assert shown in table


async def test_the_path_is_timed_from_the_door_through_both_cells(cells: Reconciled) -> None:
    transfer = await cells.complete(await cells.abroad())
    path = (await traced(transfer.transfer_id))["path"]
    assert (path[0]["room"], path[0]["event"]) == ("door", "accepted")
    assert [(one["from_cell"], one["cell"]) for one in path if one["from_cell"] != one["cell"]] == [
        ("eu-1", "id-1"), ("id-1", "eu-1"),
    ]  # fmt: skip
    assert "rail bi_fast" in [one["room"] for one in path]
    assert "receipted" not in [one["event"] for one in path]
    took_ms = (datetime.fromisoformat(path[-1]["until"]) - minted_at(transfer.transfer_id)).total_seconds() * 1000
    assert sum(one["ms"] for one in path) == pytest.approx(took_ms, abs=0.1)


async def test_the_steps_fit_a_terminal_of_eighty_columns(cells: Reconciled) -> None:
    transfer = await cells.complete(await cells.abroad())
    lines = (await run(transfer.transfer_id)).output.splitlines()
    start = lines.index("Steps, with the time since the cell's last")
    table = [line.rstrip() for line in lines[start + 1 : lines.index("", start)]]
    assert table[0].split() == ["time", "(UTC)", "cell", "room", "step", "state", "ms"]
    assert max(map(len, table)) <= 80, table
    assert not [line for line in table if "key_" in line]


async def test_a_hold_is_shown_until_it_is_resolved(cells: Reconciled) -> None:
    transfer = await cells.abroad()
    journey = await traced(transfer.transfer_id)
    assert posted(journey, "eu-1")["TENANT_WALLET", "EUR"] == ("0.00", "0.00", "1000.00", "0.00")
    assert "held debit" in (await run(transfer.transfer_id)).output
    journey = await traced((await cells.refund(transfer)).transfer_id)
    assert set(posted(journey, "eu-1").values()) == {("0.00",) * 4}
    assert all(one["amount"] for one in journey["legs"][0]["postings"])
    assert "held debit" not in (await run(transfer.transfer_id)).output


async def test_both_customs_logs_are_compared_and_verified_when_asked(cells: Reconciled) -> None:
    transfer = await cells.abroad()
    await cells.eu.export()
    [way] = (await traced(transfer.transfer_id))["border"]
    assert (way["exported"], way["in_flight"], way["differ"]) == (1, 1, [])
    assert "0 of 1 the same in both logs, 1 not in the other log yet" in (await run(transfer.transfer_id)).output


async def test_a_customs_log_that_was_changed_is_named_with_its_entry(cells: Reconciled) -> None:
    await cells.complete(await cells.abroad())
    transfer = await cells.complete(await cells.abroad())
    journey = await traced(transfer.transfer_id, "--verify-customs")
    assert [leg["chain"] for leg in journey["legs"]] == [{"entries": 4, "broken_at": None, "fault": None}] * 2
    assert [(one["from_cell"], one["exported"], one["in_flight"], one["differ"]) for one in journey["border"]] == [
        ("eu-1", 1, 0, []), ("id-1", 1, 0, []),
    ]  # fmt: skip
    assert "the chain of all 4 entries holds" in (await run(transfer.transfer_id, "--verify-customs")).output
    await cells.tamper(cells.id, "UPDATE customs_log SET kind = 'settled' WHERE position = 1")
    await cells.tamper(cells.id, "UPDATE customs_log SET allow_list = allow_list + 1 WHERE position = 3")
    journey = await traced(transfer.transfer_id, "--verify-customs")
    assert [leg["chain"]["broken_at"] for leg in journey["legs"]] == [None, 1]
    assert journey["border"][0]["differ"] == ["2 other-bytes"]
    shown = (await run(transfer.transfer_id, "--verify-customs")).output
    assert "BREAKS at entry 1" in shown
    assert "DIFFERENT (2 other-bytes)" in shown
    assert [leg["chain"] for leg in (await traced(transfer.transfer_id))["legs"]] == [None, None]


async def test_what_came_back_is_told_in_each_cell(cells: Reconciled) -> None:
    transfer = await cells.complete(await cells.abroad())
    await cells.id.receive_return(back(transfer, 1_000_000, "RTR-1"))
    await cells.eu.admit(await cells.id.export())
    origin, destination = (await traced(transfer.transfer_id))["legs"]
    told = [(one["number"], one["amount"], one["state"], one["reason_code"]) for one in destination["returns"]]
    assert told == [(1, money(1_000_000, "IDR"), "exported", "AC04")]
    [booked] = origin["returns"]
    assert (booked["state"], booked["scheme_reference"]) == ("booked", "RTR-1")
    assert Decimal(booked["credited"]["value"]) > 0
    table = (await run(transfer.transfer_id)).output
    assert "Returns at eu-1" in table
    assert "RTR-1" in table


async def test_a_payment_under_way_is_told_as_far_as_it_has_come(cells: Reconciled) -> None:
    transfer = await cells.abroad()
    journey = await traced(transfer.transfer_id)
    assert [leg["state"] for leg in journey["legs"]] == ["FUNDS_HELD"]
    assert journey["at_rest"] is False
    await cells.cross(cells.eu, cells.id)
    journey = await traced(transfer.transfer_id)
    assert [leg["state"] for leg in journey["legs"]] == ["PENDING_RAIL", "PENDING_RAIL"]
    assert "under way" in (await run(transfer.transfer_id)).output


async def test_a_refused_payment_says_why_and_one_at_home_has_one_leg(cells: Reconciled) -> None:
    refused = await traced((await cells.refund(await cells.abroad())).transfer_id)
    assert (refused["legs"][0]["state"], refused["legs"][0]["reason_code"]) == ("REFUNDED", "AC04")
    at_home = await traced((await cells.at_home()).transfer_id)
    assert [(leg["leg"], leg["crossings"]) for leg in at_home["legs"]] == [("in_region", [])]


async def test_a_cell_that_does_not_answer_is_named_and_the_rest_is_told(cells: Reconciled, tmp_path: Path) -> None:
    transfer = await cells.complete(await cells.abroad())
    (tmp_path / "eu-1" / "cell.json").unlink()
    journey = await traced(transfer.transfer_id)
    assert [leg["cell"] for leg in journey["legs"]] == ["id-1"]
    assert journey["unreached"]["eu-1"] == "settings-invalid"


@pytest.mark.parametrize(
    ("transfer_id", "code"),
    [
        ("tr_eu1_06gvn33gkhpl79p3v9kuo71k58", "transfer-not-found"),
        ("tr_eu1_oops", "malformed-id"),
        ("tr_xx9_06gvn33gkhpl79p3v9kuo71k58", "unknown-cell"),
    ],
)
async def test_what_nobody_knows_is_an_error_that_says_so(cells: Reconciled, transfer_id: str, code: str) -> None:
    result = await run(transfer_id)
    assert isinstance(result.exception, KovraError)
    assert result.exception.code == code
