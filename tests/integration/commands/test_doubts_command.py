"""`kovra doubts`: an operator decides on a payment that its scheme leaves in doubt; all that follows is as from the scheme's own answer."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from cells.backends.postgres import transaction
from cells.compliance.decisions import CaseClosed, Deed, ReasonInvalid
from cells.kit.operator import OperatorInvalid
from cells.payments import answers, doubts
from cells.payments.machine import State
from cells.payments.transfer import Transfer, TransferNotFound
from cells.rails import store as submissions
from cells.rails.rail import InDoubt, Refused, Settled
from cells.rails.registry import profile_of
from router.cli import doubts as command
from tests.integration.commands.test_review_command import write_keys
from tests.integration.rails.test_doubts import NOW, asked, contradicted, contradictions, late
from tests.support.officers import audited, decide, resume
from tests.support.reconciled_cells import Reconciled, at_home, invoke
from tests.support.two_cells import HandCell

UNCLEAR = InDoubt(NOW, "unclear", "BE22")


@pytest.fixture
async def cells(cell_database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reconciled]:
    monkeypatch.delenv("KOVRA_OPERATOR", raising=False)
    async with at_home(cell_database, tmp_path, monkeypatch) as opened:
        published = {one.spec.name: one.spec.entry.model_dump(mode="json") for one in (opened.eu, opened.id)}
        held = {name: {"keys": entry["keys"]} for name, entry in published.items()}
        (tmp_path / "directory.json").write_text(json.dumps({"cells": held}))
        for one in (opened.eu, opened.id):
            write_keys(tmp_path, one.institution.keys)
        yield opened


async def kovra(*arguments: str, operator: str = "ana.ops") -> Result:
    named = ["--operator", operator] if operator and arguments[0] != "list" else []
    return await invoke("doubts", *arguments, *named, of=[command.register])


async def listed(*arguments: str) -> list[dict]:
    return json.loads((await kovra("list", "--json", *arguments)).stdout)["doubts"]


async def in_doubt(cell: HandCell, transfer: Transfer, outcome: InDoubt = UNCLEAR) -> Transfer:
    """Asked for, and left in doubt by what the scheme has said."""
    await asked(cell, transfer)
    await late(cell, transfer, outcome)
    if outcome.cause not in ("unclear", "contradiction"):
        async with transaction(cell.institution.pool) as connection:
            await submissions.record(connection, cell.spec.region, [(transfer.transfer_id, outcome)])
    return transfer


async def swept(cell: HandCell, transfer: Transfer) -> Transfer:
    """A round of the sweep over answers that have reached no wallet."""
    async with transaction(cell.institution.pool) as connection:
        commands = await doubts.untold(connection, cell.spec.region, timedelta(0))
    await cell.ask(*commands) if commands else None
    return await cell.transfer(transfer.transfer_id)


async def test_a_payment_refused_for_an_unlisted_reason_is_listed_and_decided_as_settled(cells: Reconciled) -> None:
    transfer = await in_doubt(cells.eu, await cells.at_home())
    [one] = await listed("--cell", "eu-1")
    assert {name: one[name] for name in ("transfer_id", "cell", "rail", "cause", "code", "inquiries", "proposed")} == {
        "transfer_id": transfer.transfer_id, "cell": "eu-1", "rail": "sepa_instant", "cause": "unclear", "code": "BE22",
        "inquiries": 0, "proposed": None,
    }  # fmt: skip
    assert one["amount"] == {"value": "100.00", "currency": "EUR"}
    assert "BE22" in (await kovra("list", "--cell", "eu-1")).stdout
    how = ("--reason", "statement-shows-payment", "--scheme-reference", "SCT-77", "--reference", "CASE-9")
    done = await kovra("settled", transfer.transfer_id, *how)
    assert (done.exit_code, "settled, by ana.ops" in done.stdout) == (0, True), (done.output, done.exception)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.PENDING_RAIL
    paid = await swept(cells.eu, transfer)
    assert (paid.state, paid.scheme_reference) == (State.COMPLETED, "SCT-77")
    assert await listed("--cell", "eu-1") == []
    assert await audited(cells.eu) == [
        ("operator:ana.ops", "review.doubt_settled", transfer.transfer_id, "statement-shows-payment")
    ]
    again = await kovra("settled", transfer.transfer_id, *how)
    assert (again.exit_code, len(await audited(cells.eu))) == (0, 1), "who says the same again changes nothing"
    other = await kovra("refused", transfer.transfer_id, "--reason", "statement-lacks-payment")
    assert isinstance(other.exception, CaseClosed)
    assert (await cells.report()).ok


@pytest.mark.parametrize(("code", "shown"), [("BE22", "BE22"), ("ZZ99", "MS03"), ("", "MS03")])
async def test_decided_as_refused_the_money_goes_back_under_the_schemes_reason(
    cells: Reconciled, code: str, shown: str
) -> None:
    transfer = await in_doubt(cells.eu, await cells.at_home(), InDoubt(NOW, "unclear", code))
    done = await kovra("refused", transfer.transfer_id, "--reason", "scheme-confirms-refusal")
    assert done.exit_code == 0, (done.output, done.exception)
    back = await swept(cells.eu, transfer)
    assert (back.state, back.reason_code) == (State.REFUNDED, shown)
    assert (await cells.report()).ok


async def test_across_the_border_the_cell_that_pays_out_decides_and_the_origin_learns_it(cells: Reconciled) -> None:
    transfer = await cells.abroad()
    await cells.cross(cells.eu, cells.id)
    leg = await cells.id.transfer(transfer.transfer_id)
    await in_doubt(cells.id, leg)
    assert [one["cell"] for one in await listed("--cell", "id-1")] == ["id-1"]
    assert await listed("--cell", "eu-1") == []
    done = await kovra("refused", transfer.transfer_id, "--reason", "payee-bank-lacks-payment")
    assert done.exit_code == 0, (done.output, done.exception)
    await swept(cells.id, leg)
    await cells.cross(cells.id, cells.eu)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.REFUNDED
    assert (await cells.report()).ok


async def test_a_large_payment_takes_two_operators_and_another_word_of_the_scheme_makes_it_another_case(
    cells: Reconciled,
) -> None:
    await cells.deposit(20_000_000)
    transfer = await cells.at_home(10_000_000)
    for officer in ("ana.ops", "ben.ops"):
        await decide(cells.eu, transfer.transfer_id, Deed.CLEAR, officer)
    assert (await resume(cells.eu, transfer)).state is State.PENDING_RAIL
    await in_doubt(cells.eu, transfer)
    first = await kovra("refused", transfer.transfer_id, "--reason", "scheme-confirms-refusal")
    assert "proposed as refused by ana.ops" in first.stdout
    assert [one["proposed"]["officer"] for one in await listed("--cell", "eu-1")] == ["ana.ops"]
    assert (await swept(cells.eu, transfer)).state is State.PENDING_RAIL
    await late(cells.eu, transfer, InDoubt(NOW, "unclear", "RR10"))
    assert [one["proposed"] for one in await listed("--cell", "eu-1")] == [None]
    stale = await kovra("refused", transfer.transfer_id, "--reason", "scheme-confirms-refusal", operator="ben.ops")
    assert "proposed as refused by ben.ops" in stale.stdout
    done = await kovra("refused", transfer.transfer_id, "--reason", "scheme-confirms-refusal")
    assert "refused, by ben.ops+ana.ops" in done.stdout
    assert (await swept(cells.eu, transfer)).state is State.REFUNDED
    assert (await cells.report()).ok


async def test_a_later_word_that_says_the_opposite_is_alarmed(
    cells: Reconciled, caplog: pytest.LogCaptureFixture
) -> None:
    paid, back = [await in_doubt(cells.eu, await cells.at_home()) for _ in range(2)]
    await kovra("settled", paid.transfer_id, "--reason", "statement-shows-payment")
    await kovra("refused", back.transfer_id, "--reason", "statement-lacks-payment")
    for one in (paid, back):
        await swept(cells.eu, one)
    with caplog.at_level(logging.CRITICAL, "kovra.answers"):
        await late(cells.eu, paid, Refused("AC04", "Closed.", NOW))
        await late(cells.eu, back, Settled("SCT-9", NOW))
    assert [one.levelname for one in caplog.records if one.levelno >= logging.CRITICAL] == ["CRITICAL", "CRITICAL"]
    assert await contradictions(cells.eu) == [("refused", "sepa_instant"), ("settled", "sepa_instant")]
    await contradicted(cells.eu)
    assert (await cells.eu.transfer(back.transfer_id)).state is State.LOST
    assert (await cells.eu.transfer(paid.transfer_id)).state is State.COMPLETED


async def test_the_rails_actor_learns_from_its_next_inquiry_what_was_decided(cells: Reconciled) -> None:
    transfer = await in_doubt(cells.eu, await cells.at_home())
    await kovra("refused", transfer.transfer_id, "--reason", "scheme-confirms-refusal")
    async with transaction(cells.eu.institution.pool) as connection:
        for outcome in (UNCLEAR, InDoubt(NOW), InDoubt(NOW, "pending")):
            one = {transfer.transfer_id: outcome}
            standing = await answers.record(connection, "EU", transfer.rail, one, inquired=True)
            assert isinstance(standing[transfer.transfer_id], Refused)


async def test_what_cannot_be_decided_is_refused_by_name(cells: Reconciled) -> None:
    silent = await in_doubt(cells.eu, await cells.at_home(), InDoubt(NOW))
    early = await kovra("refused", silent.transfer_id, "--reason", "statement-lacks-payment")
    assert isinstance(early.exception, CaseClosed)
    assert "may still make the payment until" in str(early.exception.detail)
    final_s = profile_of(silent.rail).finality_time_s + 1
    async with transaction(cells.eu.institution.pool) as connection:
        await connection.execute("update submissions set asked_at = now() - $1::interval", timedelta(seconds=final_s))
    assert (await kovra("refused", silent.transfer_id, "--reason", "statement-lacks-payment")).exit_code == 0
    untouched = await cells.at_home()
    await asked(cells.eu, untouched)
    for arguments, operator, error in (
        (("settled", untouched.transfer_id, "--reason", "statement-shows-payment"), "ana.ops", CaseClosed),
        (("settled", silent.transfer_id, "--reason", "statement-lacks-payment"), "ana.ops", ReasonInvalid),
        (("settled", silent.transfer_id, "--reason", "statement-shows-payment"), "", OperatorInvalid),
        (("settled", "tr_eu1_" + "0" * 26, "--reason", "statement-shows-payment"), "ana.ops", TransferNotFound),
    ):
        refusal = await kovra(*arguments, operator=operator)
        assert isinstance(refusal.exception, error), (arguments, refusal.exception, refusal.output)
