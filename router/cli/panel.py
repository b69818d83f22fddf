"""What stands on the screen when the stack is up: addresses, the sandbox key, and three lines to paste."""

from datetime import UTC, datetime

from cells.fx.ecb import EcbHistory
from cells.fx.rate_age import age_days
from infra.local.record import StackStatus
from router.cli.console import out, print_plain
from router.cli.sandbox import Sandbox
from router.cli.tables import Facts


def show_panel(status: StackStatus, sandbox: Sandbox, *, detached: bool) -> None:
    """For people; `curl` lines stand below the panel, unwrapped, so that they can be pasted. `detached`: it runs in the background."""
    facts = {
        "router": status.router_url,
        "API docs": f"{status.router_url}/docs",
        "sandbox tenant": sandbox.tenant.tenant_id,
    }
    facts |= {f"ledger {cell}": engine for cell, engine in status.ledgers.items()}
    facts["rates"] = _rates()
    slowest = max(status.parts, key=lambda part: part.ready_after_s or 0.0)
    facts["parts"] = (
        f"{len(status.parts)} ready; slowest: {slowest.cell}/{slowest.name} {slowest.ready_after_s or 0:.1f} s"
    )
    out.print("[bold]Kovra[/]")
    out.print(Facts(list(facts.items())))
    paste = f"export KOVRA_URL={status.router_url} KOVRA_API_KEY={sandbox.key}"
    for title, line in [
        ("sandbox key", sandbox.key),
        ("for router/PARTNERS.md and `kovra pay`", paste),
        *curl_lines(status.router_url, sandbox),
    ]:
        out.print(f"\n[bold]{title}[/]")
        print_plain(line)
    stops = "`.venv/bin/kovra down`" if detached else "Ctrl-C"
    out.print(f"\n[dim]{stops} stops everything; `.venv/bin/kovra status` shows every part.[/]")


def _rates() -> str:
    """How old the rates are that a sandbox prices by."""
    table = EcbHistory().latest()
    age = age_days(table.as_of, datetime.now(UTC))
    return f"ECB of {table.as_of}, {age} banking days ago: they come with the release, and each quote says how old they are"


def curl_lines(router_url: str, sandbox: Sandbox) -> list[tuple[str, str]]:
    """(what it does, the line) of money that arrives, the wallets, and a price."""
    auth = f"-H 'Authorization: Bearer {sandbox.key}'"
    json = "-H 'Content-Type: application/json'"
    source, target = _example(list(sandbox.wallets))
    deposit = f'{{"wallet_id": "{sandbox.wallets[source]}", "amount": {{"value": "5000.00", "currency": "{source}"}}}}'
    quote = f'{{"source": {{"value": "100.00", "currency": "{source}"}}, "target_currency": "{target}"}}'
    once = '-H "Idempotency-Key: $(date +%s)"'
    return [
        ("a price, locked for ten minutes", f"curl -sS {auth} {json} -d '{quote}' {router_url}/v1/quotes"),
        ("money arrives, by a simulated scheme", f"curl -sS {auth} {json} {once} -d '{deposit}' {router_url}/v1/sandbox/deposits"),
        ("your wallets at home; a region in front, as in /id/v1/wallets, shows the others", f"curl -sS {auth} {router_url}/v1/wallets"),
    ]  # fmt: skip


def _example(currencies: list[str]) -> tuple[str, str]:
    """From which wallet to which currency the lines go: euro to rupiah, where there are such wallets."""
    source = "EUR" if "EUR" in currencies else currencies[0]
    return source, "IDR" if "IDR" in currencies else currencies[-1]
