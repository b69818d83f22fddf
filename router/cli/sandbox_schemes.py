"""`kovra sandbox`: what the simulated schemes of a stack on this machine do, and what they were asked and paid."""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Annotated

import typer

from cells.kit.money import amount_text, money, parse_amount
from cells.rails.console import SchemeState
from cells.rails.registry import profile_of
from infra.schemes.magic import SCRIPTS, amount_of
from infra.schemes.rules import SCHEMES
from residency.errors import KovraError
from router.cli import sandbox_shown as shown
from router.cli.console import out, print_json, print_plain
from router.cli.funding import wallet_in
from router.cli.pay import Key, Url, reach
from router.cli.sandbox_places import Place, ask, ask_all, of_message, of_transfer, places
from router.cli.tables import show_table
from router.client import KovraClient

_LENGTH = re.compile(r"(\d{1,5})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}

Transfer = Annotated[str, typer.Argument(help="The transfer, tr_…, as the API names it.")]
Reference = Annotated[str, typer.Argument(help="The scheme reference of a credit, or of a return.")]
RailName = Annotated[str, typer.Argument(metavar="RAIL", help="Such as chaps.")]
Rail = Annotated[str | None, typer.Option("--rail", help="Only at this rail's scheme.")]
Cell = Annotated[str | None, typer.Option("--cell", help="Only at the schemes of this cell.")]
Reason = Annotated[str, typer.Option("--reason", help="An ISO 20022 reason code.")]
Times = Annotated[int, typer.Option("--times", min=1, max=20, help="How often the one message is sent.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class NotALength(KovraError):
    code = "not-a-length"
    status = 422
    title = "That is no length of time"


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="The simulated schemes: cause deposits, returns, recalls and delays; see what was paid.",
        no_args_is_help=True,
    )
    for name, command in (
        ("table", magic_values), ("deposit", deposit), ("state", state), ("payments", payments), ("settle", settle), ("reject", reject),
        ("return", give_back), ("recall", recall), ("duplicate", duplicate), ("open", open_rail), ("close", close_rail),
        ("hours", own_hours), ("advance", advance), ("statement", statement),
    ):  # fmt: skip
        group.command(name)(command)
    app.add_typer(group, name="sandbox")


def magic_values(json: Json = False) -> None:
    """The magic values: what a creditor's name, or an exact amount, makes a scheme do."""
    if not json:
        show_table(shown.magic(), "There is no magic value.")
        out.print()
        show_table(shown.magic_names(), "There is no magic name.")
        return
    print_json(
        [
            {
                "phrase": one.phrase,
                "units": one.units,
                "story": one.story,
                "amounts": {rail: money(amount_of(one, rail), profile_of(rail).currency) for rail in SCHEMES},
            }
            for one in SCRIPTS
        ]
    )


def deposit(
    amount: Annotated[str, typer.Argument(help="Such as 5000.00.")],
    currency: Annotated[str, typer.Argument(help="Such as EUR.")],
    url: Url = None,
    key: Key = None,
) -> None:
    """Have a scheme send money to the tenant's wallet in that currency; prints the scheme's reference."""
    url, key = reach(url, key)
    print_plain(asyncio.run(_deposit(url, key, amount, currency.upper())))


def state(cell: Cell = None, rail: Rail = None, json: Json = False) -> None:
    """Show every scheme's time, and whether it is open."""
    _tell(ask_all(places(cell, rail), lambda console: console.state()), json=json)


def payments(transfer: Transfer, json: Json = False) -> None:
    """Show how often a payment was requested, paid and returned."""
    place, reference = of_transfer(transfer)
    found = ask(place, lambda console: console.payment(reference))
    if json:
        print_json({"cell": place.cell, "rail": place.rail, **shown.payment_json(found)})
    else:
        show_table(shown.payment(place.rail, found), "The scheme was not asked to pay it.")


def settle(transfer: Transfer) -> None:
    """Have the scheme pay a payment that it left unpaid or unanswered, and report it to the cell."""
    place, reference = of_transfer(transfer)
    ask(place, lambda console: console.settle(reference))
    print_plain(f"{place.rail} has paid {transfer}.")


def reject(transfer: Transfer, reason: Reason = "AC04") -> None:
    """Have the scheme refuse a payment that it has not paid, and report it to the cell."""
    place, reference = of_transfer(transfer)
    ask(place, lambda console: console.reject(reference, reason))
    print_plain(f"{place.rail} has refused {transfer}: {reason}.")


def give_back(
    transfer: Transfer,
    *,
    amount: Annotated[str | None, typer.Option("--amount", help="Such as 12.50; all that is left by default.")] = None,
    reason: Reason = "AC04",
    times: Times = 1,
) -> None:
    """Have the payee's bank return a payment, whole or in part; prints the return's reference."""
    place, reference = of_transfer(transfer)
    minor = None if amount is None else parse_amount(amount, profile_of(place.rail).currency)
    print_plain(ask(place, lambda console: console.give_back(reference, minor, reason, deliveries=times)))


def recall(reference: Reference, reason: Reason = "DUPL", rail: Rail = None) -> None:
    """Have the payer's bank recall a credit that a wallet has received; prints the recall's reference."""
    print_plain(ask(of_message(reference, rail), lambda console: console.recall(reference, reason)))


def duplicate(reference: Reference, times: Times = 1, rail: Rail = None) -> None:
    """Send a credit, or a return, again as it was."""
    place = of_message(reference, rail)
    ask(place, lambda console: console.duplicate(reference, times))
    print_plain(f"{place.rail} sends {reference} again.")


def open_rail(rail: RailName, cell: Cell = None, json: Json = False) -> None:
    """Open a scheme until further notice, whatever the hour."""
    _set_hours(rail, cell, True, json=json)


def close_rail(rail: RailName, cell: Cell = None, json: Json = False) -> None:
    """Close a scheme until further notice: it refuses what it is sent (TM01)."""
    _set_hours(rail, cell, False, json=json)


def own_hours(rail: RailName, cell: Cell = None, json: Json = False) -> None:
    """Apply a scheme's own opening hours, by its own time."""
    _set_hours(rail, cell, None, json=json)


def advance(
    length: Annotated[str, typer.Argument(help="Such as 2d, 12h or 90m.")], cell: Cell = None, json: Json = False
) -> None:
    """Move the schemes' time on: what is due by then happens now.

    It moves the clock of a region's schemes for every tenant, and none of what a tenant waits for in the cell. A partner has
    `POST /v1/sandbox/time`: it brings its own payments' deadlines nearer, and nobody else's.
    """
    found = _LENGTH.fullmatch(length)
    if found is None:
        raise NotALength("Write it as in 2d, 12h or 90m.")
    by = timedelta(**{_UNITS[found[2]]: int(found[1])})
    # All schemes of a cell have one clock: one of them is asked.
    one_of_each = {place.cell: place for place in places(cell)}
    _tell(ask_all(list(one_of_each.values()), lambda console: console.advance(by)), json=json)


def statement(
    rail: RailName,
    *,
    day: Annotated[datetime | None, typer.Option("--day", formats=["%Y-%m-%d"], help="Of the scheme's time.")] = None,
    xml: Annotated[bool, typer.Option("--xml", help="The scheme's camt.053 itself.")] = False,
    cell: Cell = None,
    json: Json = False,
) -> None:
    """The account at a scheme: its balance, and every movement of a day."""
    place, wanted = places(cell, rail)[0], day.date() if day else None
    if xml and json:
        raise typer.BadParameter("--xml and --json are two forms; name one.")
    if xml:
        print_plain(ask(place, lambda console: console.day_statement(wanted)).decode())
        return
    found = ask(place, lambda console: console.movements(wanted))
    if json:
        print_json(shown.movements_json(found))
        return
    show_table(shown.movements(found), f"Nothing moved on {found.day}.")
    before, after = (amount_text(minor, found.currency) for minor in (found.opening_minor, found.closing_minor))
    print_plain(f"{found.day}: {before} before, {after} after")


async def _deposit(url: str, key: str, amount: str, currency: str) -> str:
    async with KovraClient(url, key) as client:
        regions = {code: one.region for one in await client.regions.list() for code in one.currencies}
        wallet = await wallet_in(client, currency, regions)
        return (await client.sandbox.deposit(wallet.id, amount, currency)).scheme_reference


def _set_hours(rail: str, cell: str | None, open_now: bool | None, *, json: bool) -> None:
    _tell(ask_all(places(cell, rail), lambda console: console.set_hours(open_now=open_now)), json=json)


def _tell(found: dict[Place, SchemeState | None], *, json: bool) -> None:
    """Exit status 1 when a simulator does not answer."""
    if json:
        print_json([{"cell": place.cell, "rail": place.rail, "state": one} for place, one in found.items()])
    else:
        out.print(shown.state([(place.cell, place.rail, one) for place, one in found.items()]))
    if None in found.values():
        raise typer.Exit(1)
