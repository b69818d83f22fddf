"""Status reports on record: which of them end a payment, which contradict, and which are about another message of ours."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from cells.backends.postgres import transaction
from cells.journal.entry import Author
from cells.payments import answers as recorded
from cells.payments import doubts
from cells.payments.machine import State
from cells.payments.transfer import Transfer
from cells.rails import store_messages
from cells.rails.connection import sign
from cells.rails.inbound import read_inbound
from cells.rails.iso20022.payments import message_id
from cells.rails.rail import InDoubt, Refused, ReturnReceived, Settled, end_to_end_id, transaction_id, uetr
from cells.rails.store_messages import WireMessage
from cells.reconciliation import store_gauges
from cells.returns import recalls
from infra.schemes.credits import credit_message
from tests.integration.api.test_api_payment import pay, until_final, wish
from tests.integration.api.test_api_suspense import cell
from tests.integration.rails.test_doubts import (
    NOW,
    PAID,
    REFUSED,
    asked,
    at_home,
    contradicted,
    contradictions,
    late,
    loss,
)
from tests.support.api_cell import RAIL_SECRETS, ApiCell, credit_to
from tests.support.two_cells import HandCell, TwoCells, open_two_cells
from tests.unit.cells.rails.test_bank_statements import bal, camt053, camt054, entry, stmt
from tests.unit.cells.rails.test_status_reports import group, line, pacs002, why

BY = Author("operator:ana.ops")

__all__ = ["cell"]
BOTH, UNCLEAR = InDoubt(NOW, "contradiction"), InDoubt(NOW, "unclear", "BE22")


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[TwoCells]:
    async with open_two_cells(cell_database) as opened:
        yield opened


async def gauge(cell: HandCell) -> dict[tuple[str, str], int]:
    async with transaction(cell.institution.pool) as connection:
        return await store_gauges.contradictions(connection, cell.spec.region)


async def answered(cell: HandCell, transfer: Transfer, outcome: InDoubt | Refused | Settled) -> list[object]:
    """An inquiry's answer, recorded as the rail's actor does; what stands beside it."""
    async with transaction(cell.institution.pool) as connection:
        one = {transfer.transfer_id: outcome}
        return list((await recorded.record(connection, "EU", transfer.rail, one, inquired=True)).values())


async def inquiries(cell: HandCell) -> tuple[int, str | None]:
    async with transaction(cell.institution.pool) as connection:
        row = await connection.fetchrow("select inquiries, in_doubt_cause from submissions")
    assert row is not None
    return row["inquiries"], row["in_doubt_cause"]


async def test_a_report_that_says_both_is_on_record_alarmed_and_ends_nothing(
    cells: TwoCells, caplog: pytest.LogCaptureFixture
) -> None:
    _, transfer = await at_home(cells)
    await asked(cells.eu, transfer)
    for _ in range(2):
        assert await late(cells.eu, transfer, BOTH) == []
    assert await contradictions(cells.eu) == [("both", "sepa_instant")]
    assert await gauge(cells.eu) == {("sepa_instant", "settled_and_refused"): 1}
    assert [one.levelname for one in caplog.records if transfer.transfer_id in one.getMessage()] == ["CRITICAL"]
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.PENDING_RAIL
    assert await inquiries(cells.eu) == (0, "contradiction"), "nobody asked, so it is no inquiry in vain"
    # It is asked again, and the answer to that stands.
    assert await answered(cells.eu, transfer, BOTH) == []
    assert await inquiries(cells.eu) == (1, "contradiction")
    await late(cells.eu, transfer, PAID)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.COMPLETED
    assert await contradicted(cells.eu) == []


async def test_an_inquiry_that_contradicts_a_late_word_is_on_record_and_moves_nothing(cells: TwoCells) -> None:
    _, transfer = await at_home(cells)
    await asked(cells.eu, transfer)
    await late(cells.eu, transfer, PAID)
    [standing] = await answered(cells.eu, transfer, REFUSED)
    assert isinstance(standing, Settled)
    assert await answered(cells.eu, transfer, PAID) == []
    assert await contradictions(cells.eu) == [("refused", "sepa_instant")]
    assert await gauge(cells.eu) == {("sepa_instant", "refused_after_settled"): 1}


async def test_paid_by_an_inquiry_after_a_late_refusal_is_the_houses_loss(cells: TwoCells) -> None:
    _, transfer = await at_home(cells)
    await asked(cells.eu, transfer)
    await late(cells.eu, transfer, REFUSED)
    [standing] = await answered(cells.eu, transfer, PAID)
    assert isinstance(standing, Refused)
    await contradicted(cells.eu)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.LOST
    assert await loss(cells.eu, 978) == transfer.principal


async def test_a_refusal_for_no_reason_that_we_know_contradicts_only_what_was_settled(cells: TwoCells) -> None:
    _, transfer = await at_home(cells)
    await asked(cells.eu, transfer)
    assert await late(cells.eu, transfer, UNCLEAR) == []
    assert await contradictions(cells.eu) == []
    assert await inquiries(cells.eu) == (0, "unclear")
    await late(cells.eu, transfer, PAID)
    await late(cells.eu, transfer, UNCLEAR)
    assert await contradictions(cells.eu) == [("refused", "sepa_instant")]
    await late(cells.eu, transfer, InDoubt(NOW, "pending", "DU03"))
    assert len(await contradictions(cells.eu)) == 1, "the second copy was refused, and the first is paid"


async def test_a_late_status_of_a_whole_message_is_that_of_the_payments_which_we_sent_in_it(cells: TwoCells) -> None:
    _, transfer = await at_home(cells)
    await asked(cells.eu, transfer)
    reference = end_to_end_id(transfer.transfer_id)
    own_id, rail = message_id("P", [reference]), transfer.rail
    sent = WireMessage(rail, "sent", "pacs.008.001.08", (reference, own_id), datetime.now(UTC), b"<Document/>")
    async with transaction(cells.eu.institution.pool) as connection:
        await store_messages.keep(connection, cells.eu.institution.vault, [sent, sent])
        named = {}
        for to, status, count in ((own_id, "ACCP", 1), (own_id, "ACCP", 2), ("P-another", "ACCP", 0)):
            report = read_inbound(rail, pacs002(group(status, to=to, count=count))).report
            named[to, count] = await doubts.named_by_messages(connection, "EU", rail, report.groups)
        assert await doubts.named_by_messages(connection, "EU", "sepa_credit_transfer", report.groups) == {}
    assert isinstance(named[own_id, 1][reference], Settled)
    assert isinstance(named[own_id, 2][reference], InDoubt)
    assert named["P-another", 0] == {}


async def sent_to_us(cell: ApiCell, body: bytes, rail: str = "sepa_instant") -> httpx.Response:
    headers = sign(RAIL_SECRETS[rail].encode(), body, datetime.now(UTC))
    return await cell.anyone.post(f"/rails/{rail}/inbound", content=body, headers=headers)


async def test_what_a_scheme_says_of_our_other_messages_is_kept_and_ends_no_payment(cell: ApiCell) -> None:
    await cell.fund()
    made = (await pay(cell, await wish(cell))).json()
    done = await until_final(cell, made["id"])
    assert done["status"] == "COMPLETED"
    reference = end_to_end_id(made["id"])
    tx_id = transaction_id(reference)
    for name in ("pacs.028.001.03", "pacs.004.001.09", "camt.056.001.08"):
        for body in (
            pacs002(group("RJCT", why("FF01"), name=name)),
            pacs002(group(name=name), line(reference, "RJCT", why("AC04"), tx_id=tx_id)),
        ):
            assert (await sent_to_us(cell, body)).status_code == 204
    async with transaction(cell.parts.writer) as connection:
        assert await connection.fetchval("select count(*) from contradictions") == 0
        kept = await store_messages.about(connection, "EU", [reference])
    assert [one.message_type for one in kept].count("pacs.002.001.10") == 4
    assert (await cell.client.get(f"/v1/transfers/{made['id']}")).json()["status"] == "COMPLETED"


async def test_a_recall_that_the_scheme_does_not_pass_on_is_refused_by_it(cell: ApiCell) -> None:
    await cell.fund()
    made = (await pay(cell, await wish(cell))).json()
    await until_final(cell, made["id"])
    async with transaction(cell.parts.writer) as connection:
        row = await recalls.ask(connection, cell.spec.entry, made["id"], "DUPL", BY)
        case_id = message_id("C", [row.case_id])
        sent = WireMessage(
            row.rail, "sent", "camt.056.001.08", (row.end_to_end_id, case_id), datetime.now(UTC), b"<a/>"
        )
        await store_messages.keep(connection, cell.parts.institution.vault, [sent])
    about = {"name": "camt.056.001.08", "to": case_id}
    assert (await sent_to_us(cell, pacs002(group("RJCT", why("DUPL"), **about)))).status_code == 204
    assert await _recall(cell, row.recall_id) == ("asking", None)
    assert (await sent_to_us(cell, pacs002(group("RJCT", why("FF01"), **about)))).status_code == 204
    assert await _recall(cell, row.recall_id) == ("refused", "FF01")


async def _recall(cell: ApiCell, recall_id: str) -> tuple[str, str | None]:
    async with transaction(cell.parts.writer) as connection:
        row = await connection.fetchrow("select state, answer_code from recalls where recall_id = $1", recall_id)
    assert row is not None
    return row["state"], row["answer_code"]


async def test_statements_and_notices_are_taken_at_the_door_and_headers_held(
    cell: ApiCell, caplog: pytest.LogCaptureFixture
) -> None:
    good = stmt(bal("OPBD", "1000") + bal("CLBD", "1600"), entry("600"))
    wrong = stmt(bal("OPBD", "1000") + bal("CLBD", "1601"), entry("600"), name="ST2")
    taken = (camt053(good), camt053(good, wrong), camt054(entry("10", status="PDNG")))
    assert [(await sent_to_us(cell, body)).status_code for body in taken] == [204] * 3
    assert [one for one in caplog.records if "'ST2'" in one.getMessage() and one.levelname == "ERROR"]
    assert (await sent_to_us(cell, camt053(wrong))).status_code == 400
    account = {"iban": cell.wallets["EUR"].account_number}
    credit = credit_message(credit_to(account, 1_000, scheme_reference="IN-9"))
    header = b'</NbOfTxs><TtlIntrBkSttlmAmt Ccy="EUR">%s</TtlIntrBkSttlmAmt>'
    answer = await sent_to_us(cell, credit.replace(b"</NbOfTxs>", header % b"1000.00"))
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "rail-message-invalid")
    assert "total" in answer.json()["detail"]
    assert (await sent_to_us(cell, credit.replace(b"</NbOfTxs>", header % b"10.00"))).status_code == 200


async def test_a_late_report_and_a_return_by_uetr_alone_are_the_payments(cells: TwoCells) -> None:
    _, transfer = await at_home(cells)
    await asked(cells.eu, transfer)
    reference = end_to_end_id(transfer.transfer_id)
    named, stranger = uetr(reference), uetr(end_to_end_id("tr_eu1_" + "0" * 26))
    report = read_inbound(
        "sepa_instant", pacs002(line("", "ACSC", unique=named), line("", "ACSC", unique=stranger))
    ).report
    async with transaction(cells.eu.institution.pool) as connection:
        answers = await doubts.named_by_ids(connection, "EU", report.answers)
        assert set(answers) == {reference, stranger}
        commands = await doubts.take_late_answers(connection, "EU", transfer.rail, answers)
    await cells.eu.ask(*commands)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.COMPLETED
    back = ReturnReceived(
        "sepa_instant", "RTR-1", "", "", transfer.principal, "EUR", "AC04", datetime.now(UTC), uetr=named
    )
    reception = await cells.eu.receive_return(back)
    assert (reception.refusals, [one.transfer_id for one in reception.rows]) == ({}, [transfer.transfer_id])
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.RETURNED
    unknown = replace(back, scheme_reference="RTR-2", uetr=stranger)
    assert "RTR-2" in (await cells.eu.receive_return(unknown)).refusals
