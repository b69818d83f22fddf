"""An operator's decision on a payment that its scheme leaves in doubt: refused under a reason that ends no payment, contradicted, or silent.

What is decided goes on the rail's record as the scheme's own answer would, so everything that follows from it is the same: the wallet is
told, the postings, the answer across the border; and a later word of the scheme that says the opposite is a contradiction, on record and alarmed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cells.backends.postgres import Connection
from cells.compliance.decisions import Asked, CaseClosed, Decision, Deed
from cells.compliance.rules import Rules
from cells.payments import answers, officers, store, store_doubts
from cells.payments.border import REASON_UNSPECIFIED
from cells.payments.reviewing import value_of
from cells.payments.store_doubts import Doubt
from cells.payments.transfer import TransferNotFound
from cells.rails.iso20022.reason_words import reasons
from cells.rails.rail import Outcome, Refused, Settled
from cells.rails.registry import profile_of
from residency.directory import CellEntry

# The scheme has answered: nothing of the payment is on its way any more.
_ANSWERED = frozenset({"unclear", "contradiction"})


@dataclass(frozen=True, slots=True)
class DoubtDeciding:
    """What decisions on payments in doubt need of a cell."""

    entry: CellEntry
    rules: Rules

    async def decide(
        self, connection: Connection, transfer_id: str, asked: Asked, scheme_reference: str = ""
    ) -> Decision:
        """Decide that a payment is settled (under the scheme's reference, where it is known) or refused, in the caller's transaction: the
        decision on record, `proposed` or `done`. The sweep tells the wallet. Raises TransferNotFound, CaseClosed.
        """
        region = self.entry.region
        transfer = (await store.load(connection, region, [transfer_id])).get(transfer_id)
        if transfer is None:
            raise TransferNotFound(f"{self.entry.name} has no payment {transfer_id}.")
        found = await store_doubts.doubts(connection, region, 1, transfer_id)
        version = found[0].version if found else "answered"
        repeated = await officers.decided_already(connection, self.entry, transfer_id, version, asked)
        if repeated is not None:
            return repeated
        if not found:
            raise CaseClosed(
                f"{transfer_id} is not in doubt at {self.entry.name}: `kovra trace {transfer_id}` shows how it stands."
            )
        doubt = found[0]
        _check(doubt, asked.deed, datetime.now(UTC))
        two = self.rules.second_officer(*value_of(transfer))
        decision = await officers.decide(
            connection, self.entry, (transfer_id, version, doubt.tenant_id), asked, two=two
        )
        if decision.state == "done":
            outcome = outcome_of(doubt, decision.deed, scheme_reference, datetime.now(UTC))
            await answers.record(connection, region, doubt.rail, {transfer_id: outcome}, inquired=False)
        return decision


def outcome_of(doubt: Doubt, deed: Deed, scheme_reference: str, at: datetime) -> Outcome:
    """The answer that the decision stands for. A refusal has the scheme's own reason, where that has words. Pure."""
    if deed is Deed.DOUBT_SETTLED:
        return Settled(scheme_reference, at)
    reason = reasons().get(doubt.code or "") or reasons()[REASON_UNSPECIFIED]
    return Refused(reason.code, reason.title, at)


def _check(doubt: Doubt, deed: Deed, now: datetime) -> None:
    """A payment that may still be on its way is not refused. Pure."""
    until = doubt.asked_at + timedelta(seconds=profile_of(doubt.rail).finality_time_s)
    if deed is Deed.DOUBT_REFUSED and doubt.cause not in _ANSWERED and now < until:
        raise CaseClosed(
            f"{doubt.rail} may still make the payment until {until:%Y-%m-%d %H:%M:%S} UTC: refuse it then."
        )
