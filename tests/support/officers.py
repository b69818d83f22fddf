"""Officers who decide on cases of hand-driven cells, and the sweep that carries out what follows."""

from dataclasses import replace
from datetime import UTC, datetime

from cells.backends.postgres import transaction
from cells.compliance.decisions import Asked, Decision, Deed
from cells.kit.command import Command
from cells.payments.transfer import Transfer
from tests.support.reconciled_cells import Reconciled
from tests.support.two_cells import HandCell

ANA, BEN = "ana.ops", "ben.ops"
WHY = {
    Deed.CLEAR: "not-the-listed-party",
    Deed.REFUSE: "risk-not-taken",
    Deed.BLOCK: "the-listed-party",
    Deed.RELEASE: "no-longer-listed",
    Deed.RELEASE_TO_PAYER: "no-longer-listed",
    Deed.RELEASE_TO_PAYEE: "no-longer-listed",
}


async def decide(cell: HandCell, case: str, deed: Deed, officer: str = ANA) -> Decision:
    asked = Asked(deed, officer, WHY[deed])
    async with transaction(cell.institution.pool) as connection:
        if case.startswith("tr_"):
            return (await cell.institution.reviewing.decide(connection, case, asked))[0]
        return (await cell.institution.reviewing_parties.decide(connection, case, asked))[0]


async def resume(cell: HandCell, transfer: Transfer) -> Transfer:
    """As the sweep: whatever the payment stands at."""
    word = datetime.now(UTC).isoformat()
    await cell.ask(Command(f"{transfer.transfer_id}:resume:{word}", transfer.wallet_id, "resume", transfer.transfer_id))
    return await cell.transfer(transfer.transfer_id)


async def doubtful(cells: Reconciled, amount: int = 100_000, name: str = "Kovra Sandbox Review") -> Transfer:
    """EUR to an Indonesian account, of a payer whom screening has found."""
    payer = await cells.eu.payer(cells.cells.tenant, name)
    return await replace(cells, payer=payer).abroad(amount)


async def audited(cell: HandCell) -> list[tuple[str, str, str, str]]:
    async with transaction(cell.institution.pool) as connection:
        rows = await connection.fetch(
            "select actor, action, resource_id, outcome from audit_log where action like 'review.%' order by sequence"
        )
    return [tuple(row) for row in rows]


async def funds(cells: Reconciled) -> tuple[int, int]:
    found = await cells.eu.balance(cells.wallet)
    return found["available_minor"], found["held_minor"]
