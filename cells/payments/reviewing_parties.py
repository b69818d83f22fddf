"""An officer's decision on a party: a possible match, or a party that is blocked.

The decision, its audit entry and the new verdict are one commit, with the party's row held. Payments that wait because of a party are
cases of their own: what is decided of a party counts for those that come after.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.compliance import store as screenings
from cells.compliance.checker import UNAVAILABLE, Block, Clear, Review, Verdict
from cells.compliance.decisions import RELEASES, Asked, CaseClosed, Decision, Deed, NoSuchCase, ScreeningMissing
from cells.compliance.standing import Standing
from cells.parties import store
from cells.payments import officers
from residency.directory import CellEntry


@dataclass(frozen=True, slots=True)
class PartyReviewing:
    """What officers' decisions on parties need of a cell."""

    entry: CellEntry
    standing: Standing

    async def decide(self, connection: Connection, party_id: str, asked: Asked) -> tuple[Decision, Verdict]:
        """Decide on a payer (`pyr_…`) or a recipient (`rcp_…`, without currency and signature), in the caller's transaction: the decision
        on record (`proposed`, or `done`), and the verdict that stands. Raises NoSuchCase, CaseClosed, ScreeningMissing."""
        region = self.entry.region
        party = await store.lock_party(connection, region, party_id)
        if party is None or not party[1]:
            raise NoSuchCase(f"{self.entry.name} has no party {party_id}.")
        verdict = (await self.standing.standing(connection, [party_id])).get(party_id)
        if verdict is None or (isinstance(verdict, Review) and verdict.reason == UNAVAILABLE):
            raise ScreeningMissing(f"{party_id} could not be screened under today's lists; try again.")
        version = f"{verdict.attestation.at:%Y%m%dT%H%M%S.%f}"
        repeated = await officers.decided_already(connection, self.entry, party_id, version, asked)
        if repeated is not None and isinstance(verdict, Block if asked.deed is Deed.BLOCK else Clear):
            return repeated, verdict
        _check(party_id, verdict, asked.deed)
        case = (party_id, version, party[0])
        decision = await officers.decide(connection, self.entry, case, asked, two=asked.deed in RELEASES)
        if decision.state == "done":
            verdict = await self.standing.decide(
                connection, party[0], party_id, decision.officers, blocks=asked.deed is Deed.BLOCK
            )
        return decision, verdict

    async def cases(self, connection: Connection) -> dict[str, Verdict]:
        """The parties that an officer has to look at, or has blocked, by id: as last screened, without asking the lists again."""
        found = await screenings.found(connection, self.entry.region)
        verdicts = await screenings.latest(connection, self.entry.region, found)
        open_ones = {one: verdict for one, verdict in verdicts.items() if not isinstance(verdict, Clear)}
        live = await self.tenants(connection, list(open_ones))
        return {one: verdict for one, verdict in open_ones.items() if one in live}

    async def tenants(self, connection: Connection, party_ids: Sequence[str]) -> dict[str, str]:
        """Whose these parties are; those that are deleted, or unknown, are absent."""
        payers = await store.select_payers(connection, self.entry.region, party_ids)
        recipients = await store.select_recipients(connection, self.entry.region, party_ids)
        found = {one.payer_id: one.tenant_id for one in payers if one.deleted_at is None}
        return found | {one.recipient_id: one.tenant_id for one in recipients if one.deleted_at is None}


def _check(party_id: str, verdict: Verdict, deed: Deed) -> None:
    allowed = {Deed.CLEAR: Review, Deed.BLOCK: Review | Clear, Deed.RELEASE: Block}.get(deed)
    if allowed is None:
        raise CaseClosed(f"A party is cleared, blocked or released; {party_id} is no payment.")
    if not isinstance(verdict, allowed):
        stands = {Clear: "clear", Review: "in review", Block: "blocked"}[type(verdict)]
        raise CaseClosed(f"{party_id} is {stands}.")
