"""The port of screening: what is asked, what is answered, and what happens when no answer comes in time."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal, Protocol

DEADLINE_S = 0.5
UNAVAILABLE = "screening-unavailable"
# In place of a list, where an officer has blocked a party.
OFFICER = "officer"

Result = Literal["clear", "reviewed", "review", "block"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom to screen. Nothing about the person shows in its repr, so that no log can hold it.

    `numbers` are those of documents, registrations and the LEI, as `identity.numbers_in` writes them.
    """

    subject_id: str
    kind: Literal["person", "business"]
    name: str = field(repr=False)
    date_of_birth: date | None = field(default=None, repr=False)
    town_of_birth: str | None = field(default=None, repr=False)
    numbers: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Attestation:
    """What may be told: `lists` maps each list used to its version. Never a name, never an entry.

    `reviewed` is a possible match that an officer has found to be somebody else.
    """

    lists: Mapping[str, str]
    result: Result
    at: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """The entry that was met, for the compliance officer alone. `score` is 0 to 100. Absent from a verdict
    read back."""

    list: str
    reference: str
    score: int


@dataclass(frozen=True, slots=True)
class Clear:
    """May be paid. `by` names the officer who decided so, "" when the lists did."""

    attestation: Attestation
    by: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """A person must look. `reason` is a code: `possible-match`, `weak-alias`, `other-kind`,
    `other-birth-date`, `same-number` (of another name), or `screening-unavailable`, for which looking does not help: it is screened again when
    it is next asked for."""

    attestation: Attestation
    reason: str
    hit: Hit | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Nothing may be paid to or for this subject. `list` and `version` name the list, never its entry. `by` names the officer who decided
    so, "" when the lists did; then `list` is OFFICER."""

    attestation: Attestation
    list: str
    version: str
    hit: Hit | None = None
    by: str = ""


Verdict = Clear | Review | Block


class ComplianceChecker(Protocol):
    """Screens names. An implementation may be a list in memory or a vendor across a network."""

    def versions(self) -> Mapping[str, str]:
        """The version of each list that a check now would use."""
        ...

    async def check(self, subjects: Sequence[Subject]) -> Sequence[Verdict]:
        """One verdict for each subject, in order."""
        ...


async def check_within(
    checker: ComplianceChecker, subjects: Sequence[Subject], deadline_s: float = DEADLINE_S
) -> list[Verdict]:
    """One verdict for each subject, in order; Review for all of them if the checker is late, fails or answers
    short."""
    if not subjects:
        return []
    try:
        async with asyncio.timeout(deadline_s):
            verdicts = list(await checker.check(subjects))
        if len(verdicts) == len(subjects):
            return verdicts
        _log.error("screening answered %d of %d subjects: all go to review", len(verdicts), len(subjects))
    # A checker is foreign code on the path of money: whatever it throws, the answer is review. The type alone
    # is logged, because a vendor's message may quote the name.
    except Exception as error:  # noqa: BLE001 - see above
        _log.error("screening failed with %s: %d subjects go to review", type(error).__name__, len(subjects))
    return [Review(Attestation({}, "review", datetime.now(UTC)), UNAVAILABLE) for _ in subjects]
