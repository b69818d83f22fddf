"""`kovra sandbox` as people and machines run it: over a laid-out home of which one cell's schemes run."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import typer
from typer.testing import CliRunner, Result

from cells.kit.money import money
from cells.rails.console import SchemeConsole, wallet_account
from cells.rails.rail import Party, Payout, Rail
from cells.rails.registry import connection_to, open_rail
from cells.spec import CellSpec, load_spec
from infra.local.home import Home
from infra.local.layout import lay_out, port_keys
from infra.local.ports import allocate
from residency.directory import load_directory
from residency.errors import KovraError
from router.cli import sandbox_schemes
from tests.support import servers
from tests.support.money_forms import misfits, misfits_of_text
from tests.support.schemes import CELL, launched, payout

RAIL = "sepa_instant"


@pytest.fixture(scope="module")
def spec() -> Iterator[CellSpec]:
    directory = servers.scratch_directory()
    home = Home(directory / "h")
    home.create()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KOVRA_PORT_BASE", str(servers.free_port_base()))
        environment.setenv("KOVRA_TIGERBEETLE_BINARY", "/nonexistent/tigerbeetle")
        environment.setenv("KOVRA_HOME", str(home.root))
        asyncio.run(lay_out(home, allocate(home, port_keys(load_directory()))))
        spec = load_spec(CELL, home.root)
        port = int(spec.settings.schemes[RAIL].url.split(":")[2].split("/")[0])
        process = launched(home.root, port)
        yield spec
        process.kill()
        process.wait()
    home.clean()
    shutil.rmtree(directory)


@pytest.fixture
async def rail(spec: CellSpec) -> AsyncIterator[Rail]:
    settings = spec.settings.schemes[RAIL]
    opened = open_rail(RAIL, connection_to(RAIL, spec.entry.number, settings.url, settings.secret))
    yield opened
    await opened.close()


async def run(*arguments: str, status: int = 0) -> Result:
    """In a thread: the command has an event loop of its own. An expected failure is its exception."""
    app = typer.Typer()
    sandbox_schemes.register(app)
    result = await asyncio.to_thread(CliRunner().invoke, app, ["sandbox", *arguments])
    assert result.exit_code == status or isinstance(result.exception, KovraError), result.output
    if "--json" in arguments and result.stdout:
        assert not list(misfits(json.loads(result.stdout))), arguments
    assert not list(misfits_of_text(result.output)), arguments
    return result


async def paid(rail: Rail, name: str = "Ayu Lestari") -> Payout:
    asked = payout(rail.profile, name=name)
    await rail.submit([asked])
    return asked


async def payment(asked: Payout) -> dict[str, object]:
    found = json.loads((await run("payments", asked.transfer_id, "--json")).stdout)
    assert found["rail"] == RAIL
    return {key: found[key] for key in ("asked", "paid")} | {"fate": found["payments"][0]["fate"]}


async def test_the_table_lists_the_magic_values() -> None:
    told = (await run("table")).stdout
    assert "SANDBOX TIMEOUT LOST" in told
    assert "90911.12 EUR" in told
    rows = json.loads((await run("table", "--json")).stdout)
    assert {row["phrase"]: row["amounts"]["bi_rtgs"] for row in rows}["SANDBOX REJECT"] == {
        "value": "109091101.00",
        "currency": "IDR",
    }


async def test_a_payment_is_counted(rail: Rail) -> None:
    asked = await paid(rail)
    assert await payment(asked) == {"asked": 1, "paid": 1, "fate": "settled"}
    shown = (await run("payments", asked.transfer_id)).stdout
    assert "settled" in shown
    assert asked.end_to_end_id.replace("-", "") in shown


async def test_an_unknown_payment_is_settled_or_rejected(rail: Rail) -> None:
    first, second = await paid(rail, "Sandbox Settle Later"), await paid(rail, "Sandbox Settle Later")
    assert await payment(first) == {"asked": 1, "paid": 0, "fate": "open"}
    await run("settle", first.transfer_id)
    assert await payment(first) == {"asked": 1, "paid": 1, "fate": "settled"}
    await run("reject", second.transfer_id, "--reason", "AC06")
    assert await payment(second) == {"asked": 1, "paid": 0, "fate": "rejected"}
    refused = await run("settle", first.transfer_id)
    assert isinstance(refused.exception, KovraError)
    assert "already" in refused.exception.detail or "paid" in refused.exception.detail


async def test_a_payment_is_returned_in_part(rail: Rail) -> None:
    asked = await paid(rail)
    reference = (await run("return", asked.transfer_id, "--amount", "12.50", "--reason", "AC06")).stdout.strip()
    [sent] = json.loads((await run("payments", asked.transfer_id, "--json")).stdout)["payments"][0]["returns"]
    assert (sent["scheme_reference"], sent["amount"], sent["why"]) == (reference, money(1_250, "EUR"), "FOCR")
    assert reference in (await run("payments", asked.transfer_id)).stdout


async def test_what_no_scheme_knows_is_an_expected_failure(rail: Rail) -> None:
    for arguments in (
        ("payments", payout(rail.profile).transfer_id), ("duplicate", "INnever"), ("advance", "soon"), ("close", "pigeon"),
        ("settle", "nonsense"),
    ):  # fmt: skip
        assert isinstance((await run(*arguments)).exception, KovraError), arguments


async def test_a_scheme_is_closed_opened_and_left_to_its_own_hours(rail: Rail) -> None:
    for command, hours, opened in (("close", "closed", False), ("hours", "own", True), ("open", "open", True)):
        [shown] = json.loads((await run(command, RAIL, "--json")).stdout)
        assert (shown["state"]["hours"], shown["state"]["open"]) == (hours, opened)
    assert "open" in (await run("state", "--cell", CELL)).stdout


async def test_simulators_that_do_not_run_are_said_so(rail: Rail) -> None:
    result = await run("state", status=1)
    assert "does not answer" in result.stdout


async def test_time_goes_by(rail: Rail) -> None:
    asked = await paid(rail, "Sandbox Settle Later")
    await run("advance", "1d", "--cell", CELL)
    assert await payment(asked) == {"asked": 1, "paid": 1, "fate": "settled"}


async def test_the_statement_has_the_days_movements(rail: Rail, spec: CellSpec) -> None:
    asked = await paid(rail)
    found = json.loads((await run("statement", RAIL, "--json")).stdout)
    assert asked.end_to_end_id in {one["end_to_end_id"] for one in found["entries"]}
    assert asked.end_to_end_id in (await run("statement", RAIL)).stdout
    assert asked.end_to_end_id in (await run("statement", RAIL, "--xml")).stdout
    assert "name one" in (await run("statement", RAIL, "--xml", "--json", status=2)).output
    assert json.loads((await run("statement", RAIL, "--day", "2020-01-01", "--json")).stdout)["entries"] == []


async def test_a_credit_is_sent_again(rail: Rail, spec: CellSpec) -> None:
    settings = spec.settings.schemes[RAIL]
    async with SchemeConsole(connection_to(RAIL, 1, settings.url, settings.secret)) as console:
        wallet = wallet_account("iban", "LT643999001123456789")
        reference = await console.collect(100, "EUR", wallet, Party("Sandbox Payer"))
        await run("duplicate", reference, "--times", "2")
        assert (await console.collection(reference))["deliveries_wanted"] == 3


async def test_a_deposit_needs_a_stack(rail: Rail) -> None:
    refused = await run("deposit", "5.00", "eur")
    assert isinstance(refused.exception, KovraError)
    assert refused.exception.code == "no-stack"
