"""L4 and L5, leg by leg within one cell: row, quote and applied postings tell the same integers. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from cells.kit.money import amount_text
from cells.ledger.codes import Code, Phase
from cells.payments.machine import State
from cells.reconciliation.legs import Amounts, LegFacts
from cells.reconciliation.report import Finding
from cells.reconciliation.returns import expected_beside, state_fault

# Nothing is held yet, or not any more, and the ledger is about to be asked.
_WITH_THE_LEDGER = frozenset({State.CREATED, State.UNFREEZING, State.RESUMING})
_REVENUE = frozenset({Code.FEE, Code.MARGIN, Code.RECIPIENT_FEE, Code.RETURN_FEE, Code.RETURN_MARGIN})


def leg_findings(cell: str, legs: Sequence[LegFacts]) -> list[Finding]:
    """Where a leg's row, its quote and its journaled postings do not say the same. Fees and margin count as L5, the rest as L4."""
    return [
        finding
        for leg in legs
        for finding in (*_against_quote(cell, leg), *_against_postings(cell, leg), *_against_returns(cell, leg))
    ]


def _against_returns(cell: str, leg: LegFacts) -> Iterable[Finding]:
    """What came back, or was lost, beside the leg's own chains; and ΣR ≤ M."""
    fault = state_fault(leg.leg, leg.state, leg.came, leg.payout, leg.target_currency)
    if fault is not None:
        yield Finding("L4", (cell,), leg.transfer_id, *fault)
    wanted = expected_beside(leg.leg, leg.state, leg.came, leg.payout)
    found = {phase: dict(amounts) for phase, amounts in leg.beside.items() if amounts}
    yield from _differences(cell, leg, wanted, found)


def _against_quote(cell: str, leg: LegFacts) -> Iterable[Finding]:
    quote = leg.quote
    if quote is None:
        return
    pairs = (
        ("L4", "principal", quote.principal, leg.principal, leg.source_currency),
        ("L5", "margin", quote.margin, leg.margin, leg.source_currency),
        ("L5", "fee", quote.fee, leg.fee, leg.source_currency),
        ("L4", "target amount", quote.target, leg.target, leg.target_currency),
        ("L5", "recipient's fee", quote.recipient_fee, leg.recipient_fee, leg.target_currency),
    )
    for invariant, name, promised, written, currency in pairs:
        if promised != written:
            yield Finding(
                invariant,
                (cell,),
                leg.transfer_id,
                f"{name} of the transfer against its quote",
                amount_text(promised, currency),
                amount_text(written, currency),
            )


def _against_postings(cell: str, leg: LegFacts) -> Iterable[Finding]:
    if not leg.possible:
        yield Finding("L4", (cell,), leg.transfer_id, "state", f"one that a leg {leg.leg} can be in", str(leg.state))
        return
    wanted = [leg.expected(standing) for standing in sorted(leg.possible)]
    found = {phase: dict(amounts) for phase, amounts in leg.applied.items() if amounts}
    if found in wanted:
        return
    yield from _differences(cell, leg, wanted[0], found)


def _differences(
    cell: str, leg: LegFacts, wanted: Mapping[Phase, Amounts], found: Mapping[Phase, Amounts]
) -> Iterable[Finding]:
    for phase in Phase:
        must, has = wanted.get(phase, {}), found.get(phase, {})
        for code in sorted(must.keys() | has.keys()):
            if must.get(code, 0) != has.get(code, 0):
                yield Finding(
                    "L5" if code in _REVENUE else "L4",
                    (cell,),
                    leg.transfer_id,
                    f"{code.name} {phase.name} in the journal, in state {leg.state}",
                    amount_text(must.get(code, 0), leg.currency_of(code)),
                    amount_text(has.get(code, 0), leg.currency_of(code)),
                )


def pair_findings(
    origin_cell: str, destination_cell: str, origins: Sequence[LegFacts], destinations: dict[str, LegFacts]
) -> tuple[list[Finding], dict[str, int]]:
    """L4 over one corridor: findings, and what is in flight by the pair of states.

    The paying cell's legs must have been read first, the others after: whatever has ended there was ended here before.
    """
    findings: list[Finding] = []
    moving: dict[str, int] = {}
    for origin in origins:
        there = destinations.get(origin.transfer_id)
        fault = _pair_fault(origin, there)
        if fault is not None:
            cells = (origin_cell, destination_cell)
            findings.append(Finding("L4", cells, origin.transfer_id, "the two legs", *fault))
        elif there is not None and origin.posted and origin.came.amount < there.came.amount:
            moving["returned, and not yet heard of"] = moving.get("returned, and not yet heard of", 0) + 1
        elif origin.held or not origin.possible or _on_its_way(origin, there):
            state = f"{origin.state}/{there.state if there else 'not there'}"
            moving[state] = moving.get(state, 0) + 1
    return findings, moving


def orphan_findings(
    origin_cell: str, destination_cell: str, destinations: Sequence[LegFacts], known: set[str]
) -> list[Finding]:
    """Legs that a cell pays out for a peer which knows of no such payment. The paying cell must have been read after."""
    cells = (destination_cell, origin_cell)
    return [
        Finding("L4", cells, one.transfer_id, "the leg that pays", f"a transfer in {origin_cell}", "none")
        for one in destinations
        if one.transfer_id not in known
    ]


def _on_its_way(origin: LegFacts, there: LegFacts | None) -> bool:
    return origin.state in _WITH_THE_LEDGER or (there is not None and there.held)


def _pair_fault(origin: LegFacts, there: LegFacts | None) -> tuple[str, str] | None:
    """(expected, found), or None."""
    if there is not None:
        ours, theirs = _agreed(origin), _agreed(there)
        if ours != theirs:
            return f"{ours}", f"{theirs}"
    if origin.posted and (there is None or not there.posted):
        return (
            "posted in both",
            f"posted where it was paid in, {there.state if there else 'no leg'} where it is paid out",
        )
    if origin.came.recorded > (there.came.amount if there else 0):
        amounts = there.came.amount if there else 0, origin.came.recorded
        expected, found = (amount_text(one, origin.target_currency) for one in amounts)
        return f"{expected} came back", found
    if not origin.posted and not origin.held and there is not None and (there.posted or there.held):
        return f"nothing paid out for a payment {origin.state}", f"{there.state} where it is paid out"
    return None


def _agreed(leg: LegFacts) -> str:
    target, fee = (amount_text(one, leg.target_currency) for one in (leg.target, leg.recipient_fee))
    return f"{target}, of which the recipient's fee {fee}"
