"""`kovra limits`: what may be sent, by tier, tenant, wallet and payer. Who may write to a cell's own database may set them."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, cast, get_args

import typer

from cells.kit.money import amount_text, currency_of, money, parse_amount
from cells.kit.operator import operator_actor
from cells.limits import store_rules
from cells.limits.limits import Measure, Scope, Window
from cells.limits.rules import ANY, SCOPES, LimitRefused, LimitRule
from cells.spec import CellSpec, home_path
from cells.tenants.tiers import tiers
from residency.directory import load_directory
from residency.ids import parse
from router.cli.choices import moment, one_of
from router.cli.console import err, out, print_json
from router.cli.operator import Operator, acting
from router.cli.provisioning import chosen_cells
from router.cli.record import changing, reading
from router.cli.tables import Listing

Cell = Annotated[str, typer.Option("--cell", help="One cell; all of them by default.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
ScopeOf = Annotated[str, typer.Argument(help="tenant, wallet or payer: whose transfers count together.")]
WindowOf = Annotated[str, typer.Argument(help="transfer, day or month (UTC).")]
MeasureOf = Annotated[str, typer.Argument(help="amount, or count of transfers.")]
Currency = Annotated[str, typer.Argument(help="The currency of the wallets.")]
Value = Annotated[str, typer.Argument(help="An amount such as 5000.00, or a number of transfers.")]
Tenant = Annotated[str, typer.Option("--tenant", help="For one tenant alone.")]
Tier = Annotated[str, typer.Option("--tier", help="For the tenants of one tier.")]
Subject = Annotated[str, typer.Option("--of", help="For one wallet or payer alone (wal_…, pyr_…).")]

_WINDOWS: tuple[Window, ...] = get_args(Window)


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Limits: list, set.", no_args_is_help=True)
    group.command("list")(show)
    group.command("set")(put)
    app.add_typer(group, name="limits")


def show(
    cell: Cell = "",
    tenant: Annotated[str, typer.Option("--tenant", help="The limits set for this tenant alone.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Include versions that are not in force.")] = False,
    json: Json = False,
) -> None:
    """List the limits in force, in each cell. Where several cover the same usage, the narrowest applies."""
    now = datetime.now(UTC)
    listed = [
        (name, rule)
        for name, rules in asyncio.run(_rules(chosen_cells(home_path(), cell))).items()
        for rule in (rules if every else counting(rules, now))
        if tenant in ("", rule.tenant_id)
    ]
    if json:
        print_json({"limits": [{"cell": name, **shown(rule)} for name, rule in listed]})
        return
    _show(listed)


def put(
    scope: ScopeOf,
    window: WindowOf,
    measure: MeasureOf,
    currency: Currency,
    value: Value,
    *,
    tier: Tier = ANY,
    tenant: Tenant = ANY,
    subject: Subject = ANY,
    since: Annotated[str, typer.Option("--from", help="In force from (RFC 3339); now by default.")] = "",
    until: Annotated[str, typer.Option("--until", help="Until when it is in force.")] = "",
    cell: Cell = "",
    operator: Operator = "",
    json: Json = False,
) -> None:
    """Set a limit: a new version, in force at once. What was sent earlier in the day or month counts, too."""
    who = acting(operator)
    one_of(currency, load_directory(home_path()).region_of_currency, "wallet currency")
    rule = rule_of(scope, window, measure, currency, value, (tier, tenant, subject), (since, until))
    if subject:
        # A wallet and a payer are known where they live, and nowhere else.
        home = parse(subject, {"wallet": "wal", "payer": "pyr"}.get(scope, "ten")).cell
        if cell not in ("", home):
            raise LimitRefused(f"{subject} lives in {home}, and --cell names {cell}.")
        cell = home
    done = asyncio.run(_set(chosen_cells(home_path(), cell), rule, who))
    if json:
        print_json({"limits": [{"cell": name, **shown(one)} for name, one in done.items()]})
        return
    for name, one in done.items():
        out.print(f"{name}: version {one.version} counts from {one.effective_from:%Y-%m-%d %H:%M:%S} UTC")


def rule_of(
    scope: str,
    window: str,
    measure: str,
    currency: str,
    value: str,
    narrow: tuple[str, str, str] = (ANY, ANY, ANY),
    span: tuple[str, str] = ("", ""),
) -> LimitRule:
    """The rule that words describe; `narrow`: tier, tenant, subject. Raises UnknownChoice, LimitRefused, InvalidAmount, UnknownCurrency."""
    one_of(scope, SCOPES, "scope")
    one_of(window, _WINDOWS, "window")
    one_of(measure, ("amount", "count"), "measure")
    currency_of(currency)
    tier, tenant, subject = narrow
    if tier:
        one_of(tier, tiers(), "tier")
    if measure == "count" and not (value.isascii() and value.isdigit()):
        raise LimitRefused("A number of transfers is a whole number.")
    most = parse_amount(value, currency) if measure == "amount" else int(value)
    since, until = span
    rule = LimitRule(
        tenant, tier, currency, cast("Scope", scope), subject, cast("Window", window), cast("Measure", measure), 1, most,
        moment(since) if since else datetime.now(UTC), moment(until) if until else None,
    )  # fmt: skip
    rule.check()
    return rule


def counting(rules: Sequence[LimitRule], at: datetime) -> list[LimitRule]:
    """Of every rule the version that counts."""
    newest: dict[tuple[str, ...], LimitRule] = {}
    for one in rules:
        if one.in_force(at) and (one.key not in newest or newest[one.key].version < one.version):
            newest[one.key] = one
    return list(newest.values())


def shown(rule: LimitRule) -> dict[str, Any]:
    """A rule as JSON has it; `value` is money as the API writes it, or a number of transfers."""
    value = money(rule.value, rule.currency) if rule.measure == "amount" else rule.value
    until = rule.effective_to.isoformat() if rule.effective_to else None
    return {**asdict(rule), "value": value, "effective_from": rule.effective_from.isoformat(), "effective_to": until}


def _show(listed: Sequence[tuple[str, LimitRule]]) -> None:
    """One table for each cell and those whom its limits are for, tiers first, in their own order."""
    if not listed:
        err.print("There is no such limit.")
        return
    order = {name: place for place, name in enumerate(tiers())}
    groups: dict[tuple[str, int, str], list[LimitRule]] = {}
    for cell, rule in listed:
        groups.setdefault((cell, order.get(rule.tier, -1), _whose(rule)), []).append(rule)
    for number, ((cell, _, whose), rules) in enumerate(sorted(groups.items())):
        out.print(f"{chr(10) if number else ''}[bold]{cell}[/], {whose}")
        ends = any(rule.effective_to for rule in rules)
        table = Listing(
            "  of each", "per", "at most", "version", "from", *(["until"] if ends else []), right=["at most", "version"]
        )
        for rule in sorted(rules, key=_place):
            times = [rule.effective_from, *([rule.effective_to] if ends else [])]
            table.add_row(
                f"  {rule.scope}", rule.window, _most(rule), str(rule.version),
                *(f"{at:%Y-%m-%d %H:%M}" if at else "-" for at in times),
            )  # fmt: skip
        out.print(table)


def _whose(rule: LimitRule) -> str:
    named = [f"tenants of the tier {rule.tier}"] if rule.tier else []
    named += [f"the tenant {rule.tenant_id}"] if rule.tenant_id else []
    named += [f"the {rule.scope} {rule.subject}"] if rule.subject else []
    return ", ".join(named) or "every tenant"


def _place(rule: LimitRule) -> tuple[str, int, int, str, int]:
    return rule.currency, SCOPES.index(rule.scope), _WINDOWS.index(rule.window), rule.measure, rule.version


def _most(rule: LimitRule) -> str:
    if rule.measure == "amount":
        return amount_text(rule.value, rule.currency)
    return f"{rule.value} transfer{'' if rule.value == 1 else 's'} in {rule.currency}"


async def _rules(cells: Sequence[CellSpec]) -> dict[str, list[LimitRule]]:
    found = {}
    for spec in cells:
        async with reading(spec) as connection:
            found[spec.name] = await store_rules.all_rules(connection, spec.region)
    return found


async def _set(cells: Sequence[CellSpec], rule: LimitRule, who: str) -> dict[str, LimitRule]:
    done = {}
    for spec in cells:
        async with changing(spec, operator_actor(who)) as change:
            one = done[spec.name] = await store_rules.add(change.connection, spec.region, rule)
            named = f"{one.scope}.{one.window}.{one.measure}.{one.currency}:{one.tier or one.subject}"
            await change.record("limits.set", named, tenant_id=one.tenant_id, outcome=f"v{one.version}:{one.value}")
    return done
