"""What `kovra review` shows of a case. Ids, amounts and codes; names only where an officer opens them, which is on the audit trail."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from cells.backends.postgres import Connection
from cells.cell import Institution
from cells.compliance import store as screenings
from cells.compliance import store_decisions
from cells.compliance.checker import Block, Hit, Review, Verdict
from cells.compliance.decisions import Decision, NoSuchCase
from cells.kit.money import money
from cells.parties.sealing import open_payer_details, open_recipient_details
from cells.payments import officers, store
from cells.payments.machine import public
from cells.payments.reviewing import parties_here, value_of
from cells.payments.transfer import Transfer
from router.cli.tables import Listing, amount_of

_LISTED_MAX = 1_000
_WHEN = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Case:
    """`what`: `payment` with its leg, `payer` or `recipient`; `why`: codes; `until`: when a payment's money goes back undecided;
    `hits`: by party, the list entry that was last met; `names`: by party, where they were opened."""

    cell: str
    case_id: str
    tenant_id: str
    what: str
    status: str
    why: tuple[str, ...]
    amount: dict[str, str] | None
    until: datetime | None
    parties: tuple[str, ...]
    hits: dict[str, Hit]
    decisions: tuple[Decision, ...]
    names: dict[str, str] | None = None

    @property
    def proposed(self) -> Decision | None:
        return next((one for one in self.decisions if one.state == "proposed"), None)

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if not (name == "names" and value is None)}


async def cases_of(connection: Connection, institution: Institution) -> list[Case]:
    """Every case of a cell: payments, oldest first, then parties."""
    region = institution.spec.region
    payments = await store.under_review(connection, region, _LISTED_MAX)
    parties = await institution.reviewing_parties.cases(connection)
    decisions = await store_decisions.of_cases(connection, region, [*(one.transfer_id for one in payments), *parties])
    tenants = await institution.reviewing_parties.tenants(connection, list(parties))
    cell = institution.spec.name
    shown = [_of_payment(cell, one, {}, decisions.get(one.transfer_id, [])) for one in payments]
    shown += [
        _of_party(cell, one, tenants[one], verdict, {}, decisions.get(one, [])) for one, verdict in parties.items()
    ]
    return shown


async def case_of(connection: Connection, institution: Institution, case_id: str) -> Case:
    """One payment or party of a cell. Raises NoSuchCase."""
    region, cell = institution.spec.region, institution.spec.name
    decisions = (await store_decisions.of_cases(connection, region, [case_id])).get(case_id, [])
    if case_id.startswith("tr_"):
        transfer = (await store.read(connection, region, [case_id])).get(case_id)
        if transfer is None:
            raise NoSuchCase(f"{cell} has no payment {case_id}.")
        hits = await screenings.hits(connection, region, list(parties_here(cell, transfer).values()))
        return _of_payment(cell, transfer, hits, decisions)
    verdict = (await screenings.latest(connection, region, [case_id])).get(case_id)
    tenants = await institution.reviewing_parties.tenants(connection, [case_id])
    if verdict is None or case_id not in tenants:
        raise NoSuchCase(f"{cell} has no party {case_id}.")
    hits = await screenings.hits(connection, region, [case_id])
    return _of_party(cell, case_id, tenants[case_id], verdict, hits, decisions)


async def opened(connection: Connection, institution: Institution, case: Case, officer: str) -> Case:
    """The case with the names of its parties, and who has opened them on the audit trail. Raises OperatorInvalid, VaultUnreadable."""
    vault = institution.vault
    payers = await open_payer_details(connection, vault, case.parties)
    recipients = await open_recipient_details(connection, vault, case.parties)
    names = {one: details.name for one, details in (payers | recipients).items()}
    await officers.record(
        connection, institution.spec.entry, officer, case.tenant_id, "review.names", case.case_id, "shown", ""
    )
    return replace(case, names=names)


def table(cases: Sequence[Case]) -> Listing:
    shown = Listing("case", "cell", "what", "status", "why", "amount", "until (UTC)", "proposed", right=["amount"])
    for one in cases:
        waits = one.proposed
        shown.add_row(
            one.case_id, one.cell, one.what, one.status, " ".join(one.why), amount_of(one.amount) if one.amount else "",
            f"{one.until:{_WHEN}}" if one.until else "", f"{waits.deed} by {waits.officer}" if waits else "",
        )  # fmt: skip
    return shown


def details_of(case: Case) -> Iterator[tuple[str, str]]:
    """A case as names and what they stand for."""
    yield "case", case.case_id
    yield "what", f"{case.what} in {case.cell}"
    yield "tenant", case.tenant_id
    yield "status", case.status
    yield "why", " ".join(case.why) or "-"
    if case.amount:
        yield "amount", amount_of(case.amount)
    if case.until:
        yield "until", f"{case.until:{_WHEN}} UTC, then the money goes back"
    for party in case.parties:
        hit = case.hits.get(party)
        met = f"  met {hit.list} {hit.reference}, likeness {hit.score}" if hit else ""
        name = f"  {case.names[party]}" if case.names and party in case.names else ""
        yield "party", f"{party}{name}{met}"
    for one in case.decisions:
        second = f", confirmed by {one.second_officer} ({one.second_reason})" if one.second_officer else ""
        file = f", file {one.reference}" if one.reference else ""
        yield (
            "decision",
            f"{one.decided_at:{_WHEN}}  {one.deed} by {one.officer} ({one.reason}{file}){second}: {one.state}",
        )


def _of_payment(cell: str, one: Transfer, hits: dict[str, Hit], decisions: Sequence[Decision]) -> Case:
    currency, amount = value_of(one)
    status = str(public(one.state))
    return Case(
        cell, one.transfer_id, one.tenant_id, f"payment ({one.leg})", status, one.review_reasons,
        money(amount, currency), one.review_until if status == "IN_REVIEW" else None,
        tuple(parties_here(cell, one).values()), hits, tuple(decisions),
    )  # fmt: skip


def _of_party(
    cell: str, party_id: str, tenant_id: str, verdict: Verdict, hits: dict[str, Hit], decisions: Sequence[Decision]
) -> Case:
    why = {Review: getattr(verdict, "reason", ""), Block: getattr(verdict, "list", "")}.get(type(verdict), "")
    status = {Review: "in review", Block: "blocked"}.get(type(verdict), "active")
    what = "payer" if party_id.startswith("pyr_") else "recipient"
    return Case(
        cell, party_id, tenant_id, what, status, (why,) if why else (), None, None, (party_id,), hits, tuple(decisions)
    )
