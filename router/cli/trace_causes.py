"""What a payment came of: a request that a partner names by its id, a quote, an intent, a batch. Nothing about a person is read.

A request is looked for on the audit trail of every cell, which has each call that changed something or tried to; and in the logs that lie
on this machine (`<home>/logs`), which have reads and refused calls as well, with the code of the problem and the time that it took.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.markup import escape

from cells.audit import store as audit
from cells.audit.entry import Entry
from cells.journal import store as journal
from cells.journal.entry import Entry as JournalEntry
from cells.reconciliation import store_journey
from cells.spec import CellSpec, load_spec
from residency.directory import load_directory
from residency.errors import KovraError
from residency.ids import parse
from router.cli.console import err, out
from router.cli.journal import entry_json, print_entry
from router.cli.record import reading
from router.cli.tables import Listing

PAYMENTS_MAX = 20
# What has a stream of its own in the journal, and no journey.
LIVING = ("bat", "col", "ret", "ord", "rcl", "wal", "bok")
_LOGGERS = ("kovra.requests", "kovra.transitions")


class RequestNotFound(KovraError):
    code = "request-not-found"
    status = 404
    title = "No request with this id is on record"


class NothingCaused(KovraError):
    code = "no-payment-of-it"
    status = 404
    title = "No payment has come of it"


@dataclass(frozen=True, slots=True)
class Call:
    """One entry of a cell's trail. `resource_id`: what the call made or changed, "" for nothing."""

    cell: str
    entry: Entry


@dataclass
class Cause:
    """What was found of `subject_id`. `happened`: the entries of its own stream; `logged`: lines of the logs here; `payments`: at most PAYMENTS_MAX ids, `more` of them if there
    are others; `unreached`: cells that did not answer, with the reason."""

    subject_id: str
    calls: list[Call] = field(default_factory=list)
    happened: list[JournalEntry] = field(default_factory=list)
    logged: list[dict[str, Any]] = field(default_factory=list)
    payments: list[str] = field(default_factory=list)
    more: bool = False
    unreached: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.subject_id,
            "calls": [{"cell": one.cell, **one.entry.record()} for one in self.calls],
            "entries": [entry_json(one) for one in self.happened],
            "logged": self.logged,
            "more_payments": self.more,
            "unreached": self.unreached,
        }

    def add(self, payments: list[str]) -> None:
        wanted = list(dict.fromkeys([*self.payments, *payments]))
        self.payments, self.more = wanted[:PAYMENTS_MAX], self.more or len(wanted) > PAYMENTS_MAX


async def cause_of(home: Path, subject_id: str) -> Cause:
    """Raises MalformedId, UnknownCell, RequestNotFound, NothingCaused; what a quote's, intent's or batch's own cell raises when it
    cannot be reached."""
    subject, found = parse(subject_id), Cause(subject_id)
    if subject.kind == "req":
        await _add_request(found, home)
        return found
    load_directory(home).cell(subject.cell)
    spec = load_spec(subject.cell, home)
    if subject.kind in LIVING:
        async with reading(spec) as connection:
            found.happened = await journal.stream(connection, spec.region, subject_id)
        found.add([one.facts["transfer_id"] for one in found.happened if one.facts.get("transfer_id")])
    found.add(await _payments_of(spec, subject_id))
    if not found.payments and not found.happened:
        raise NothingCaused(f"{subject.cell} has no payment of {subject_id}: it was not used, or there is no such id.")
    return found


async def _add_request(found: Cause, home: Path) -> None:
    """Any cell may have been asked: the id carries the name of whoever minted it, which is the router for most."""
    found.logged = list(logged(home / "logs", found.subject_id))
    for name in load_directory(home).cells:
        try:
            spec = load_spec(name, home)
            async with reading(spec) as connection:
                entries = await audit.of_request(connection, spec.region, spec.name, found.subject_id)
        except KovraError as error:
            found.unreached[name] = error.code
        else:
            found.calls += [Call(name, one) for one in entries]
    if not found.calls and not found.logged:
        reached = f" {', '.join(found.unreached)} could not be asked." if found.unreached else ""
        raise RequestNotFound(
            f"No audit trail has {found.subject_id}, nor has a log in {home / 'logs'}. A call that only reads, or that was refused before"
            f" its caller was known, is in the logs alone.{reached}"
        )
    touched = [one.entry.resource_id for one in found.calls]
    touched += [line.get("resource_id") or line.get("transfer_id") or "" for line in found.logged]
    for resource_id in filter(None, dict.fromkeys(touched)):
        await _add_touched(found, home, resource_id)


async def _add_touched(found: Cause, home: Path, resource_id: str) -> None:
    kind, _, rest = resource_id.partition("_")
    if kind == "tr":
        found.add([resource_id])
    elif kind in ("qt", "int", "bat") and rest:
        cell = parse(resource_id).cell
        try:
            found.add(await _payments_of(load_spec(cell, home), resource_id))
        except KovraError as error:
            found.unreached[cell] = error.code


async def _payments_of(spec: CellSpec, resource_id: str) -> list[str]:
    kind, _, rest = resource_id.partition("_")
    async with reading(spec) as connection:
        if kind in LIVING and kind != "bat":
            return []
        if kind == "bat":
            return await store_journey.payments_of_batch(connection, spec.region, resource_id, PAYMENTS_MAX + 1)
        # An intent is its quote, under a name of its own.
        taken = await store_journey.payment_of_quote(connection, spec.region, f"qt_{rest}")
    return [] if taken is None else [taken]


def logged(folder: Path, request_id: str) -> Iterator[dict[str, Any]]:
    """The lines about a request in the logs of a folder, by file. Logs that are written as text are passed over."""
    wanted = request_id.encode()
    for file in sorted(folder.glob("*.log")):
        with file.open("rb") as lines:
            for line in lines:
                if wanted in line and (told := _read(line)).get("request_id") == request_id:
                    yield told


def _read(line: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) and told.get("logger") in _LOGGERS else {}


def show_cause(found: Cause) -> None:
    """The calls on a terminal; the payments are shown behind them, each by itself."""
    if found.calls:
        table = Listing("time (UTC)", "cell", "call", "answered", "by", "tenant", "made or changed")
        for one in found.calls:
            entry = one.entry
            table.add_row(
                f"{entry.at:%Y-%m-%d %H:%M:%S}", one.cell, escape(entry.action), entry.outcome, entry.actor,
                entry.tenant_id, entry.resource_id or "nothing",
            )  # fmt: skip
        out.print("[bold]On the audit trail[/]")
        out.print(table)
    requests = [line for line in found.logged if line["logger"] == "kovra.requests"]
    if requests:
        table = Listing("time (UTC)", "process", "cell", "call", "answered", "problem", "ms", right=["ms"])
        for line in requests:
            table.add_row(
                str(line["timestamp"])[:19].replace("T", " "), line["process"], line.get("cell", ""),
                escape(f"{line['method']} {line['route'] or '(no route)'}"), str(line["status"]), line["code"],
                f"{line['duration_ms']:.1f}",
            )  # fmt: skip
        out.print("[bold]In the logs here[/]")
        out.print(table)
    for happened in found.happened:
        print_entry(happened)
    if found.more:
        out.print(f"More payments came of it; these are the first {PAYMENTS_MAX}.")
    for cell, code in found.unreached.items():
        err.print(f"[yellow]{cell} could not be asked[/]: {code}")
