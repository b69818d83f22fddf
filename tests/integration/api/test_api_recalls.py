"""Recalls both ways: credits that their senders ask back, and payments that we ask back; each once, each with its end."""

import asyncio
import json
from datetime import UTC, datetime

import httpx
import pytest
from typer.testing import CliRunner

from actors.workers.give_backs import GiveBacks
from actors.workers.recalls import RecallMessages
from actors.workers.sweep import Sweep
from cells.backends.postgres import transaction
from cells.journal.entry import Author
from cells.payments.transfer import TransferNotFound
from cells.rails import store_recalls
from cells.rails.connection import sign
from cells.rails.console import SchemeConsole
from cells.rails.rail import Account, Party
from cells.rails.store_recalls import RecallRow
from cells.resolutions import decide
from cells.resolutions import store as store_orders
from cells.returns import recalls
from cells.returns.recalls import NotRecallable, RecallDecided, RecallNotFound
from infra.schemes.messages_returns import Cancellation, recall_message, refusal_of_recall
from residency.ids import mint
from router.cli.main import build
from tests.integration.api.test_api_payment import pay, until_final, wish
from tests.integration.api.test_api_suspense import cell, host_of
from tests.support.api_cell import RAIL_SECRETS, RECIPIENT, ApiCell, credit_to
from tests.support.schemes import RunningSchemes
from tests.support.waiting import until

BY = Author("operator:ana.ops")

__all__ = ["cell"]
RAIL = "sepa_instant"


async def sent_to_us(cell: ApiCell, body: bytes) -> httpx.Response:
    headers = sign(RAIL_SECRETS[RAIL].encode(), body, datetime.now(UTC))
    return await cell.anyone.post(f"/rails/{RAIL}/inbound", content=body, headers=headers)


async def recalled(cell: ApiCell, case_id: str, reference: str) -> None:
    body = recall_message(case_id, "NOTPROVIDED", reference, 500_000, "EUR", "DUPL")
    assert (await sent_to_us(cell, body)).status_code == 204


async def record(cell: ApiCell) -> dict[str, RecallRow]:
    """All recalls by the scheme's id of the case."""
    async with transaction(cell.parts.writer) as connection:
        return {one.case_id: one for one in await store_recalls.latest(connection, "EU", 100)}


async def state(cell: ApiCell, case_id: str) -> tuple[str, str | None]:
    found = (await record(cell))[case_id]
    return found.state, found.answer_code


async def asked_back(cell: ApiCell, transfer_id: str) -> RecallRow:
    async with transaction(cell.parts.writer) as connection:
        return await recalls.ask(connection, cell.spec.entry, transfer_id, "DUPL", BY)


async def test_what_is_no_credit_of_ours_is_refused_by_itself_and_the_rest_waits_for_a_person(cell: ApiCell) -> None:
    account = {"iban": cell.wallets["EUR"].account_number}
    await cell.inbound(RAIL, credit_to(account, 500_000, scheme_reference="IN-1"))
    for _ in range(2):
        await recalled(cell, "RC-1", "IN-1")
    await recalled(cell, "RC-2", "IN-UNKNOWN")
    assert [await state(cell, one) for one in ("RC-1", "RC-2")] == [("asked", None), ("refusing", "NOOR")]
    worker = RecallMessages(host_of(cell))
    await worker.round(RAIL)
    assert [await state(cell, one) for one in ("RC-1", "RC-2")] == [("asked", None), ("refused", "NOOR")]
    found = (await record(cell))["RC-1"]
    assert found.tenant_id == cell.tenant.tenant_id
    async with transaction(cell.parts.writer) as connection:
        kept = await recalls.refuse(connection, cell.spec.entry, found.recall_id, "CUST", BY)
    assert (kept.state, kept.answer_code) == ("refusing", "CUST")
    for _ in range(2):
        await worker.round(RAIL)
    assert (await state(cell, "RC-1"), worker.health()) == (("refused", "CUST"), {"told": 2, "aside": 0})
    for recall_id, error in ((found.recall_id, RecallDecided), (mint("rcl", "eu-1"), RecallNotFound)):
        with pytest.raises(error):
            async with transaction(cell.parts.writer) as connection:
                await recalls.accept(connection, cell.spec.entry, recall_id, BY)


