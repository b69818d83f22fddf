"""`kovra fees explain`: what each rule says of one amount, and how the price follows from it, step by step. Reads only."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from cells.backends.postgres import StoreUnavailable
from cells.fx import store_fees
from cells.fx.ecb import EcbHistory
from cells.fx.fee_trials import Step
from cells.fx.fee_trials import explain as steps_of
from cells.fx.fees import PLATFORM, Circumstances, FeeRule, Kind, Tariff, in_force, seeds, tags_of
from cells.fx.offers import corridor_of, rails_for
from cells.fx.pricing import Price, price
from cells.kit.money import currency_of, money, parse_amount
from cells.spec import SettingsInvalid, home_path, load_spec
from cells.tenants.tiers import tier as tier_of
from cells.tenants.tiers import tiers
from residency.directory import CellEntry, Directory, DirectoryInvalid, load_directory
from residency.errors import KovraError
from router.cli.choices import one_of
from router.cli.console import err, out, print_json
from router.cli.record import reading
from router.cli.tables import Listing, amount_of, show_table

Source = Annotated[str, typer.Argument(help="All that leaves the wallet, such as 1000.00.")]
Currency = Annotated[str, typer.Argument(help="Its currency.")]
Target = Annotated[str, typer.Argument(help="The currency that arrives.")]
Rail = Annotated[str, typer.Option("--rail", help="The rail that pays out; the first declared by default.")]
Tier = Annotated[str, typer.Option("--tier", help="The tenant's tier.")]
Tags = Annotated[str, typer.Option("--tags", help="metadata.tags, separated by commas.")]
Tenant = Annotated[str, typer.Option("--tenant", help="With the rules of that tenant.")]
Cell = Annotated[str, typer.Option("--cell", help="By default the first that holds the currency.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def explain(
    amount: Source,
    currency: Currency,
    target: Target,
    *,
    rail: Rail = "",
    tier: Tier = "starter",
    tags: Tags = "",
    tenant: Tenant = PLATFORM,
    cell: Cell = "",
    json: Json = False,
) -> None:
    """Show the fees of an amount now, rule by rule, and the amount that would arrive."""
    one_of(tier, tiers(), "tier")
    for code in (currency, target):
        currency_of(code)
    source_minor = parse_amount(amount, currency)
    entry, directory, rules = asyncio.run(_rules(currency, cell, tenant))
    paying = [one.name for one in rails_for(directory, target)]
    if rail or not paying:
        one_of(rail, paying, f"rail that pays out {target}")
    profile = rail or paying[0]
    corridor = corridor_of(directory.region_of_currency, entry.region, currency, target)
    here = Circumstances(currency, target, corridor, profile, tier, tags_of(tags))
    document = explained(Tariff(in_force(rules, tenant, datetime.now(UTC)), here), source_minor)
    if json:
        print_json({"cell": entry.name, **document})
        return
    _show(document)


async def _rules(currency: str, cell: str, tenant: str) -> tuple[CellEntry, Directory, Sequence[FeeRule]]:
    """The cell that is named, or the first that holds the currency, the directory, and the cell's rules; where no cell runs, those that a
    cell is founded with. Raises UnknownChoice, and for a tenant, whose rules only a cell has, what cannot be read."""
    try:
        directory = load_directory(home_path())
        spec = load_spec(_cell_of(directory, currency, cell).name, home_path())
        async with reading(spec) as connection:
            return spec.entry, directory, await store_fees.all_rules(connection, spec.region)
    except (DirectoryInvalid, SettingsInvalid, StoreUnavailable):
        if tenant != PLATFORM:
            raise
    directory = load_directory()
    entry = _cell_of(directory, currency, cell)
    err.print(
        "No cell answers: these are the rules that a cell is founded with. With `kovra run`, the cell's own count."
    )
    return entry, directory, seeds(entry.currencies)


def _cell_of(directory: Directory, currency: str, cell: str) -> CellEntry:
    """Raises UnknownChoice."""
    one_of(currency, directory.region_of_currency, "wallet currency")
    if cell:
        one_of(cell, directory.cells, "cell")
    in_order = sorted(directory.cells.values(), key=lambda one: one.number)
    return next(one for one in in_order if one.name == cell or (not cell and currency in one.currencies))


def explained(tariff: Tariff, source_minor: int) -> dict[str, Any]:
    """Every rule's word, then the price, amounts as the API writes them. `price` is None where there is none, and `problem` says why."""
    here = tariff.circumstances
    found: Price | None = None
    problem = None
    rate = EcbHistory().latest().rate(here.currency, here.target_currency)
    try:
        found = price(rate, "source", source_minor, tier_of(here.tier).margin_bps, tariff)
    except KovraError as error:
        problem = error.detail
    pre = list(steps_of(tariff, "PRE", source_minor))
    # Where a PRE rule fails there is still something to learn of the others: as if nobody paid a fee before.
    bare = found or _without(tariff, rate, source_minor)
    post = list(steps_of(tariff, "POST", bare.target_minor)) if bare else []
    return {
        "amount": money(source_minor, here.currency),
        "corridor": here.corridor,
        "rail": here.rail,
        "tier": here.tier,
        "tags": list(here.tags),
        "rules": [*_told(pre, "PRE", here), *_told(post, "POST", here)],
        "price": _priced(found) if found else None,
        "problem": problem,
    }


