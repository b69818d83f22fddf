"""Where each party stands: screened once when it is registered, and again when a list has changed.

On the path of a payment this is one read of the stored verdicts; names are opened and checked anew only for
those whose verdict rests on a list version that is no longer the current one, or on no list at all (the
checker was late).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.compliance import store
from cells.compliance.checker import (
    DEADLINE_S,
    OFFICER,
    Attestation,
    Block,
    Clear,
    ComplianceChecker,
    Subject,
    Verdict,
    check_within,
)
from cells.compliance.store import Screened

# Reads names from the vault: `(connection, subject ids)` → the tenant and the subject of each that is not
# erased.
NameReader = Callable[[Connection, Sequence[str]], Awaitable[dict[str, tuple[str, Subject]]]]


class Standing:
    """Screens the parties of one region, and remembers the verdicts."""

    def __init__(
        self, region: str, checker: ComplianceChecker, read_names: NameReader, deadline_s: float = DEADLINE_S
    ) -> None:
        self._region = region
        self._checker = checker
        self._read_names = read_names
        self._deadline_s = deadline_s

    async def screen(self, subjects: Sequence[Subject]) -> list[Verdict]:
        """One verdict each, in order, within the deadline (late ones are Review). Stores nothing."""
        return await check_within(self._checker, subjects, self._deadline_s)

    async def register(
        self, connection: Connection, tenant_id: str, subjects: Sequence[Subject], verdicts: Sequence[Verdict]
    ) -> None:
        """Store the verdicts on subjects that the same transaction creates."""
        pairs = zip(subjects, verdicts, strict=True)
        screened = [Screened(tenant_id, subject.subject_id, verdict) for subject, verdict in pairs]
        await store.insert(connection, self._region, screened)

    async def standing(self, connection: Connection, subject_ids: Sequence[str]) -> dict[str, Verdict]:
        """The verdict on each subject under today's lists; one that is unknown, or erased since, is
        absent."""
        verdicts = await store.latest(connection, self._region, subject_ids)
        current = dict(self._checker.versions())
        stale = [one for one in subject_ids if one not in verdicts or _stale(verdicts[one], current)]
        if stale:
            for old in stale:
                verdicts.pop(old, None)
            verdicts |= await self._screen_again(connection, stale)
        return verdicts

    async def decide(
        self, connection: Connection, tenant_id: str, subject_id: str, officers: str, *, blocks: bool
    ) -> Verdict:
        """Officers find that this subject is not the listed party, or that nothing may be paid to or for it.

        That it is not holds for the list versions that it was found under; a block stands until it is released. Whether the subject may
        be decided so is the caller's to check.
        """
        now = datetime.now(UTC)
        verdict: Verdict
        if blocks:
            verdict = Block(Attestation(self._checker.versions(), "block", now), OFFICER, "", by=officers)
        else:
            verdict = Clear(Attestation(self._checker.versions(), "reviewed", now), officers)
        await store.insert(connection, self._region, [Screened(tenant_id, subject_id, verdict)])
        return verdict

    async def _screen_again(self, connection: Connection, subject_ids: Sequence[str]) -> dict[str, Verdict]:
        named = await self._read_names(connection, subject_ids)
        verdicts = await self.screen([subject for _, subject in named.values()])
        screened = [
            Screened(tenant_id, subject.subject_id, verdict)
            for (tenant_id, subject), verdict in zip(named.values(), verdicts, strict=True)
        ]
        # A check that did not happen is no record; were it stored, an outage would write a row for each
        # payment.
        happened = [one for one in screened if one.verdict.attestation.lists]
        await store.insert(connection, self._region, happened)
        return {one.subject_id: one.verdict for one in screened}


def _stale(verdict: Verdict, current: Mapping[str, str]) -> bool:
    """Whether it rests on other lists than today's. What an officer has blocked rests on none."""
    by_officer = isinstance(verdict, Block) and bool(verdict.by)
    return not by_officer and verdict.attestation.lists != current
