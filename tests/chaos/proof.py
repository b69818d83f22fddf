"""What must be true once everything has healed, each with its own verdict. Nothing here changes anything."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from cells.rails import registry
from cells.rails.console import SchemeConsole
from cells.rails.rail import RailUnavailable, end_to_end_id
from residency.directory import load_directory
from residency.errors import KovraError
from router.cli.reconcile import settled
from tests.chaos.history.check import Final, check
from tests.chaos.listener import Heard
from tests.chaos.partner import CELLS, UNRESOLVED, Partner, minor
from tests.chaos.patience import until
from tests.chaos.traffic import Traffic

_CELL_OF_RAIL = {rail: cell.name for cell in load_directory().cells.values() for rail in cell.rails}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One proof: what it is, whether it holds, and what was found."""

    what: str
    holds: bool
    found: str


async def prove(
    partner: Partner, traffic: Traffic, heard: Heard, opening: Mapping[str, int], *, within_s: float
) -> list[Verdict]:
    """Every proof, in the order in which they build on each other."""
    verdicts = [await _resolved(traffic, within_s), await _terminal(traffic, within_s)]
    verdicts.append(await _books(partner, within_s))
    final = await _final(partner)
    closing = {partner.wallets[currency]: await _closing(partner, currency) for currency in CELLS}
    verdicts.append(_paid(final))
    verdicts.append(await _told(traffic, heard, final, within_s))
    anomalies = await asyncio.to_thread(check, partner.history, opening, final, closing)
    calls = len(partner.history.calls)
    shown = "\n".join(map(str, anomalies[:5]))
    verdicts.append(Verdict("history", not anomalies, f"{calls} calls, {len(anomalies)} anomalies\n{shown}".rstrip()))
    verdicts.append(_bystanders(traffic))
    return verdicts


async def _resolved(traffic: Traffic, within_s: float) -> Verdict:
    """A client that got no answer asks again with the same key, and learns the truth."""
    waiting, total = list(UNRESOLVED), len(UNRESOLVED)
    UNRESOLVED.clear()

    async def known() -> bool:
        for paying in waiting:
            if not paying.answered and await paying.once():
                traffic.took(paying.accepted)
        return all(paying.answered for paying in waiting)

    await until(known, within_s=within_s, every_s=1.0)
    left = [paying for paying in waiting if not paying.answered]
    return Verdict("every client knows", not left, f"{total} had given up; {len(left)} are still without an answer")


async def _terminal(traffic: Traffic, within_s: float) -> Verdict:
    async def none_left() -> bool:
        return not traffic.unfinished

    await until(none_left, within_s=within_s, every_s=0.5)
    left = sorted(traffic.unfinished)
    return Verdict(
        "terminal", not left, f"{len(traffic.accepted)} accepted, {len(left)} unfinished {' '.join(left[:5])}".rstrip()
    )


async def _books(partner: Partner, within_s: float) -> Verdict:
    """L1 to L11, at rest."""
    report, failure = None, ""

    async def at_rest() -> bool:
        nonlocal report, failure
        try:
            report = await settled([partner.stack.spec(cell) for cell in partner.stack.cells], 30)
        except KovraError as error:
            failure = f"{error.code}: {error.detail}"
            return False
        return report.ok and report.at_rest

    await until(at_rest, within_s=within_s, every_s=1.0)
    if report is None:
        return Verdict("L1 to L11", False, failure)
    findings = "; ".join(f"{one.invariant} {one}" for one in report.findings[:5])
    moving = {one.invariant: dict(one.moving) for one in report.results if one.moving}
    if report.ok and report.at_rest:
        return Verdict("L1 to L11", True, "held, at rest")
    return Verdict("L1 to L11", False, findings or f"not at rest: {moving}")


async def _final(partner: Partner) -> dict[str, Final]:
    """Every transfer there is, as each region lists it, with what its scheme paid for it."""
    found: dict[str, Final] = {}
    async with AsyncExitStack() as stack:
        consoles = {rail: await stack.enter_async_context(_console(partner, rail)) for rail in _CELL_OF_RAIL}
        for currency in CELLS:
            async for row in _listed(partner, currency):
                counted = await _counted(consoles[row["rail"]], row["id"])
                found[row["id"]] = Final(
                    row["id"],
                    row["quote_id"],
                    row["status"],
                    minor(row["source"]),
                    counted,
                )
    return found


def _console(partner: Partner, rail: str) -> SchemeConsole:
    spec = partner.stack.spec(_CELL_OF_RAIL[rail])
    settings = spec.settings.schemes[rail]
    return SchemeConsole(registry.connection_to(rail, spec.entry.number, settings.url, settings.secret))


async def _counted(console: SchemeConsole, transfer_id: str) -> int:
    paid: list[int] = []

    async def answered() -> bool:
        try:
            paid.append((await console.payments(end_to_end_id(transfer_id))).paid)
        except RailUnavailable:
            return False
        return True

    await until(answered, within_s=60)
    return paid[0]


async def _listed(partner: Partner, currency: str) -> AsyncIterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        more = f"&cursor={cursor}" if cursor else ""
        page = await partner.insist("GET", currency, f"/v1/transfers?limit=100{more}")
        for row in page["data"]:
            yield row
        cursor = page["next_cursor"]
        if cursor is None:
            return


async def _closing(partner: Partner, currency: str) -> int:
    found = await partner.insist("GET", currency, f"/v1/wallets/{partner.wallets[currency]}")
    return minor(found["available"])


def _paid(final: Mapping[str, Final]) -> Verdict:
    twice = [one.transfer_id for one in final.values() if one.paid > 1]
    wrong = [one.transfer_id for one in final.values() if (one.paid == 1) != (one.status == "COMPLETED")]
    completed = sum(one.status == "COMPLETED" for one in final.values())
    found = f"{completed} of {len(final)} completed, {len(twice)} paid twice, {len(wrong)} paid and not completed or the other way round"
    return Verdict("the schemes' count", not twice and not wrong, found)


async def _told(traffic: Traffic, heard: Heard, final: Mapping[str, Final], within_s: float) -> Verdict:
    ended: Sequence[Final] = [final[one.transfer_id] for one in traffic.accepted if one.transfer_id in final]

    def untold() -> list[str]:
        return [one.transfer_id for one in ended if not heard.ended(one.transfer_id, one.status)]

    async def all_told() -> bool:
        return not untold()

    await until(all_told, within_s=within_s, every_s=0.5)
    left = untold()
    repeats = heard.deliveries - len(heard.arrived)
    found = f"{heard.deliveries} deliveries, {repeats} of them repeats; {len(left)} ends untold {' '.join(left[:5])}".rstrip()
    return Verdict("webhooks", not left, found)


def _bystanders(traffic: Traffic) -> Verdict:
    found = f"{traffic.bystanders} in-region payments in cells not touched, {len(traffic.failed)} failed"
    listed = "\n".join(f"    {one.cell} during {one.fault}: {one.why}" for one in traffic.failed[:10])
    return Verdict("the untouched cells", not traffic.failed, f"{found}\n{listed}".rstrip())
