"""A deposit to an unknown account, from the scheme simulator to the desk of an operator: assigned, or returned by a pacs.004, once."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import uvicorn
from typer.testing import CliRunner

from actors.workers.give_backs import GiveBacks
from actors.workers.sweep import Sweep
from cells.backends.postgres import transaction
from cells.cell import Institution
from cells.journal.entry import Author
from cells.rails import registry, store_collections
from cells.rails.console import SchemeConsole
from cells.rails.rail import Account, Party, Settled
from cells.rails.store_collections import CollectionRow
from cells.resolutions import decide
from cells.resolutions import store as store_orders
from residency.ids import mint
from router.cli.main import build
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.schemes import RunningSchemes
from tests.support.waiting import until

BY = Author("operator:ana.ops")

RAIL = "sepa_credit_transfer"
NOBODY = Account("iban", "DE89370400440532013000")


@pytest.fixture
async def cell(cell_database, schemes: RunningSchemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    """The cell where the scheme expects it."""
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        server = uvicorn.Server(
            uvicorn.Config(opened.app, port=schemes.gateway_port, log_level="warning", lifespan="off")
        )
        serving = asyncio.create_task(server.serve())
        yield opened
        server.should_exit = True
        await serving


def host_of(cell: ApiCell) -> Institution:
    """What the cell's host has, with schemes that are open at all hours."""
    settings = cell.spec.settings
    always = {name: one.model_copy(update={"keeps_hours": False}) for name, one in settings.schemes.items()}
    spec = replace(cell.spec, settings=settings.model_copy(update={"schemes": always}))
    return replace(cell.parts.institution, spec=spec, pool=cell.parts.writer)


async def arrived(cell: ApiCell, schemes: RunningSchemes, reference: str) -> CollectionRow:
    """A deposit to nobody's account, at rest."""
    async with SchemeConsole(schemes.connection(RAIL)) as console:
        await console.collect(
            70_000, "EUR", NOBODY, Party("Müller GmbH", NOBODY), scheme_reference=reference, deliveries=2
        )

        async def delivered() -> bool:
            return (await console.collection(reference))["deliveries"] == 2

        await until(delivered)
        assert (await console.collection(reference))["status"] == "accepted"
    rows: list[CollectionRow] = []

    async def resting() -> bool:
        async with transaction(cell.parts.writer) as connection:
            rows[:] = await store_collections.suspended(connection, "EU", 10)
        return bool(rows)

    await until(resting)
    [row] = rows
    assert row.scheme_reference == reference
    return row


async def test_a_deposit_to_nobody_is_assigned_and_the_partner_told(cell: ApiCell, schemes: RunningSchemes) -> None:
    row = await arrived(cell, schemes, mint("req", "eu-1")[-20:])
    wallet = cell.wallets["EUR"].wallet_id
    listed = await asyncio.to_thread(CliRunner().invoke, build(), ["suspense", "list", "--cell", "eu-1", "--json"])
    [shown] = json.loads(listed.stdout)["suspense"]
    assert (shown["collection_id"], shown["amount"]["value"]) == (row.collection_id, "700.00")
    sweep = Sweep(host_of(cell), cell.parts.wallets)
    stop = asyncio.Event()
    sweeping = asyncio.create_task(sweep.run(stop))
    arguments = ["suspense", "assign", row.collection_id, wallet]
    done = await asyncio.to_thread(CliRunner().invoke, build(), arguments)
    assert (done.exit_code, "done" in done.stdout) == (0, True), (done.output, done.exception)
    async with transaction(cell.parts.writer) as connection:
        trail = await connection.fetch("SELECT actor, action, resource_id FROM audit_log WHERE actor LIKE 'operator:%'")
    assert [tuple(one) for one in trail] == [("operator:ana.ops", "suspense.assign", row.collection_id)]
    again = await asyncio.to_thread(CliRunner().invoke, build(), arguments)
    assert again.exception is not None
    assert again.exception.code == "not-suspended"  # type: ignore[attr-defined]
    stop.set()
    await sweeping
    assert (await cell.client.get(f"/v1/wallets/{wallet}")).json()["available"]["value"] == "700.00"
    [entry] = (await cell.client.get(f"/v1/wallets/{wallet}/statement")).json()["data"]
    assert (entry["code"], entry["collection_id"]) == ("suspense_assigned", row.collection_id)
    [event] = (await cell.client.get("/v1/events")).json()["data"]
    assert (event["type"], event["data"]["collection_id"]) == ("wallet.credited", row.collection_id)


async def test_a_deposit_to_nobody_goes_back_once_however_often_it_is_asked(
    cell: ApiCell, schemes: RunningSchemes
) -> None:
    reference = mint("req", "eu-1")[-20:]
    row = await arrived(cell, schemes, reference)
    async with transaction(cell.parts.writer) as connection:
        order = await decide.give_back(connection, cell.spec.entry, row.collection_id, "", BY, of_wallets=False)
    [reply] = await cell.parts.wallets.ask_many([order.command()])
    assert reply is None
    worker = GiveBacks(host_of(cell), cell.parts.wallets)
    schemes.kill()
    with pytest.raises(Exception, match="took nothing"):
        await worker.round(RAIL)
    schemes.restart()
    # One that was killed before the answer was on record: the same return is asked for again.
    dying = registry.open_rail(RAIL, registry.connection_of(host_of(cell).spec, RAIL))
    [outcome] = await dying.give_back([order.as_return()])
    await dying.close()
    assert isinstance(outcome, Settled)
    await worker.round(RAIL)
    assert worker.health() == {"answered": 1, "aside": 0}

    async def done() -> bool:
        async with transaction(cell.parts.writer) as connection:
            return (await store_orders.load(connection, "EU", [order.order_id]))[order.order_id].state == "done"

    await until(done)
    async with SchemeConsole(schemes.connection(RAIL)) as console:
        [given] = (await console.collection(reference))["given_back"]
    assert (given["return_id"], given["status"], given["asked"], given["why"]) == (
        order.return_id,
        "accepted",
        2,
        "AC01",
    )
    async with transaction(cell.parts.writer) as connection:
        assert (await store_collections.find(connection, "EU", [row.collection_id]))[
            row.collection_id
        ].state == "returned"
        sent = await connection.fetch("select message_type from rail_messages where direction = 'sent'")
    assert [one["message_type"] for one in sent if one["message_type"].startswith("pacs.004")] == [
        "pacs.004.001.09"
    ] * 2
