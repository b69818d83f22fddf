"""Screening against lists in memory: the implementation of the port that every cell can run by itself.

Every subject is held against every list there is, not only its own region's: a name on one jurisdiction's
list concerns the corridors to it, and at registration no corridor is known yet.
"""

import asyncio
import functools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rapidfuzz import fuzz

from cells.compliance.checker import Attestation, Block, Clear, Hit, Review, Subject, Verdict
from cells.compliance.index import NameIndex
from cells.compliance.lists import Entry, SanctionsList, load_lists
from cells.compliance.names import NameForm
from cells.compliance.rules import Rules, load_rules

# How many names are screened before the event loop, and with it the deadline, gets its turn: about a
# millisecond.
_SLICE = 32


class ListChecker:
    """A ComplianceChecker over lists and rules."""

    def __init__(self, lists: Sequence[SanctionsList], rules: Rules) -> None:
        self._versions = {one.name: one.version for one in lists}
        self._rules = rules
        self._entries = [entry for one in lists for entry in one.entries]
        self._names = [NameForm(entry.name) for entry in self._entries]
        self._index = NameIndex(self._names)

    def versions(self) -> Mapping[str, str]:
        return self._versions

    async def check(self, subjects: Sequence[Subject]) -> Sequence[Verdict]:
        """One verdict for each subject, in order. Holds the event loop for about a millisecond at a time."""
        now = datetime.now(UTC)
        verdicts: list[Verdict] = []
        for start in range(0, len(subjects), _SLICE):
            verdicts += [self._verdict(subject, now) for subject in subjects[start : start + _SLICE]]
            await asyncio.sleep(0)
        return verdicts

    def _verdict(self, subject: Subject, now: datetime) -> Verdict:
        name = NameForm(subject.name)
        worst: tuple[bool, int, str, Entry] | None = None
        for position in self._index.candidates(name):
            judged = self._judge(subject, name, position)
            if judged is not None and (worst is None or judged[:2] > worst[:2]):
                worst = judged
        if worst is None:
            return Clear(Attestation(self._versions, "clear", now))
        blocks, score, reason, entry = worst
        hit = Hit(entry.list, entry.reference, score)
        if blocks:
            return Block(Attestation(self._versions, "block", now), entry.list, self._versions[entry.list], hit)
        return Review(Attestation(self._versions, "review", now), reason, hit)

    def _judge(self, subject: Subject, name: NameForm, position: int) -> tuple[bool, int, str, Entry] | None:
        """Whether this entry blocks, how alike the names are, the reason for review, and the entry; None if
        unlike."""
        entry, listed = self._entries[position], self._names[position]
        cutoff = self._rules.review_score
        plain = max(
            fuzz.ratio(name.sorted, listed.sorted, score_cutoff=cutoff),
            fuzz.ratio(name.written, listed.written, score_cutoff=cutoff),
            fuzz.ratio("".join(name.tokens), "".join(listed.tokens), score_cutoff=cutoff),
        )
        score = int(max(plain, fuzz.ratio(_sound(name), _sound(listed), score_cutoff=cutoff)))
        if score < cutoff and _contains(name, listed):
            score = cutoff
        if score < cutoff:
            return None
        reason = self._doubt(subject, entry)
        blocks = plain >= self._rules.block_score and reason is None
        return blocks, score, reason or "possible-match", entry

    def _doubt(self, subject: Subject, entry: Entry) -> str | None:
        """Why a name that is the same may still be another's."""
        if entry.weak:
            return "weak-alias"
        if entry.kind != subject.kind:
            return "other-kind"
        if subject.date_of_birth is not None and entry.birth_years:
            distance = min(abs(subject.date_of_birth.year - year) for year in entry.birth_years)
            if distance > self._rules.birth_year_tolerance:
                return "other-birth-date"
        return None


@functools.cache
def open_list_checker() -> ListChecker:
    """The checker over the lists and rules in this repository: one for all of a process, since it indexes every name. Raises
    ListsInvalid."""
    return ListChecker(load_lists(), load_rules())


def _sound(name: NameForm) -> str:
    return " ".join(sorted(name.folded))


def _contains(name: NameForm, listed: NameForm) -> bool:
    """A listed name of two words or more is all in this one, or a name of three words or more is all in a
    listed one."""
    these, those = set(name.folded), set(listed.folded)
    return (len(those) >= 2 and those <= these) or (len(these) >= 3 and these <= those)
