"""A journey on a terminal: the steps of all legs in the order of their times, then what each cell booked, let cross and told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.markup import escape

from cells.reconciliation.journey import Leg
from router.cli.console import err, out
from router.cli.tables import Listing, amount_of

_HASH_SHOWN = 16


def show(
    legs: Sequence[Leg],
    turned_away: Mapping[str, Sequence[Mapping[str, object]]],
    unreached: Mapping[str, str],
    trace: int,
) -> None:
    for leg in legs:
        doubt = ", in doubt" if leg.in_doubt else ""
        rest = "" if leg.at_rest else ", under way"
        reason = f" ({leg.reason_code})" if leg.reason_code else ""
        out.print(f"[bold]{leg.cell}[/] {leg.leg}: {leg.state}{escape(reason)}{doubt}{rest}, rail {leg.rail}")
    out.print(f"trace id {trace:032x}", style="dim")
    _steps(legs)
    for leg in legs:
        _postings(leg)
    _crossings({**{leg.cell: leg.crossings for leg in legs if leg.crossings}, **turned_away})
    for leg in legs:
        _submission(leg)
        _returns(leg)
        _deliveries(leg)
    for cell, code in unreached.items():
        err.print(f"[yellow]{cell} could not be asked[/]: {code}")


def _steps(legs: Sequence[Leg]) -> None:
    lines = sorted(((step.at, leg, step) for leg in legs for step in leg.steps), key=lambda one: one[0])
    table = Listing(
        "time (UTC)", "cell", "leg", "room", "step", "state", "ms since its last", right=["ms since its last"]
    )
    for at, leg, step in lines:
        ms = "" if step.ms is None else f"{step.ms:.1f}"
        table.add_row(_time(at), leg.cell, leg.leg, step.room, step.event, step.state, ms)
    out.print("\n[bold]Steps[/]")
    out.print(table)


def _postings(leg: Leg) -> None:
    if not leg.postings:
        return
    table = Listing("effect", "try", "kind", "debit", "credit", "amount", "phase", "ledger", right=["try", "amount"])
    for one in leg.postings:
        said = f"{one.state} {one.result}" if one.result else one.state
        table.add_row(
            one.effect,
            str(one.attempt),
            one.kind,
            one.debit,
            one.credit,
            amount_of(one.amount) if one.amount else "all of it",
            one.phase,
            said,
        )
    out.print(f"\n[bold]Postings of {leg.cell}[/]")
    out.print(table)


def _crossings(by_cell: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
    if not by_cell:
        return
    table = Listing(
        "log of",
        "no.",
        "direction",
        "way",
        "kind",
        "seq.",
        "SHA-256",
        "fields that crossed sealed",
        right=["no.", "seq."],
    )
    for cell, crossings in by_cell.items():
        for one in crossings:
            fields = one["crossed_fields"]
            assert isinstance(fields, list)
            way = f"{one['from_cell']} → {one['to_cell']}"
            said = ", ".join(fields) or "none"
            said += f"; {one['reason']}" if one["reason"] else ""
            table.add_row(
                cell, str(one["position"]), str(one["direction"]), way, str(one["kind"]), str(one["sequence"]),
                str(one["envelope_sha256"])[:_HASH_SHOWN], escape(said),
            )  # fmt: skip
    out.print("\n[bold]Customs[/]")
    out.print(table)


def _submission(leg: Leg) -> None:
    one = leg.submission
    if one is None:
        return
    facts = [f"{one['state']}", f"end-to-end id {one['end_to_end_id']}"]
    facts += [f"{name} {_time(one[column])}" for name, column in _RAIL_TIMES if one[column] is not None]
    if one["in_doubt_since"] is not None:
        facts.append(
            f"in doubt since {_time(one['in_doubt_since'])} ({one['in_doubt_cause']}, {one['inquiries']} inquiries)"
        )
    facts += [
        f"{name.replace('_', ' ')} {one[name]}" for name in ("outcome", "scheme_reference", "reason_code") if one[name]
    ]
    out.print(f"\n[bold]Rail {one['rail']} of {leg.cell}[/]: {escape(', '.join(facts))}")


def _returns(leg: Leg) -> None:
    if not leg.returns:
        return
    table = Listing(
        "no.",
        "came back",
        "credited",
        "why",
        "state",
        "try",
        "reference",
        "at (UTC)",
        right=["no.", "came back", "credited", "try"],
    )
    for one in leg.returns:
        table.add_row(
            str(one.number), amount_of(one.amount), amount_of(one.credited), one.reason_code, one.state, str(one.attempt),
            escape(one.scheme_reference), _time(one.received_at),
        )  # fmt: skip
    out.print(f"\n[bold]Returns at {leg.cell}[/]")
    out.print(table)


_RAIL_TIMES = (
    ("queued", "queued_at"),
    ("asked", "asked_at"),
    ("answered", "answered_at"),
    ("taken", "acknowledged_at"),
)


def _deliveries(leg: Leg) -> None:
    if not leg.deliveries:
        return
    table = Listing(
        "event", "at (UTC)", "endpoint", "state", "attempts", "last answer", "delivered", right=["attempts"]
    )
    for one in leg.deliveries:
        table.add_row(one["event_type"], _time(one["occurred_at"]), *_delivery(one))
    out.print(f"\n[bold]Webhooks of {leg.cell}[/]")
    out.print(table)


def _delivery(one: Mapping[str, Any]) -> list[str]:
    if one["endpoint_id"] is None:
        return ["nobody listens", "", "", "", ""]
    delivered = "" if one["delivered_at"] is None else _time(one["delivered_at"])
    return [one["endpoint_id"], one["state"], str(one["attempts"]), str(one["last_status"] or ""), delivered]


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
