"""A money path whose outcome may not hang on asserts: run by itself, `python` and `python -O`, over databases that are handed in.

`python [-O] -m tests.support.optimised DATABASES` prints as JSON what became of each story: a payment over the border, one that the rail refuses,
a ledger that answers a request in part, a ledger that holds an account otherwise than the chart, a rail that answers for fewer payments
than it was asked for. DATABASES: the fields of two CellDatabases, EU and ID, as JSON.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.deployment import Deployment
from actors.in_process import InProcess
from actors.wallet import WalletActor
from cells.kit.command import Command, RailDoor
from cells.ledger import chart
from cells.ledger.entry import Posting, PostingResult
from cells.parties.models import BankAccount
from cells.payments.lives import account_of
from cells.payments.machine import Event
from cells.rails.rail import Outcome, Payout
from cells.wallets.handler import Saga
from residency.errors import KovraError
from tests.support import rail_room
from tests.support.servers import CellDatabase
from tests.support.two_cells import HandCell, TwoCells, open_two_cells
from tests.support.waiting import until

BCA = BankAccount(bank_code="014", account_number="1234567890")
_SAGAS: list[Saga] = []


class ShortLedger:
    """The ledger it is given, which once answers for all postings but the last. They are applied, all the same."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self._short = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def create_postings(self, postings: Sequence[Posting]) -> list[PostingResult]:
        answers: list[PostingResult] = await self._ledger.create_postings(postings)
        short, self._short = self._short, False
        return answers[:-1] if short else answers


class ShortScheme(rail_room.Scheme):
    """Answers for all payments but the last."""

    async def submit(self, payouts: Sequence[Payout]) -> Sequence[Outcome]:
        return (await super().submit(payouts))[:-1]


async def open_saga(cell: str, rails: RailDoor) -> Saga:
    return _SAGAS.pop()


async def wallet_of(cells: TwoCells, tenant: Any) -> Any:
    wallet = await cells.eu.wallet(tenant, "EUR")
    await cells.eu.deposit(wallet, 500_000, "sepa_instant")
    return wallet


async def acceptance_of(cells: TwoCells, wallet: Any) -> Command:
    recipient, payer = await cells.id.recipient(cells.tenant, "IDR", BCA), await cells.eu.payer(cells.tenant)
    quote = await cells.eu.quote(cells.tenant, "EUR", "IDR", 100_000, "bi_fast")
    return cells.eu.acceptance(wallet, quote, recipient, payer)


async def cross(origin: HandCell, destination: HandCell) -> None:
    await destination.admit(await origin.export())
    for receipt in await destination.receipts():
        await origin.take_receipt(receipt)


async def paid(cells: TwoCells, wallet: Any, event: Event, **facts: str) -> list[Any]:
    """The states that a payment went through, in both cells, and the wallet after each."""
    [answer] = await cells.eu.ask(await acceptance_of(cells, wallet))
    seen: list[Any] = [answer.status, answer.body["status"], await cells.eu.balance(wallet)]
    await cross(cells.eu, cells.id)
    leg = await cells.id.transfer(answer.body["id"])
    await cells.id.tell(leg, event, **facts)
    await cross(cells.id, cells.eu)
    done = await cells.eu.transfer(leg.transfer_id)
    return [*seen, leg.state, done.state, done.reason_code, await cells.eu.balance(wallet)]


async def answered_in_part(cells: TwoCells, wallet: Any) -> list[Any]:
    """What is asked of a ledger that answers in part, and asked again once it answers whole."""
    asked = await acceptance_of(cells, wallet)
    whole = cells.eu.saga._ledger
    cells.eu.saga._ledger = ShortLedger(whole)
    try:
        await cells.eu.ask(asked)
        seen = "answered"
    except KovraError as error:
        seen = error.code
    cells.eu.saga._ledger = whole
    [again] = await cells.eu.ask(asked)
    return [seen, again.status, again.body["status"], await cells.eu.balance(wallet)]


async def account_held_otherwise(cells: TwoCells, wallet: Any) -> list[Any]:
    """Two wallets asked at once, of which the ledger holds the one's account with other flags than the chart's."""
    other = await cells.eu.wallet(cells.stranger, "EUR")
    await cells.eu.ledger.create_accounts([replace(chart.opening(account_of(other)), flags=0)])
    _SAGAS.append(cells.eu.saga)
    actor = WalletActor(Deployment(cells.eu.spec.name, handler=f"{__name__}:open_saga"))
    await actor.start(InProcess())
    replies = await actor.ask_many(
        [Command("one", wallet.wallet_id, "balance"), Command("two", other.wallet_id, "balance")]
    )
    await actor.stop()
    return [one.code if isinstance(one, KovraError) else one for one in replies]


async def rail_that_miscounts() -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with rail_room.world(Path(folder)) as world:
            short = ShortScheme(on_inquire=world.scheme.on_inquire)
            rail_room._DESKS[folder, "sepa_instant"].rail = short
            [transfer] = rail_room.transfers(1)
            await world.submit(transfer)
            await until(lambda: transfer in world.record.acknowledged)
            told = [type(outcome).__name__ for _, outcome in world.record.told]
            return [told, len(short.submitted), len(short.inquired) > 0]


async def stories(databases: dict[str, CellDatabase]) -> dict[str, Any]:
    async with open_two_cells(databases.__getitem__) as cells:
        wallet = await wallet_of(cells, cells.tenant)
        return {
            "paid": await paid(cells, wallet, Event.RAIL_SETTLED, scheme_reference="BIFAST-1"),
            "refused": await paid(cells, wallet, Event.RAIL_REFUSED, reason_code="AC04"),
            "ledger in part": await answered_in_part(cells, wallet),
            "rail in part": await rail_that_miscounts(),
            "account otherwise": await account_held_otherwise(cells, wallet),
        }


if __name__ == "__main__":
    given = {region: CellDatabase(**fields) for region, fields in json.loads(sys.argv[1]).items()}
    print(json.dumps({"asserts": __debug__, **asyncio.run(stories(given))}))
