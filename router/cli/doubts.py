"""`kovra doubts`: payments that a scheme leaves in doubt, and what an operator decides of them once the scheme or a bank has said more.

The decision, its entry on the audit trail and the answer on the rail's record are one commit; the cell's actors carry out what follows from it.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from cells.compliance import store_decisions
from cells.compliance.decisions import REASONS, Asked, Decision, Deed
from cells.kit.money import amount_text, money
from cells.kit.operator import operator_actor
from cells.payments import store, store_doubts
from cells.payments.deciding_doubts import DoubtDeciding
from cells.payments.store_doubts import Doubt
from cells.rails.iso20022.reason_words import reason_in_words
from cells.spec import CellSpec, home_path, load_spec
from residency.ids import parse
from router.cli.actors import Cell
from router.cli.console import print_json, print_plain
from router.cli.operator import Operator, acting
from router.cli.provisioning import all_cells
from router.cli.record import changing_of, institution_of, reading
from router.cli.tables import Listing, show_table

Payment = Annotated[str, typer.Argument(metavar="PAYMENT", help="The payment, tr_….")]
Where = Annotated[
    str | None, typer.Option("--cell", help="The cell that pays it out; by default it is found by the payment.")
]
Reference = Annotated[str, typer.Option("--reference", help="The id of your own file on the case; no names.")]
SchemeReference = Annotated[
    str, typer.Option("--scheme-reference", help="The scheme's reference of the payment, if you have it.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
_LISTED_MAX = 1_000
_CAUSES = {
    "no_answer": "no answer",
    "pending": "pending",
    "not_found": "not known to the scheme yet",
    "unclear": "refused, for a reason that ends no payment",
    "contradiction": "settled and refused in one report",
}
_HELP = """Payments that a scheme leaves in doubt: list, settled, refused.

`kovra messages PAYMENT --show` shows the scheme's messages. Decide only by an answer of the scheme or of a bank: a payment that is decided
as refused, and was paid, is paid twice at your expense.

A large payment takes two operators: the first decision is stored as proposed, and takes effect when another operator decides the same."""


def _why(deed: Deed) -> object:
    return typer.Option("--reason", help=f"Your evidence: {' · '.join(REASONS[deed])}.", show_default=False)


SettledReason = Annotated[str, _why(Deed.DOUBT_SETTLED)]
RefusedReason = Annotated[str, _why(Deed.DOUBT_REFUSED)]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    group.command("list")(list_all)
    group.command("settled")(settled)
    group.command("refused")(refused)
    app.add_typer(group, name="doubts")


def list_all(cell: Cell = None, json: Json = False) -> None:
    """List the payments in doubt, oldest first, with the last answer of their scheme."""
    found = asyncio.run(_list([load_spec(cell, home_path())] if cell else all_cells(home_path())))
    if json:
        print_json({"doubts": [_as_json(name, one, proposed) for name, one, proposed in found]})
    else:
        table = Listing(
            "payment", "cell", "rail", "amount", "in doubt for", "asked", "scheme", "code", "proposed", right=["amount"]
        )
        for name, one, proposed in found:
            table.add_row(
                one.transfer_id, name, one.rail, amount_text(one.amount, one.currency),
                _for_how_long(one.since), str(one.inquiries), _CAUSES[one.cause], _code(one),
                f"{proposed.deed} by {proposed.officer}" if proposed else "",
            )  # fmt: skip
        show_table(table, "No payment is in doubt.")


def settled(
    payment: Payment,
    *,
    reason: SettledReason,
    scheme_reference: SchemeReference = "",
    operator: Operator = "",
    reference: Reference = "",
    cell: Where = None,
    json: Json = False,
) -> None:
    """Decide that the scheme has made the payment: it is COMPLETED, as after an answer of the scheme."""
    _decide(payment, cell, Asked(Deed.DOUBT_SETTLED, acting(operator), reason, reference), scheme_reference, json=json)


def refused(
    payment: Payment,
    *,
    reason: RefusedReason,
    operator: Operator = "",
    reference: Reference = "",
    cell: Where = None,
    json: Json = False,
) -> None:
    """Decide that the scheme will not make the payment: its money goes back to its payer (REFUNDED).

    A payment that its scheme has not answered can be refused only when the rail's time for it is over.
    """
    _decide(payment, cell, Asked(Deed.DOUBT_REFUSED, acting(operator), reason, reference), "", json=json)


def _decide(payment: str, cell: str | None, asked: Asked, scheme_reference: str, *, json: bool) -> None:
    decision = asyncio.run(_decided(parse(payment, "tr").text, cell, asked, scheme_reference))
    word = "settled" if decision.deed is Deed.DOUBT_SETTLED else "refused"
    if json:
        print_json({"decision": decision})
    elif decision.state == "proposed":
        print_plain(
            f"{payment}: proposed as {word} by {decision.officer}; takes effect when another operator decides the same."
        )
    else:
        print_plain(f"{payment}: {word}, by {decision.officers}. The payment goes on within seconds.")


async def _list(specs: Sequence[CellSpec]) -> list[tuple[str, Doubt, Decision | None]]:
    found: list[tuple[str, Doubt, Decision | None]] = []
    for spec in specs:
        async with reading(spec) as connection:
            doubts = await store_doubts.doubts(connection, spec.region, _LISTED_MAX)
            decisions = await store_decisions.of_cases(connection, spec.region, [one.transfer_id for one in doubts])
        for one in doubts:
            waiting = [
                made for made in decisions.get(one.transfer_id, ())
                if made.state == "proposed" and made.case_version == one.version
            ]  # fmt: skip
            found.append((spec.name, one, waiting[-1] if waiting else None))
    return found


async def _decided(payment: str, cell: str | None, asked: Asked, scheme_reference: str) -> Decision:
    spec = load_spec(cell, home_path()) if cell else await _where(payment)
    async with (
        institution_of(spec) as institution,
        changing_of(institution.pool, spec, operator_actor(asked.officer)) as change,
    ):
        deciding = DoubtDeciding(spec.entry, institution.rules)
        decision = await deciding.decide(change.connection, payment, asked, scheme_reference)
        # Who says the same again changes nothing.
        change.unchanged = not await change.recorded()
    return decision


async def _where(payment: str) -> CellSpec:
    """The cell that pays a payment out: across a border its destination, which the origin's leg names."""
    home = load_spec(parse(payment).cell, home_path())
    async with reading(home) as connection:
        leg = (await store.read(connection, home.region, [payment])).get(payment)
    return load_spec(leg.destination_cell, home_path()) if leg is not None else home


def _code(one: Doubt) -> str:
    words = reason_in_words(one.code)
    return f"{one.code} ({words})" if words else one.code or ""


def _for_how_long(since: datetime) -> str:
    return str(datetime.now(UTC) - since).partition(".")[0]


def _as_json(cell: str, one: Doubt, proposed: Decision | None) -> dict[str, object]:
    return {
        "transfer_id": one.transfer_id,
        "cell": cell,
        "rail": one.rail,
        "amount": money(one.amount, one.currency),
        "since": one.since,
        "asked_at": one.asked_at,
        "inquiries": one.inquiries,
        "cause": one.cause,
        "code": one.code,
        "code_in_words": reason_in_words(one.code),
        "proposed": proposed,
    }
