"""Two hand-driven cells (tests/support/two_cells.py) with ways to make payments of every ending, to tamper, and to reconcile."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from cells.credits.credit import Deposit
from cells.fx.fees import Tariff
from cells.parties.models import BankAccount
from cells.payments.machine import Event
from cells.payments.transfer import Transfer
from cells.reconciliation.gather import OpenCell
from cells.reconciliation.reconcile import examine
from cells.reconciliation.report import Finding, Report, Status
from cells.reconciliation.statements import NoTeller, Teller
from cells.spec import (
    HOME_VARIABLE,
    CellSpec,
    LedgerSettings,
    ListenSettings,
    NatsSettings,
    PostgresSettings,
    PrivateSettings,
    RaySettings,
)
from cells.tenants.tenant import Wallet
from tests.support.money_forms import bare_amounts, misfits, misfits_of_text
from tests.support.servers import CellDatabase
from tests.support.two_cells import HandCell, TwoCells, open_two_cells

BCA = BankAccount(bank_code="014", account_number="1234567890")
GERMAN = BankAccount(iban="DE89370400440532013000")


@dataclass
class Reconciled:
    """The two cells, their databases by cell name, and the parties every payment here is between."""

    cells: TwoCells
    databases: dict[str, CellDatabase]
    wallet: Wallet
    payer: str
    budi: str
    weiss: str
    tellers: dict[str, Teller] = field(default_factory=dict)

    @property
    def eu(self) -> HandCell:
        return self.cells.eu

    @property
    def id(self) -> HandCell:
        return self.cells.id

    async def report(self, *only: HandCell) -> Report:
        chosen = only or (self.eu, self.id)
        tellers = {one.spec.name: self.tellers.get(one.spec.name, NoTeller()) for one in chosen}
        report = await examine(
            [OpenCell(one.spec, one.institution.pool, one.ledger, tellers[one.spec.name]) for one in chosen]
        )
        assert [one for one in report.findings if bare_amounts(one)] == []
        return report

    def running(self, cell: HandCell) -> CellSpec:
        """The spec of that cell as a process of its own would load it, with settings for what reconciliation opens."""
        database = self.databases[cell.spec.name]
        settings = PrivateSettings(
            postgres=PostgresSettings(
                owner=database.owner, api=database.api, writer=database.writer, ledger=database.ledger
            ),
            ledger=LedgerSettings(engine="postgres"),
            redis="",
            nats=NatsSettings(url="", seed=""),
            ray=RaySettings(address="", token_path=Path("/nowhere")),
            schemes={},
            api=ListenSettings(host="127.0.0.1", port=1),
            operator=ListenSettings(host="127.0.0.1", port=2),
            inbound=ListenSettings(host="127.0.0.1", port=3),
            host=ListenSettings(host="127.0.0.1", port=1),
            router_secrets=("s" * 32,),
            sandbox=True,
        )
        return CellSpec(Path("/nowhere"), cell.spec.entry, cell.spec.directory, settings)

    async def findings(self, invariant: str) -> list[Finding]:
        """What is found of one invariant, which must be violated."""
        report = await self.report()
        result = next(one for one in report.results if one.invariant == invariant)
        assert result.status is Status.VIOLATED, report.to_json()
        assert not report.ok
        return list(result.findings)

    async def tamper(self, cell: HandCell, statement: str, *values: object) -> None:
        """With the superuser's hand; it must touch exactly one row."""
        done = await self.tamper_many(cell, statement, *values)
        assert done == 1, f"{done}: {statement}"

    async def tamper_many(self, cell: HandCell, statement: str, *values: object) -> int:
        """The same for as many rows as it touches, which it answers."""
        connection = await asyncpg.connect(self.databases[cell.spec.name].superuser)
        try:
            return int((await connection.execute(statement, *values)).split()[-1])
        finally:
            await connection.close()

    async def deposit(self, amount: int) -> Deposit:
        return await self.eu.deposit(self.wallet, amount, "sepa_instant")

    async def abroad(self, amount: int = 100_000, tariff: Tariff | None = None) -> Transfer:
        """EUR to an Indonesian account, accepted."""
        quote = await self.eu.quote(self.cells.tenant, "EUR", "IDR", amount, "bi_fast", tariff=tariff)
        answer = await self.eu.accept(self.wallet, quote, self.budi, self.payer)
        assert answer.status == 202, answer
        return await self.eu.transfer(answer.body["id"])

    async def at_home(self, amount: int = 10_020, tariff: Tariff | None = None) -> Transfer:
        """EUR to a German account, handed to the rail."""
        quote = await self.eu.quote(self.cells.tenant, "EUR", "EUR", amount, "sepa_instant", tariff=tariff)
        answer = await self.eu.accept(self.wallet, quote, self.weiss, self.payer)
        assert answer.status == 202, answer
        return await self.eu.transfer(answer.body["id"])

    async def cross(self, origin: HandCell, destination: HandCell) -> None:
        await destination.admit(await origin.export())
        for receipt in await destination.receipts():
            await origin.take_receipt(receipt)

    async def complete(self, transfer: Transfer) -> Transfer:
        await self.cross(self.eu, self.id)
        await self.id.tell(
            await self.id.transfer(transfer.transfer_id), Event.RAIL_SETTLED, scheme_reference="BIFAST-1"
        )
        await self.cross(self.id, self.eu)
        return await self.eu.transfer(transfer.transfer_id)

    async def refund(self, transfer: Transfer) -> Transfer:
        await self.cross(self.eu, self.id)
        await self.id.tell(await self.id.transfer(transfer.transfer_id), Event.RAIL_REFUSED, reason_code="AC04")
        await self.cross(self.id, self.eu)
        return await self.eu.transfer(transfer.transfer_id)


@asynccontextmanager
async def open_reconciled(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[Reconciled]:
    databases: dict[str, CellDatabase] = {}

    def remember(region: str) -> CellDatabase:
        made = cell_database(region)
        databases[f"{region.lower()}-1"] = made
        return made

    async with open_two_cells(remember) as cells:
        wallet = await cells.eu.wallet(cells.tenant, "EUR")
        made = Reconciled(
            cells, databases, wallet, await cells.eu.payer(cells.tenant),
            await cells.id.recipient(cells.tenant, "IDR", BCA),
            await cells.eu.recipient(cells.tenant, "EUR", GERMAN, "Jürgen Weiß"),
        )  # fmt: skip
        await made.deposit(500_000)
        yield made


@asynccontextmanager
async def at_home(
    databases: Callable[[str], CellDatabase], home: Path, patch: pytest.MonkeyPatch
) -> AsyncIterator[Reconciled]:
    """The same cells, with a home folder in which the command line finds them."""
    async with open_reconciled(databases) as opened:
        (home / "directory.json").write_text(json.dumps({"cells": {}}))
        for one in (opened.eu, opened.id):
            (home / one.spec.name).mkdir()
            (home / one.spec.name / "cell.json").write_text(opened.running(one).settings.model_dump_json())
        patch.setenv(HOME_VARIABLE, str(home))
        yield opened


async def invoke(*arguments: str, of: Sequence[Callable[[typer.Typer], None]]) -> Result:
    """Run a command, `of` those that are registered; in a thread, since it has an event loop of its own."""
    app = typer.Typer()
    for register in of:
        register(app)
    result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    if "--json" in arguments and result.stdout:
        assert not list(misfits(json.loads(result.stdout))), arguments
    assert not list(misfits_of_text(result.output)), arguments
    return result
