"""The demo as a play in scenes: the payment across the border, where its people's data lies, the other payments, the books.

`play` works on any running stack, which it finds by its home folder and leaves running; the end-to-end tests play it too.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cells.reconciliation.report import Status
from cells.reconciliation.whole_journey import Journey
from cells.spec import load_spec
from router.cli.demo_books import Books, Snapshot, open_books
from router.cli.demo_listener import open_listener
from router.cli.demo_partner import Order, Partner
from router.cli.demo_people import PAYERS, RECIPIENTS
from router.cli.demo_proofs import ORIGIN, claim_books, claim_customs, claim_residency
from router.cli.demo_story import Payment, Story
from router.cli.reconcile import settled
from router.cli.trace import follow
from router.client import KovraClient, ProblemError

_STEPS = ["transfer.completed", "transfer.funds_held", "transfer.instructed"]
_WARM_RUNS = 5
_EXPIRY_S = 1
# A laptop that has just started a hundred processes may make the first caller wait.
_RETRY_S = 60.0
_REST_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.2


async def play(home: Path, router_url: str, key: str, story: Story) -> None:
    """All scenes, as the partner whose API key that is, with its listener on a port that the stack named. Raises DemoFailed, ProblemError,
    Unreachable: then it broke off."""
    named = min(load_spec(ORIGIN, home).settings.webhook_loopback_ports)
    async with (
        open_listener(named) as listener,
        KovraClient(router_url, key, retry_s=_RETRY_S) as kovra,
        open_books(home) as books,
    ):
        partner = Partner(kovra, listener, story, router_url)
        story.scene("A partner sets up")
        await partner.subscribe()
        recipients = await partner.register("recipients", kovra.recipients.create, RECIPIENTS)
        payers = await partner.register("payers", kovra.payers.create, PAYERS)
        await partner.deposit("5000.00", "EUR")
        order = Order("EUR to IDR", ("1250.00", "EUR"), "IDR", recipients["indonesian"], payers["swede"])
        story.scene("A euro wallet pays an Indonesian bank account")
        paid = await _across(home, partner, books, story, order)
        story.scene("Where the people's data lies")
        await claim_residency(home, books, story, paid, payers["swede"])
        story.scene("Other payments")
        await _others(partner, recipients, payers)
        await _refusals(partner, story, order, recipients["refused"])
        for number in range(_WARM_RUNS):
            title = f"EUR to IDR, warm {number + 1}"
            await partner.pay(Order(title, ("25.00", "EUR"), "IDR", order.recipient_id, order.payer_id))
        story.scene("Webhooks, and the books of all cells")
        events = partner.events_of(paid.transfer.id)
        story.claim("webhooks reported every step of the first payment", events == _STEPS, ", ".join(events))
        story.claim(
            "every webhook that came was signed as it must be",
            not listener.refused,
            "; ".join(listener.refused) or f"{len(listener.heard)} verified twice",
        )
        story.report = await settled([load_spec(cell, home) for cell in books], _REST_WITHIN_S)
        for result in story.report.results:
            story.claim(f"{result.invariant} {result.title}", result.status is Status.HELD, str(result.status))


async def _across(home: Path, partner: Partner, books: Mapping[str, Books], story: Story, order: Order) -> Payment:
    """The payment that is shown in full."""
    before = await _totals(books)
    quote = await partner.quote(order)
    payment = await partner.pay(order, quote)
    after = await _totals(books)
    story.journey = await _delivered(home, payment.transfer.id)
    claim_books(story, story.journey, quote, before, after)
    claim_customs(story, story.journey)
    return payment


async def _totals(books: Mapping[str, Books]) -> Snapshot:
    return {account: one for cell in books.values() for account, one in (await cell.totals()).items()}


async def _delivered(home: Path, transfer_id: str) -> Journey:
    """Its journey, once the cells have noted that its webhooks have arrived; as it is when that takes too long."""
    until = time.monotonic() + _REST_WITHIN_S
    while True:
        journey = await follow(home, transfer_id, verify_customs=True)
        noted = all(one["delivered_at"] for leg in journey.legs for one in leg.deliveries)
        if (journey.at_rest and noted) or time.monotonic() > until:
            return journey
        await asyncio.sleep(_LOOK_EVERY_S)


async def _others(partner: Partner, recipients: Mapping[str, str], payers: Mapping[str, str]) -> None:
    """In region, and between other regions, each from a wallet that its own rail has filled."""
    await partner.pay(Order("EUR to EUR, in region", ("120.00", "EUR"), "EUR", recipients["german"], payers["swede"]))
    await partner.deposit("2000.00", "GBP")
    await partner.pay(Order("GBP to IDR", ("350.00", "GBP"), "IDR", recipients["indonesian"], payers["briton"]))
    await partner.deposit("75000000.00", "IDR")
    await partner.pay(Order("IDR to GBP", ("9000000.00", "IDR"), "GBP", recipients["briton"], payers["indonesian"]))


async def _refusals(partner: Partner, story: Story, order: Order, refused_recipient: str) -> None:
    """What does not go through costs nothing: a refusal by the rail, an expired quote, a used one."""
    before = await partner.wallet("EUR")
    await partner.pay(
        Order("EUR to IDR, refused by BI-FAST", order.amount, "IDR", refused_recipient, order.payer_id, ends="REFUNDED")
    )
    after = await partner.wallet("EUR")
    same = (before.available, before.held) == (after.available, after.held)
    story.claim("the wallet is restored to the cent", same, f"{before.available} before, {after.available} after")
    quote = await partner.quote(order, lifetime_s=_EXPIRY_S)
    await asyncio.sleep(max(0.0, (quote.expires_at - datetime.now(UTC)).total_seconds()))
    await _refused(partner, story, order, quote.id, "quote-expired")
    used = story.payments[0].transfer.quote_id
    assert used is not None, "a transfer of a partner has a quote"
    await _refused(partner, story, order, used, "quote-used")


async def _refused(partner: Partner, story: Story, order: Order, quote_id: str, code: str) -> None:
    """Paying with that quote is refused with `code`, and moves nothing."""
    before, answered = await partner.wallet("EUR"), "it was accepted"
    try:
        await partner.kovra.transfers.create(
            quote_id=quote_id, recipient_id=order.recipient_id, payer_id=order.payer_id
        )
    except ProblemError as error:
        answered = error.problem.code
    after = await partner.wallet("EUR")
    story.claim(
        f"a payment with such a quote is refused: {code}",
        answered == code and before == after,
        f"{answered}, wallet {after.available}",
    )
