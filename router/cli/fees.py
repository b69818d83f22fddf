"""`kovra fees`: the rules that fees follow, tried before they count. Who may write to a cell's own database may add to them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape

from cells.fx import store_fees
from cells.fx.fee_trials import Backtest, add_up, try_on
from cells.fx.fees import PLATFORM, FeeRule, Kind, in_force
from cells.kit.money import money
from cells.kit.operator import operator_actor
from cells.spec import CellSpec, home_path
from router.cli.choices import moment, one_of
from router.cli.console import out, print_json
from router.cli.fees_explained import explain
from router.cli.operator import Operator, acting
from router.cli.provisioning import chosen_cells
from router.cli.record import changing, reading
from router.cli.tables import Listing, amount_of, show_table

Cell = Annotated[str, typer.Option("--cell", help="One cell; all of them by default.")]
OneCell = Annotated[str, typer.Option("--cell", help="The cell whose payments are tried; the first by default.")]
Tenant = Annotated[str, typer.Option("--tenant", help="A tenant's own rule; without it, a rule for all tenants.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Name = Annotated[str, typer.Argument(help="The rule's name, such as eur-idr.")]
KindOf = Annotated[str, typer.Argument(help="PRE (the payer pays) or POST (the recipient pays).")]
Amount = Annotated[
    str,
    typer.Argument(help="The fee, an expression in minor units such as cents: '100 + bps(amount_minor, 20)'."),
]
Applies = Annotated[str, typer.Option("--applies", help="When: \"currency == 'EUR' && 'payroll' in metadata.tags\".")]
_DIFFERING_SHOWN = 20


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Fee rules: list, explain, add, back-test.", no_args_is_help=True)
    group.command("list")(show)
    group.command("explain")(explain)
    group.command("add")(add)
    group.command("backtest")(backtest)
    app.add_typer(group, name="fees")


def show(
    cell: Cell = "",
    every: Annotated[bool, typer.Option("--all", help="Include versions that are not in force.")] = False,
    json: Json = False,
) -> None:
    """List the fee rules in force, in each cell, with tenants' own rules."""
    found = [
        {"cell": name, **asdict(rule)}
        for name, rules in asyncio.run(_rules(chosen_cells(home_path(), cell))).items()
        for rule in (rules if every else _counting(rules))
    ]
    if json:
        print_json({"rules": found})
        return
    table = Listing(
        "cell", "rule", "version", "kind", "tenant", "applies", "amount", "from", "until", right=["version"]
    )
    for row in found:
        until = row["effective_to"]
        table.add_row(
            row["cell"], row["rule"], str(row["version"]), row["kind"], row["tenant_id"] or "all", escape(row["applies"]), escape(row["amount"]),
            f"{row['effective_from']:%Y-%m-%d %H:%M}", f"{until:%Y-%m-%d %H:%M}" if until else "-",
        )  # fmt: skip
    show_table(table, "There is no fee rule.")


def add(
    name: Name,
    kind: KindOf,
    amount: Amount,
    *,
    applies: Applies = "true",
    since: Annotated[str, typer.Option("--from", help="In force from (RFC 3339); now by default.")] = "",
    until: Annotated[
        str, typer.Option("--until", help="In force until; then the version before it applies again.")
    ] = "",
    tenant: Tenant = PLATFORM,
    cell: Cell = "",
    operator: Operator = "",
    json: Json = False,
) -> None:
    """Add a version of a rule. Versions are never edited: to end a fee, add a version with the amount 0."""
    who = acting(operator)
    rule = _rule(name, kind, amount, applies, tenant, since, until)
    added = asyncio.run(_add(chosen_cells(home_path(), cell), rule, who))
    if json:
        print_json({"rules": [{"cell": name, **asdict(one)} for name, one in added.items()]})
        return
    for where, one in added.items():
        out.print(f"{where}: {one.rule}, version {one.version}, counts from {one.effective_from:%Y-%m-%d %H:%M:%S} UTC")


