"""Which credits a rail's own books do not know: looked for where its statement is not what our books say, and named there.

A credit that nobody paid in at the scheme makes tenants richer than the money that is there. It comes by a message that the scheme's key
has signed and the scheme has not sent, so the rail's door cannot tell it from another; the scheme's statement can.
"""

from dataclasses import replace

from cells.backends.postgres import Connection, transaction
from cells.reconciliation import store_credits
from cells.reconciliation.facts import CellFacts, StrangeCredit
from cells.reconciliation.gather import OpenCell, gather
from cells.reconciliation.safeguarding import rails_at_odds

NAMED_MAX = 100
_PAGE = 2_000


async def examined(cell: OpenCell) -> CellFacts:
    """The cell's facts, with the credits that make a rail's statement differ. Raises StoreUnavailable, LedgerUnknown."""
    facts = await gather(cell)
    found: list[StrangeCredit] = []
    for rail in rails_at_odds(facts):
        moved = await cell.teller.movements(rail)
        if moved is not None:
            booked = {one.reference: one.amount_minor for one in moved if one.credit}
            async with transaction(cell.pool) as connection:
                found += await _strange(connection, cell.spec.region, rail, booked)
    return replace(facts, strange_credits=found)


async def _strange(connection: Connection, region: str, rail: str, booked: dict[str, int]) -> list[StrangeCredit]:
    """Credits on our record whose reference the rail's books have not, or with another amount. At most NAMED_MAX."""
    found: list[StrangeCredit] = []
    after = ""
    while len(found) < NAMED_MAX and (page := await store_credits.page(connection, region, rail, after, _PAGE)):
        after = page[-1].collection_id
        found += [
            StrangeCredit(
                one.collection_id,
                rail,
                one.scheme_reference,
                one.currency,
                one.amount,
                booked.get(one.scheme_reference),
            )
            for one in page
            if booked.get(one.scheme_reference) != one.amount
        ]
    return found[:NAMED_MAX]