def _without(tariff: Tariff, rate: Any, source_minor: int) -> Price | None:
    try:
        return price(
            rate, "source", source_minor, tier_of(tariff.circumstances.tier).margin_bps, replace(tariff, rules=())
        )
    except KovraError:
        return None


def _told(steps: list[Step], kind: Kind, here: Circumstances) -> Iterator[dict[str, Any]]:
    currency = here.currency if kind == "PRE" else here.target_currency
    for step in steps:
        yield {
            "rule": step.rule.rule,
            "version": step.rule.version,
            "kind": kind,
            "tenant_id": step.rule.tenant_id or None,
            "applies_if": step.rule.applies,
            "applies": step.applies,
            "of": money(step.amount_minor, currency),
            "is": step.rule.amount,
            "fee": money(step.fee_minor, currency) if step.applies and step.problem is None else None,
            "problem": step.problem,
        }


def _priced(found: Price) -> dict[str, Any]:
    source, target = found.rate.source, found.rate.target
    return {
        "source": money(found.source_minor, source),
        "fee": money(found.fee_minor, source),
        "margin": money(found.margin_minor, source),
        "principal": money(found.principal_minor, source),
        "rate": found.rate.text,
        "paid_out_before_recipient_fee": money(found.target_minor, target),
        "recipient_fee": money(found.recipient_fee_minor, target),
        "arrives": money(found.payout_minor, target),
    }


def _show(document: dict[str, Any]) -> None:
    labels = ", ".join(document["tags"]) or "no tags"
    out.print(
        f"{amount_of(document['amount'])} over {document['corridor']}, {document['rail']}, {document['tier']}, {labels}"
    )
    table = Listing(
        "rule",
        "version",
        "kind",
        "applies",
        "because",
        "of",
        "is",
        "fee",
        right=["version", "of", "fee"],
    )
    for one in document["rules"]:
        applies = {True: "yes", False: "no", None: "fails"}[one["applies"]]
        fee = amount_of(one["fee"]) if one["fee"] else escape(one["problem"] or "-")
        table.add_row(
            one["rule"],
            str(one["version"]),
            one["kind"],
            applies,
            escape(one["applies_if"]),
            amount_of(one["of"]),
            escape(one["is"]),
            fee,
        )
    show_table(table, "No fee rule stands for this payment.")
    out.print()
    if document["price"] is None:
        out.print(f"No price: {document['problem']}", markup=False)
        return
    steps = Listing("step", "amount", right=["amount"])
    for name, text in document["price"].items():
        steps.add_row(name.replace("_", " "), text if isinstance(text, str) else amount_of(text))
    out.print(steps)