async def test_a_recalled_credit_goes_back_out_of_the_wallet_once(cell: ApiCell, schemes: RunningSchemes) -> None:
    reference, wallet = mint("req", "eu-1")[-20:], cell.wallets["EUR"]
    async with SchemeConsole(schemes.connection(RAIL)) as console:
        payer = Party("Müller GmbH", Account("iban", "DE89370400440532013000"))
        await console.collect(70_000, "EUR", Account("iban", wallet.account_number), payer, scheme_reference=reference)

        async def credited() -> bool:
            async with transaction(cell.parts.writer) as connection:
                return bool(await connection.fetchval("select count(*) from collections where state = 'credited'"))

        await until(credited)
        case_id = await console.recall(reference, "FRAD")

        async def came() -> bool:
            return case_id in await record(cell)

        await until(came)
        async with transaction(cell.parts.writer) as connection:
            order = await recalls.accept(connection, cell.spec.entry, (await record(cell))[case_id].recall_id, BY)
        assert (order.reason_code, await state(cell, case_id)) == ("FOCR", ("granting", None))
        sweep, worker = Sweep(host_of(cell), cell.parts.wallets), GiveBacks(host_of(cell), cell.parts.wallets)
        stop = asyncio.Event()
        tasks = [asyncio.create_task(one.run(stop)) for one in (sweep, worker)]

        async def granted() -> bool:
            return (await state(cell, case_id))[0] == "granted"

        await until(granted)
        stop.set()
        await asyncio.gather(*tasks)
        [given] = (await console.collection(reference))["given_back"]
    assert (given["return_id"], given["asked"], given["status"], given["why"]) == (
        order.return_id,
        1,
        "accepted",
        "FOCR",
    )
    shown = (await cell.client.get(f"/v1/wallets/{wallet.wallet_id}")).json()
    assert (shown["available"]["value"], shown["held"]["value"]) == ("0.00", "0.00")
    events = (await cell.client.get("/v1/events")).json()["data"]
    assert sorted(one["type"] for one in events) == ["wallet.credit_returned", "wallet.credited"]
    await recalled(cell, "RC-LATE", reference)
    assert await state(cell, "RC-LATE") == ("refusing", "ARDT")


async def test_a_recall_that_the_wallet_cannot_pay_waits_for_a_person_again(cell: ApiCell) -> None:
    account = {"iban": cell.wallets["EUR"].account_number}
    await cell.inbound(RAIL, credit_to(account, 500_000, scheme_reference="IN-1"))
    made = (await pay(cell, await wish(cell))).json()
    await until_final(cell, made["id"])
    await recalled(cell, "RC-1", "IN-1")
    async with transaction(cell.parts.writer) as connection:
        order = await recalls.accept(connection, cell.spec.entry, (await record(cell))["RC-1"].recall_id, BY)
    await cell.parts.wallets.ask(order.command())
    assert await state(cell, "RC-1") == ("asked", None)
    async with transaction(cell.parts.writer) as connection:
        assert (await store_orders.load(connection, "EU", [order.order_id]))[order.order_id].answer_code == "AM04"
        again = await decide.give_back(connection, cell.spec.entry, order.collection_id, "", BY, of_wallets=True)
    assert again.number == 2


async def test_a_payment_that_is_asked_back_comes_back_once(cell: ApiCell, schemes: RunningSchemes) -> None:
    await cell.fund()
    made = (await pay(cell, await wish(cell))).json()
    with pytest.raises((NotRecallable, TransferNotFound)):
        await asked_back(cell, mint("tr", "eu-1"))
    await until_final(cell, made["id"])
    asked = await asked_back(cell, made["id"])
    with pytest.raises(NotRecallable):
        await asked_back(cell, made["id"])
    worker = RecallMessages(host_of(cell))
    for _ in range(2):
        await worker.round(RAIL)

    async def back() -> bool:
        found = (await cell.client.get(f"/v1/transfers/{made['id']}")).json()
        return found["status"] == "RETURNED"

    await until(back)
    assert (await record(cell))[asked.case_id].state == "granted"
    async with SchemeConsole(schemes.connection(RAIL)) as console:
        [payment] = (await console.payment(asked.end_to_end_id))["payments"]
    assert [(one["recall_id"], one["asked"]) for one in payment["recalls"]] == [(asked.case_id, 1)]
    with pytest.raises(NotRecallable):
        await asked_back(cell, made["id"])


async def test_the_payees_bank_may_say_no(cell: ApiCell, schemes: RunningSchemes) -> None:
    await cell.fund()
    stubborn = await cell.recipient(**{**RECIPIENT, "name": "Sandbox Recall Refused"})
    made = (await pay(cell, {**await wish(cell), "recipient_id": stubborn})).json()
    await until_final(cell, made["id"])
    told = await asyncio.to_thread(CliRunner().invoke, build(), ["recall", "ask", made["id"], "--json"])
    async with transaction(cell.parts.writer) as connection:
        trail = await connection.fetch("SELECT actor, action, resource_id FROM audit_log WHERE actor LIKE 'operator:%'")
    assert [tuple(one) for one in trail] == [("operator:ana.ops", "recall.ask", made["id"])]
    asked = (await record(cell))[json.loads(told.stdout)["case_id"]]
    await RecallMessages(host_of(cell)).round(RAIL)

    async def refused() -> bool:
        return await state(cell, asked.case_id) == ("refused", "CUST")

    await until(refused)
    assert (await cell.client.get(f"/v1/transfers/{made['id']}")).json()["status"] == "COMPLETED"
    again = await asked_back(cell, made["id"])
    assert again.state == "asking"
    listed = await asyncio.to_thread(CliRunner().invoke, build(), ["recalls", "--cell", "eu-1", "--json"])
    assert [one["state"] for one in json.loads(listed.stdout)["recalls"]] == ["asking", "refused"]


async def test_an_answer_to_no_recall_of_ours_changes_nothing(cell: ApiCell) -> None:
    stranger = Cancellation("RC-9", "tr-eu1-00000000000000000000000000", "tr", "DUPL")
    assert (await sent_to_us(cell, refusal_of_recall("K1", [stranger], "CUST"))).status_code == 204
    assert await record(cell) == {}
