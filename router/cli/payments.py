"""`kovra payments`: an operator searches the payments of its cells, and sees what is blocked in them. It only reads."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from cells.kit.csv_text import write_rows
from cells.kit.money import amount_text, currency_of, money, parse_amount
from cells.payments.machine import Leg, State, public
from cells.payments.store_search import Sought, search, states_shown_as
from cells.payments.transfer import Transfer
from cells.rails.iso20022.reason_words import reason_in_words
from cells.rails.profile_files import rail_profiles
from cells.spec import CellSpec, home_path
from residency.errors import KovraError
from router.cli.choices import moment, one_of
from router.cli.console import err, out, print_json
from router.cli.provisioning import chosen_cells
from router.cli.record import reading
from router.cli.tables import Listing, show_table

Cell = Annotated[str, typer.Option("--cell", help="One cell; all of them by default.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV on stdout.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many of each cell at most.")]
Before = Annotated[str, typer.Option("--before", help="The cursor of the page before.")]
_COLUMNS = (
    "cell", "transfer_id", "tenant_id", "leg", "status", "in_doubt", "amount", "currency", "arrives", "arrives_currency", "rail",
    "reason_code", "reason", "batch_id", "created_at", "updated_at",
)  # fmt: skip
_STATES = tuple(sorted({str(public(state)) for state in State}))
Page = tuple[list[Transfer], str | None]


class SearchContradicted(KovraError):
    code = "search-contradicted"
    status = 422
    title = "That cannot be searched for"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Payments of every tenant: list, blocked.", no_args_is_help=True)
    group.command("list")(show)
    group.command("blocked")(blocked)
    app.add_typer(group, name="payments")


def show(
    *,
    cell: Cell = "",
    tenant: Annotated[str, typer.Option("--tenant", help="Of one tenant, ten_….")] = "",
    status: Annotated[
        list[str] | None, typer.Option("--status", help="A status as the API shows it; repeat it for several.")
    ] = None,
    rail: Annotated[str, typer.Option("--rail", help="By the rail that paid, or is expected to.")] = "",
    currency: Annotated[str, typer.Option("--currency", help="Of the amount.")] = "",
    least: Annotated[str, typer.Option("--from-amount", help="At least so much, such as 1000.00.")] = "",
    most: Annotated[str, typer.Option("--to-amount", help="At most so much.")] = "",
    since: Annotated[str, typer.Option("--from", help="Created then or later (RFC 3339).")] = "",
    until: Annotated[str, typer.Option("--until", help="Created before then.")] = "",
    batch: Annotated[str, typer.Option("--batch", help="Of one batch, bat_….")] = "",
    reason: Annotated[str, typer.Option("--reason", help="With this reason code, such as AC04.")] = "",
    in_doubt: Annotated[bool, typer.Option("--in-doubt", help="Only those whose rail has not answered.")] = False,
    limit: Limit = 50,
    before: Before = "",
    json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List payments, newest first. The amount is what leaves the wallet; of a leg that pays out, what it pays out."""
    for one in status or ():
        one_of(one, _STATES, "status")
    if rail:
        one_of(rail, rail_profiles(), "rail")
    if currency:
        currency_of(currency)
    if (least or most) and not currency:
        raise SearchContradicted("An amount is of a currency: name it with --currency.")
    sought = Sought(
        tenant_id=tenant or None,
        states=states_shown_as(*status) if status else (),
        rail=rail or None,
        currency=currency or None,
        amount_from=parse_amount(least, currency) if least else None,
        amount_to=parse_amount(most, currency) if most else None,
        created_from=moment(since) if since else None,
        created_to=moment(until) if until else None,
        batch_id=batch or None,
        reason_code=reason or None,
        in_doubt=in_doubt,
    )
    _print(_found(sought, cell, before, limit), json=json, as_csv=as_csv)


