"""What the demo proves of the payment that it shows: the books, the customs logs, and where its people's data lies."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from cells.kit.money import parse_amount
from cells.parties.payers import open_payers
from cells.parties.sealing import open_recipient_details
from cells.payments.personal import open_parties
from cells.reconciliation.whole_journey import Journey
from cells.reconciliation.whole_journey import moved as moved_of
from infra.local.home import Home
from residency.wire import Money
from router.cli.demo_books import Books, Place, Snapshot, moved
from router.cli.demo_people import INDONESIAN, SWEDE
from router.cli.demo_search import dresses, search, search_files
from router.cli.demo_story import Payment, Story
from router.client.models import Quote

ORIGIN, DESTINATION, BYSTANDER = "eu-1", "id-1", "uk-1"
NEEDLES = {
    "recipient's name": INDONESIAN.name,
    "recipient's account": INDONESIAN.details["account"]["account_number"],
    "payer's name": SWEDE.name,
    "payer's passport": SWEDE.details["document"]["number"],
}


def claim_books(story: Story, journey: Journey, quote: Quote, before: Snapshot, after: Snapshot) -> None:
    """The ledgers of all cells moved by the integers of the quote and by nothing else, and the trace says the same."""
    principal, arrives = _minor(quote.principal), _minor(quote.target)
    expected = {
        Place(ORIGIN, "TENANT_WALLET", "EUR"): -_minor(quote.source),
        Place(ORIGIN, "FX_POSITION", "EUR"): principal,
        Place(ORIGIN, "FX_MARGIN", "EUR"): _minor(quote.margin.amount),
        Place(ORIGIN, "FEE_REVENUE", "EUR"): _minor(quote.fee),
        Place(ORIGIN, "FX_POSITION", "IDR"): -arrives,
        Place(ORIGIN, f"REGIONAL_SETTLEMENT {DESTINATION}", "IDR"): arrives,
        Place(DESTINATION, f"REGIONAL_SETTLEMENT {ORIGIN}", "IDR"): -arrives,
        Place(DESTINATION, f"RAIL_SETTLEMENT {quote.rail}", "IDR"): arrives,
    }
    posted = moved(before, after)
    gained = {place: credit - debit for place, (debit, credit) in posted.items() if credit != debit}
    story.claim(
        "the ledgers moved by the quote's own integers, and nothing else moved",
        gained == {place: one for place, one in expected.items() if one},
        f"{len(posted)} accounts",
    )
    shown = {
        Place(one.cell, one.account, one.debit["currency"]): (_minor(Money(**one.debit)), _minor(Money(**one.credit)))
        for leg in journey.legs
        for one in moved_of(leg)
    }
    story.claim("the trace shows every account with what its ledger posted", shown == posted, f"{len(shown)} accounts")
    held = sorted(" ".join(one.place) for one in after.values() if one.held)
    story.claim("no hold is left in any cell", not held, ", ".join(held))


def claim_customs(story: Story, journey: Journey) -> None:
    """Every crossing is on both records, and both chains hold."""
    kinds = {
        (cell, one["kind"]) for cell, log in journey.crossings.items() for one in log if one["direction"] == "exported"
    }
    one_each = [(one.from_cell, one.to_cell, one.exported) for one in journey.borders]
    same = not any(one.in_flight or one.refused or one.differ for one in journey.borders)
    story.claim(
        "what one customs log lets out, the other lets in, byte for byte",
        same
        and one_each == [(ORIGIN, DESTINATION, 1), (DESTINATION, ORIGIN, 1)]
        and kinds == {(ORIGIN, "instructed"), (DESTINATION, "settled")},
        "instructed, settled",
    )
    chains = [leg.chain for leg in journey.legs if leg.chain is not None]
    story.claim(
        "both customs chains hold from their first entry",
        len(chains) == 2 and all(one.broken_at is None for one in chains),
        ", ".join(f"{one.entries} entries" for one in chains),
    )
    fields = {
        str(field) for log in journey.crossings.values() for one in log for field in _names(one["crossed_fields"])
    }
    story.claim(
        "of the payer crossed, sealed, what the travel rule names", "payer.name" in fields, ", ".join(sorted(fields))
    )


def _names(fields: object) -> list[object]:
    return fields if isinstance(fields, list) else []


async def claim_residency(home: Path, books: Mapping[str, Books], story: Story, paid: Payment, payer_id: str) -> None:
    """Which cell can open whose name: each vault its own region's, and no file of any cell in clear."""
    row_id, transfer_id = paid.transfer.recipient_id.partition(".")[0], paid.transfer.id
    payers = {cell: await one.opened(open_payers, payer_id) for cell, one in books.items()}
    recipients = {cell: await one.opened(open_recipient_details, row_id) for cell, one in books.items()}
    sealed = {cell: await books[cell].opened(open_parties, transfer_id) for cell in (DESTINATION, BYSTANDER)}
    for what, names, expected in (
        ("the payer's data is in one vault", _named(payers), {ORIGIN: SWEDE.name}),
        ("the recipient's data is in one vault", _named(recipients), {DESTINATION: INDONESIAN.name}),
        (
            "what crossed about the payer was sealed, and opens with the destination's key",
            _named({cell: one and one.payer for cell, one in sealed.items()}),
            {DESTINATION: SWEDE.name},
        ),
    ):
        story.claim(what, names == expected, ", ".join(names))
    found = await search(Home.at(home), {**NEEDLES, "transfer id": transfer_id}, list(books))
    seen = found.seen("transfer id")
    story.claim(
        "the search sees what is there: the transfer's id",
        {ORIGIN, DESTINATION} <= seen and BYSTANDER not in seen,
        f"{found.tables_bytes / 1e6:,.1f} MB of tables and {found.files:,} files ({found.files_bytes / 1e6:,.0f} MB)",
    )
    for label in NEEDLES:
        away = label.startswith("recipient")
        places = [place for place in found.places(label) if not (away and place.startswith(DESTINATION))]
        where = f"{ORIGIN} and {BYSTANDER}" if away else "any cell"
        story.claim(f"the {label} is nowhere in clear in {where}", not places, "; ".join(places))


def claim_disks(story: Story, home: Home) -> None:
    """The servers have written everything out and closed it: now every page and log of Postgres can be searched too."""
    wanted = {label: dresses(text) for label, text in NEEDLES.items() if label.startswith("recipient")}
    found = search_files(home, wanted, [ORIGIN, BYSTANDER])
    places = [place for label in wanted for place in found.places(label)]
    story.claim(
        f"nothing of the recipient is on the disks of {ORIGIN} and {BYSTANDER}, now that Postgres is closed",
        not places and found.files > 0,
        "; ".join(places) or f"{found.files:,} files, {found.files_bytes / 1e6:,.0f} MB, write-ahead log included",
    )


def _named(details: Mapping[str, object]) -> dict[str, str]:
    """The name that each cell has; cells without one left out."""
    return {cell: str(one.name) for cell, one in details.items() if one is not None}  # type: ignore[attr-defined]


def _minor(money: Money) -> int:
    """Minor units; nothing may be moved, charged or gained."""
    return parse_amount(money.value, money.currency) if Decimal(money.value) else 0
