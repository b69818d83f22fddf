"""A journey on a terminal: its price, the steps of all legs in the order of their times, the time in each room, then what each cell booked, moved,
let cross and reported. Laid out for 80 columns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.markup import escape

from cells.reconciliation.journey import Leg
from cells.reconciliation.whole_journey import Journey, Stay, moved, room_of
from router.cli.console import err, out
from router.cli.tables import Listing, amount_of

_HASH_SHOWN = 16
_BAR_WIDTH = 20


def show(journey: Journey) -> None:
    for leg in journey.legs:
        doubt = ", in doubt" if leg.in_doubt else ""
        rest = "" if leg.at_rest else ", under way"
        reason = f" ({leg.reason_code})" if leg.reason_code else ""
        out.print(f"[bold]{leg.cell}[/] {leg.leg}: {leg.state}{escape(reason)}{doubt}{rest}, rail {leg.rail}")
    out.print(f"trace id {journey.trace_id}", style="dim")
    for leg in journey.legs:
        _price(leg)
    _steps(journey.legs)
    _rooms(journey.path)
    for leg in journey.legs:
        _postings(leg)
        _accounts(leg)
    _crossings(journey)
    for leg in journey.legs:
        _submission(leg)
        _returns(leg)
        _deliveries(leg)
    for cell, code in journey.unreached.items():
        err.print(f"[yellow]{cell} could not be asked[/]: {code}")


def _price(leg: Leg) -> None:
    if (price := leg.price) is None:
        return
    parts = ", ".join(f"{name} {amount_of(price[name])}" for name in ("principal", "margin", "fee"))
    out.print(f"{amount_of(price['source'])} leaves the wallet: {parts}.")
    source, target = (price[side]["currency"] for side in ("source", "target"))
    at = ""
    if price["rate"] is not None and source != target:
        at = f", {source}/{target} at {price['rate']} ({price['rate_source']} of {price['rate_as_of']}, margin {price['margin_bps']} bps)"
    recipient_fee = price["recipient_fee"]
    less = f", after a fee of {amount_of(recipient_fee)}" if Decimal(recipient_fee["value"]) else ""
    out.print(f"{amount_of(price['target'])} arrives{less}{escape(at)}.")


def _steps(legs: Sequence[Leg]) -> None:
    lines = sorted(((step.at, leg, step) for leg in legs for step in leg.steps), key=lambda one: one[0])
    table = Listing("time (UTC)", "cell", "room", "step", "state", "ms", right=["ms"])
    day = None
    for at, leg, step in lines:
        # The date stands where it is another than on the line before.
        shown, day = _time(at) if at.date() != day else f"           {_time(at)[11:]}", at.date()
        table.add_row(
            shown, leg.cell, room_of(leg, step), step.event, step.state, "" if step.ms is None else f"{step.ms:.1f}"
        )
    out.print("\n[bold]Steps[/], with the time since the cell's last")
    out.print(table)


def _rooms(path: Sequence[Stay]) -> None:
    if not path:
        return
    sums: dict[str, float] = {}
    for one in path:
        place = (
            f"{one.room} {one.cell}" if one.from_cell == one.cell else f"{one.from_cell} → {one.cell}, by both clocks"
        )
        sums[place] = sums.get(place, 0.0) + one.ms
    longest = max(*sums.values(), 1e-3)
    table = Listing("", "ms", "", right=["ms"])
    for place, ms in [*sums.items(), ("in all", sum(sums.values()))]:
        table.add_row(
            place, f"{ms:,.1f}", "" if place == "in all" else "#" * round(_BAR_WIDTH * max(ms, 0.0) / longest)
        )
    out.print("\n[bold]Time in each room[/]")
    out.print(table)


def _postings(leg: Leg) -> None:
    if not leg.postings:
        return
    table = Listing("effect", "kind", "debit, credit", "amount", "ledger", right=["amount"])
    for one in leg.postings:
        effect = one.effect if one.attempt == 1 else f"{one.effect}, try {one.attempt}"
        amount = amount_of(one.amount)
        answered = f"{one.state} {one.result}" if one.result else one.state
        table.add_row(effect, one.kind, f"{one.debit}\n{one.credit}", amount, f"{one.phase}\n{answered}")
    out.print(f"\n[bold]Postings of {leg.cell}[/]")
    out.print(table)


def _accounts(leg: Leg) -> None:
    accounts = moved(leg)
    if not accounts:
        return
    columns = [
        name
        for name in ("debit", "credit", "held_debit", "held_credit")
        if any(Decimal(getattr(one, name)["value"]) for one in accounts)
    ]
    shown = [name.replace("_", " ") for name in columns]
    table = Listing("account", *shown, right=shown)
    for one in accounts:
        figures = [getattr(one, name) for name in columns]
        table.add_row(one.account, *(amount_of(figure) if Decimal(figure["value"]) else "" for figure in figures))
    out.print(f"\n[bold]Accounts of {leg.cell}[/], what the payment moved")
    out.print(table)


def _crossings(journey: Journey) -> None:
    if not journey.crossings:
        return
    table = Listing("log of", "no.", "direction", "kind", "SHA-256", "fields that crossed sealed", right=["no."])
    for cell, crossings in journey.crossings.items():
        for one in crossings:
            fields = one["crossed_fields"]
            assert isinstance(fields, list)
            peer = f"to {one['to_cell']}" if one["from_cell"] == cell else f"from {one['from_cell']}"
            noted = ", ".join(fields) or "none"
            noted += f"; {one['reason']}" if one["reason"] else ""
            table.add_row(
                cell, str(one["position"]), f"{one['direction']} {peer}", f"{one['kind']} {one['sequence']}",
                str(one["envelope_sha256"])[:_HASH_SHOWN], escape(noted),
            )  # fmt: skip
    out.print("\n[bold]Customs[/]")
    out.print(table)
    for way in journey.borders:
        counts = (
            (way.in_flight, "not in the other log yet"),
            (way.refused, "refused"),
            (len(way.differ), f"DIFFERENT ({', '.join(way.differ)})"),
        )
        rest = "".join(f", {count} {what}" for count, what in counts if count)
        same = way.exported - sum(count for count, _ in counts)
        out.print(f"{way.from_cell} → {way.to_cell}: {max(same, 0)} of {way.exported} the same in both logs{rest}")
    for leg in journey.legs:
        if leg.chain is not None:
            holds = (
                "holds"
                if leg.chain.broken_at is None
                else f"[bold red]BREAKS at entry {leg.chain.broken_at} ({leg.chain.fault})[/]"
            )
            out.print(f"customs log of {leg.cell}: the chain of all {leg.chain.entries} entries {holds}")


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