def blocked(
    cell: Cell = "", limit: Limit = 1_000, before: Before = "", json: Json = False, as_csv: Csv = False
) -> None:
    """List payments with legally frozen funds, with the sums by tenant; officers release them with `kovra review`."""
    found = _found(Sought(states=states_shown_as("BLOCKED")), cell, before, limit)
    _print(found, json=json, as_csv=as_csv)
    if json or as_csv:
        return
    sums: Counter[tuple[str, str, str]] = Counter()
    for name, (transfers, _) in found.items():
        for one in transfers:
            minor, currency = _amount(one)
            sums[name, one.tenant_id, currency] += minor
    if sums:
        table = Listing("cell", "tenant", "blocked", right=["blocked"])
        for (name, tenant_id, currency), minor in sorted(sums.items()):
            table.add_row(name, tenant_id, amount_text(minor, currency))
        out.print()
        out.print(table)


def _found(sought: Sought, cell: str, before: str, limit: int) -> dict[str, Page]:
    if before and not cell:
        raise SearchContradicted("A cursor is of one cell: name it with --cell.")
    return asyncio.run(_search(chosen_cells(home_path(), cell), sought, before, limit))


async def _search(cells: Sequence[CellSpec], sought: Sought, before: str, limit: int) -> dict[str, Page]:
    found = {}
    for spec in cells:
        async with reading(spec) as connection:
            found[spec.name] = await search(connection, spec.region, sought, before_id=before or None, limit=limit)
    return found


def _print(found: dict[str, Page], *, json: bool, as_csv: bool) -> None:
    cursors = {name: cursor for name, (_, cursor) in found.items() if cursor is not None}
    if json:
        rows = [row_of(name, one) for name, (transfers, _) in found.items() for one in transfers]
        print_json({"payments": rows, "next": cursors})
        return
    if as_csv:
        typer.echo(csv_of(found), nl=False)
    else:
        _table(found)
    for name, cursor in cursors.items():
        err.print(f"There may be more in {name}: --cell {name} --before {cursor}", markup=False, soft_wrap=True)


def _table(found: dict[str, Page]) -> None:
    table = Listing("payment", "cell", "status", "amount", "rail", "reason", "created", right=["amount"])
    for name, (transfers, _) in found.items():
        for one in transfers:
            minor, currency = _amount(one)
            status = f"{public(one.state)}{' in doubt' if one.in_doubt else ''}"
            created = f"{one.created_at:%Y-%m-%d %H:%M}" if one.created_at else ""
            table.add_row(
                one.transfer_id, name, status, amount_text(minor, currency), one.rail_used,
                escape(_reason(one.reason_code)), created,
            )  # fmt: skip
    show_table(table, "No payment was found.")


def row_of(cell: str, one: Transfer) -> dict[str, Any]:
    """A payment as JSON has it, amounts as the API writes them. Nothing personal."""
    minor, currency = _amount(one)
    return {
        "cell": cell,
        "transfer_id": one.transfer_id,
        "tenant_id": one.tenant_id,
        "leg": str(one.leg),
        "status": str(public(one.state)),
        "in_doubt": one.in_doubt,
        "amount": money(minor, currency),
        "arrives": money(one.payout_amount, one.target_currency),
        "rail": one.rail_used,
        "reason_code": one.reason_code,
        "reason": reason_in_words(one.reason_code),
        "batch_id": one.batch_id,
        "created_at": one.created_at.isoformat() if one.created_at else None,
        "updated_at": one.updated_at.isoformat() if one.updated_at else None,
    }


def csv_of(found: dict[str, Page]) -> str:
    """The same as CSV, for a spreadsheet."""
    rows = []
    for name, (transfers, _) in found.items():
        for one in transfers:
            row = row_of(name, one)
            row |= {"amount": row["amount"]["value"], "currency": row["amount"]["currency"]}
            row |= {"arrives": row["arrives"]["value"], "arrives_currency": row["arrives"]["currency"]}
            rows.append([row[column] for column in _COLUMNS])
    return write_rows(_COLUMNS, rows)


def _reason(code: str | None) -> str:
    words = reason_in_words(code)
    return f"{code}: {words}" if words else code or ""


def _amount(one: Transfer) -> tuple[int, str]:
    if one.leg is Leg.DESTINATION:
        return one.target_amount, one.target_currency
    return one.source_total, one.source_currency
