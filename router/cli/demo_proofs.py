"""What the demo proves of the payment that it shows: the books, the customs logs, and where its people's data lies."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from cells.kit.money import parse_amount
from infra.local.home import Home
from router.cli.demo_books import Books
from router.cli.demo_people import INDONESIAN, SWEDE
from router.cli.demo_search import search
from router.cli.demo_story import Journey, Payment, Snapshot, Story
from router.client.models import Money

ORIGIN, DESTINATION, BYSTANDER = "eu-1", "id-1", "uk-1"
NEEDLES = {
    "recipient's name": INDONESIAN.name,
    "recipient's account": INDONESIAN.details["account"]["account_number"],
    "payer's name": SWEDE.name,
    "payer's passport": SWEDE.details["document"]["number"],
}


def claim_books(story: Story, journey: Journey) -> None:
    """Both ledgers moved by the integers of the quote, and by nothing else."""
    quote = journey.quote
    source, principal = _minor(quote.source), _minor(quote.principal)
    arrives = _minor(quote.target)
    expected = {
        (ORIGIN, "TENANT_WALLET", "EUR"): -source,
        (ORIGIN, "FX_POSITION", "EUR"): principal,
        (ORIGIN, "FX_MARGIN", "EUR"): _minor(quote.margin.amount),
        (ORIGIN, "FEE_REVENUE", "EUR"): _minor(quote.fee),
        (ORIGIN, "FX_POSITION", "IDR"): -arrives,
        (ORIGIN, f"REGIONAL_SETTLEMENT {DESTINATION}", "IDR"): arrives,
        (DESTINATION, f"REGIONAL_SETTLEMENT {ORIGIN}", "IDR"): -arrives,
        (DESTINATION, f"RAIL_SETTLEMENT {quote.rail}", "IDR"): arrives,
    }
    moved = _moved(journey.before, journey.after)
    story.claim(
        "both ledgers moved by the quote's own integers, and nothing else moved",
        moved == expected,
        f"{len(moved)} accounts",
    )
    pending = [
        one.name
        for cell in journey.after.values()
        for one in cell.values()
        if one.debits_pending or one.credits_pending
    ]
    story.claim("no hold is left in any cell", not pending, ", ".join(pending))


def _moved(before: Snapshot, after: Snapshot) -> dict[tuple[str, str, str], int]:
    """What each account gained (credits less debits), by cell, name and currency; those that gained nothing left out."""
    found: dict[tuple[str, str, str], int] = {}
    for cell, accounts in after.items():
        for number, now in accounts.items():
            then = before[cell].get(number)
            gained = (now.credits - now.debits) - ((then.credits - then.debits) if then else 0)
            if gained:
                place = (cell, now.name, now.currency)
                found[place] = found.get(place, 0) + gained
    return found


def claim_customs(story: Story, journey: Journey) -> None:
    """Every crossing is on both records, and both chains hold."""
    ways = [
        {
            (one.crossing.kind, one.crossing.envelope_sha256)
            for one in log.entries
            if one.crossing.direction == direction
        }
        for log in journey.customs
        for direction in ("exported", "admitted")
    ]
    out, back_in, there_out, there_in = ways
    kinds = {kind for kind, _ in out}, {kind for kind, _ in there_out}
    agree = out == there_in and back_in == there_out and kinds == ({"instructed"}, {"settled"})
    story.claim(
        "what one customs log says it let out, the other says it let in, byte for byte", agree, "instructed, settled"
    )
    broken = [log.cell for log in journey.customs if log.broken is not None]
    story.claim(
        "both customs chains hold from their first entry",
        not broken,
        ", ".join(f"{log.length} entries" for log in journey.customs),
    )
    fields = {field for log in journey.customs for entry in log.entries for field in entry.crossing.crossed_fields}
    story.claim(
        "of the payer crossed, sealed, what the travel rule names", "payer.name" in fields, ", ".join(sorted(fields))
    )


async def claim_residency(home: Path, books: Mapping[str, Books], story: Story, paid: Payment, payer_id: str) -> None:
    """Who can say whose name: each vault its own region's, and no file of any cell in clear."""
    here = {cell: await one.payer_name(payer_id) for cell, one in books.items()}
    kept = [cell for cell, name in here.items() if name == SWEDE.name]
    story.claim(
        "the payer's data is in one vault",
        kept == [ORIGIN] and set(here.values()) == {SWEDE.name, None},
        ", ".join(kept),
    )
    there = {cell: await one.recipient_name(paid.transfer.recipient_id) for cell, one in books.items()}
    kept = [cell for cell, name in there.items() if name == INDONESIAN.name]
    story.claim(
        "the recipient's data is in one vault",
        kept == [DESTINATION] and set(there.values()) == {INDONESIAN.name, None},
        ", ".join(kept),
    )
    opened = {cell: (await books[cell].travelled(paid.transfer.id)).get("name") for cell in (DESTINATION, BYSTANDER)}
    story.claim(
        "what crossed about the payer was sealed, and opens with the destination's key",
        opened == {DESTINATION: SWEDE.name, BYSTANDER: None},
        f"opened in {', '.join(cell for cell, name in opened.items() if name)}",
    )
    found = await search(Home.at(home), {**NEEDLES, "transfer id": paid.transfer.id}, list(books))
    looked = (
        f"{found.tables_bytes / 1e6:,.1f} MB of tables and {found.files:,} files ({found.files_bytes / 1e6:,.0f} MB)"
    )
    seen = found.seen("transfer id")
    story.claim(
        "the search sees what is there: the transfer's id",
        {ORIGIN, DESTINATION} <= seen and BYSTANDER not in seen,
        looked,
    )
    for label in NEEDLES:
        places = [place for place in found.places(label) if not place.startswith(DESTINATION)]
        where = places if label.startswith("recipient") else found.places(label)
        who = f"{ORIGIN} and {BYSTANDER}" if label.startswith("recipient") else "any cell"
        story.claim(f"the {label} is nowhere in clear in {who}", not where, "; ".join(where))


def _minor(money: Money) -> int:
    """Minor units; a quote's margin or fee may be nothing."""
    return parse_amount(money.value, money.currency) if Decimal(money.value) else 0
