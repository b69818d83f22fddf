"""`kovra fees explain`: what each rule says of one amount, and how the price follows from it, step by step. Reads only."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cells.fx import store_fees
from cells.fx.ecb import EcbHistory
from cells.fx.fee_trials import Step
from cells.fx.fee_trials import explain as steps_of
from cells.fx.fees import PLATFORM, Circumstances, Kind, Tariff, in_force, tags_of
from cells.fx.offers import corridor_of, rails_for
from cells.fx.pricing import Price, price
from cells.kit.money import CURRENCIES, currency_of, format_amount, parse_amount
from cells.spec import CellSpec, home_path
from cells.tenants.tiers import tier as tier_of
from cells.tenants.tiers import tiers
from residency.directory import load_directory
from residency.errors import KovraError
from router.cli.choices import one_of
from router.cli.console import listing, out, print_json
from router.cli.provisioning import chosen_cells
from router.cli.record import reading

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
    """What an amount would cost now, rule by rule, and what would arrive."""
    one_of(tier, tiers(), "tier")
    for code in (currency, target):
        currency_of(code)
    spec = _cell_of(currency, cell)
    paying = [one.name for one in rails_for(spec.directory, target)]
    if rail:
        one_of(rail, paying, f"rail that pays out {target}")
    profile = rail or paying[0]
    corridor = corridor_of(spec.directory.region_of_currency, spec.region, currency, target)
    here = Circumstances(currency, target, corridor, profile, tier, tags_of(tags))
    tariff = asyncio.run(_tariff(spec, tenant, here))
    document = explained(tariff, parse_amount(amount, currency))
    if json:
        print_json({"cell": spec.name, **document})
        return
    _show(document)


def _cell_of(currency: str, cell: str) -> CellSpec:
    """The cell that is named, or the first that holds the currency. Raises UnknownChoice."""
    one_of(currency, load_directory(home_path()).region_of_currency, "wallet currency")
    return next(one for one in chosen_cells(home_path(), cell) if cell or currency in one.entry.currencies)


def explained(tariff: Tariff, source_minor: int) -> dict[str, Any]:
    """Every rule's word, then the price, amounts as decimal texts. `price` is None where there is none, and `problem` says why."""
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
        "amount": _text(source_minor, here.currency),
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
            "amount_minor": step.amount_minor,
            "is": step.rule.amount,
            "fee": _text(step.fee_minor, currency) if step.applies and step.problem is None else None,
            "problem": step.problem,
        }


def _priced(found: Price) -> dict[str, str]:
    source, target = found.rate.source, found.rate.target
    return {
        "source": _text(found.source_minor, source),
        "fee": _text(found.fee_minor, source),
        "margin": _text(found.margin_minor, source),
        "principal": _text(found.principal_minor, source),
        "rate": found.rate.text,
        "paid_out_before_recipient_fee": _text(found.target_minor, target),
        "recipient_fee": _text(found.recipient_fee_minor, target),
        "arrives": _text(found.payout_minor, target),
    }


def _text(minor: int, currency: str) -> str:
    assert currency in CURRENCIES
    return f"{format_amount(minor, currency)} {currency}"


def _show(document: dict[str, Any]) -> None:
    labels = ", ".join(document["tags"]) or "no tags"
    out.print(f"{document['amount']} over {document['corridor']}, {document['rail']}, {document['tier']}, {labels}")
    table = listing(
        "rule",
        "version",
        "kind",
        "applies",
        "because",
        "of minor units",
        "is",
        "fee",
        right=["version", "of minor units", "fee"],
    )
    for one in document["rules"]:
        applies = {True: "yes", False: "no", None: "fails"}[one["applies"]]
        fee = one["fee"] or one["problem"] or "-"
        table.add_row(
            one["rule"],
            str(one["version"]),
            one["kind"],
            applies,
            one["applies_if"],
            str(one["amount_minor"]),
            one["is"],
            fee,
        )
    out.print(table)
    out.print()
    if document["price"] is None:
        out.print(f"No price: {document['problem']}", markup=False)
        return
    steps = listing("step", "amount", right=["amount"])
    for name, text in document["price"].items():
        steps.add_row(name.replace("_", " "), text)
    out.print(steps)


async def _tariff(spec: CellSpec, tenant_id: str, here: Circumstances) -> Tariff:
    async with reading(spec) as connection:
        rules = await store_fees.all_rules(connection, spec.region)
    return Tariff(in_force(rules, tenant_id, datetime.now(UTC)), here)