def backtest(
    name: Name,
    kind: KindOf,
    amount: Amount,
    *,
    applies: Applies = "true",
    tenant: Tenant = PLATFORM,
    cell: OneCell = "",
    days: Annotated[int, typer.Option("--days", min=1, help="How far back.")] = 30,
    most: Annotated[int, typer.Option("--most", min=1, help="How many payments at most.")] = 100_000,
    json: Json = False,
) -> None:
    """Price a cell's past payments with this version of a rule, and compare. Changes nothing."""
    candidate = _rule(name, kind, amount, applies, tenant, "", "")
    candidate.check()
    spec = chosen_cells(home_path(), cell)[0]
    found = asyncio.run(_backtest(spec, candidate, datetime.now(UTC) - timedelta(days=days), most))
    if json:
        print_json({"cell": spec.name, "rule": name, "kind": kind, "currencies": backtest_document(found)})
        return
    _shown(found)


def backtest_document(found: Mapping[str, Backtest]) -> dict[str, Any]:
    """The sums by currency, amounts as the API writes them, and the first payments that would cost something else."""
    return {
        currency: {
            "payments": one.payments,
            "dearer": one.dearer,
            "cheaper": one.cheaper,
            "failing": one.failing,
            "was": money(one.was_minor, currency),
            "would_be": money(one.would_be_minor, currency),
            "difference": money(one.would_be_minor - one.was_minor, currency),
            "differing": [
                {
                    "transfer_id": each.payment.transfer_id,
                    "was": money(each.was_minor, currency),
                    "would_be": None if each.would_be_minor is None else money(each.would_be_minor, currency),
                }
                for each in one.differing
            ],
        }
        for currency, one in sorted(found.items())
    }


def _shown(found: Mapping[str, Backtest]) -> None:
    numbers = ("payments", "dearer", "cheaper", "failing", "was", "would_be", "difference")
    table = Listing(
        "currency", *(name.replace("_", " ") for name in numbers), right=[one.replace("_", " ") for one in numbers]
    )
    document = backtest_document(found)
    for currency, one in document.items():
        table.add_row(
            currency, *(amount_of(one[name]) if isinstance(one[name], dict) else str(one[name]) for name in numbers)
        )
    show_table(table, "No payment of that time would be priced by the rule.")
    differing = [each for one in document.values() for each in one["differing"]]
    if differing:
        details = Listing("transfer", "was", "would be", right=["was", "would be"])
        for each in differing:
            would_be = each["would_be"]
            details.add_row(
                each["transfer_id"], amount_of(each["was"]), amount_of(would_be) if would_be else "no fee: it fails"
            )
        out.print()
        out.print(details)


def _rule(name: str, kind: str, amount: str, applies: str, tenant: str, since: str, until: str) -> FeeRule:
    one_of(kind, ("PRE", "POST"), "kind")
    which: Kind = "PRE" if kind == "PRE" else "POST"
    ends = moment(until) if until else None
    return FeeRule(name, 1, tenant, which, applies, amount, moment(since) if since else datetime.now(UTC), ends)


async def _rules(cells: Sequence[CellSpec]) -> dict[str, list[FeeRule]]:
    found = {}
    for spec in cells:
        async with reading(spec) as connection:
            found[spec.name] = await store_fees.all_rules(connection, spec.region)
    return found


def _counting(rules: Sequence[FeeRule]) -> list[FeeRule]:
    now = datetime.now(UTC)
    owners = sorted({one.tenant_id for one in rules})
    return [one for owner in owners for one in in_force(rules, owner, now) if one.tenant_id == owner]


async def _add(cells: Sequence[CellSpec], rule: FeeRule, who: str) -> dict[str, FeeRule]:
    added = {}
    for spec in cells:
        async with changing(spec, operator_actor(who)) as change:
            one = added[spec.name] = await store_fees.add(change.connection, spec.region, rule)
            await change.record("fees.add", one.rule, tenant_id=one.tenant_id, outcome=f"v{one.version}")
    return added


async def _backtest(spec: CellSpec, candidate: FeeRule, since: datetime, most: int) -> dict[str, Backtest]:
    found: dict[str, Backtest] = {}
    async with reading(spec) as connection:
        rules = await store_fees.all_rules(connection, spec.region)
        pages = store_fees.past_payments(
            connection, spec.region, since, candidate.tenant_id, most, spec.directory.region_of_currency
        )
        async for page in pages:
            add_up(try_on(page, rules, candidate), candidate.kind, found, _DIFFERING_SHOWN)
    return found
