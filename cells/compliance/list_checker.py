"""Screening against lists in memory: the implementation of the port that every cell can run by itself.

Every subject is held against every list there is, not only its own region's: a name on one jurisdiction's
list concerns the corridors to it, and at registration no corridor is known yet.

A like name is a review. A block needs more: the same name and the same birth, or a like name and the same number.
"""

import asyncio
import functools
import gc
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from cells.compliance.checker import Attestation, Block, Clear, Hit, Review, Subject, Verdict
from cells.compliance.identity import other_birth, same_birth, same_number
from cells.compliance.index import NameIndex
from cells.compliance.likeness import likeness
from cells.compliance.lists import Entry, SanctionsList, load_lists
from cells.compliance.names import NameForm, NameKind
from cells.compliance.rules import Rules, load_rules

# How many names are screened before the event loop, and with it the deadline, gets its turn: some milliseconds.
_SLICE = 8
# Taken apart, a name is a hundred times its text; of the lists' names only those that were met lately are kept so.
_FORMS_KEPT = 4_096


class _Match(NamedTuple):
    """One entry as it was met; the greatest is the worst."""

    blocks: bool
    score: int
    reason: str
    entry: Entry


class ListChecker:
    """A ComplianceChecker over lists and rules."""

    def __init__(self, lists: Sequence[SanctionsList], rules: Rules) -> None:
        self._versions = {one.name: one.version for one in lists}
        self._rules = rules
        self._entries = [entry for one in lists for entry in one.entries]
        self._index = NameIndex(NameForm(entry.name, entry.kind) for entry in self._entries)
        self._by_number: dict[str, list[int]] = defaultdict(list)
        for position, entry in enumerate(self._entries):
            for number in entry.numbers:
                self._by_number[number].append(position)
        self._listed = functools.lru_cache(maxsize=_FORMS_KEPT)(self._form_of)

    def versions(self) -> Mapping[str, str]:
        return self._versions

    async def check(self, subjects: Sequence[Subject]) -> Sequence[Verdict]:
        """One verdict for each subject, in order. Holds the event loop for some milliseconds at a time."""
        now = datetime.now(UTC)
        verdicts: list[Verdict] = []
        for start in range(0, len(subjects), _SLICE):
            verdicts += [self._verdict(subject, now) for subject in subjects[start : start + _SLICE]]
            await asyncio.sleep(0)
        return verdicts

    def _verdict(self, subject: Subject, now: datetime) -> Verdict:
        worst = max(self._matches(subject), key=lambda one: one[:2], default=None)
        if worst is None:
            return Clear(Attestation(self._versions, "clear", now))
        entry = worst.entry
        hit = Hit(entry.list, entry.reference, worst.score)
        if worst.blocks:
            return Block(Attestation(self._versions, "block", now), entry.list, self._versions[entry.list], hit)
        return Review(Attestation(self._versions, "review", now), worst.reason, hit)

    def _matches(self, subject: Subject) -> Iterator[_Match]:
        own = NameForm(subject.name, subject.kind)
        forms = {subject.kind: own}
        positions = dict.fromkeys(self._index.candidates(own))
        positions |= dict.fromkeys(one for number in subject.numbers for one in self._by_number.get(number, ()))
        for position in positions:
            kind = self._entries[position].kind
            given = forms.get(kind) or forms.setdefault(kind, NameForm(subject.name, kind))
            match = self._judge(subject, given, position)
            if match is not None:
                yield match

    def _judge(self, subject: Subject, given: NameForm, position: int) -> _Match | None:
        """How this entry is met; None if it is not."""
        entry, listed = self._entries[position], self._listed(position)
        score = int(likeness(given, listed) * 100)
        elsewhen = other_birth(subject, entry, self._rules.birth_year_tolerance)
        if elsewhen:
            score -= self._rules.other_birth_penalty
        numbered = same_number(subject, entry)
        if score < self._rules.review_score:
            return _Match(False, max(score, 0), "same-number", entry) if numbered else None
        doubt = self._doubt(subject, entry, elsewhen=elsewhen)
        same = numbered or (given.exact == listed.exact and same_birth(subject, entry))
        return _Match(same and doubt is None, score, doubt or "possible-match", entry)

    def _doubt(self, subject: Subject, entry: Entry, *, elsewhen: bool) -> str | None:
        """Why a name that is the same may still be another's."""
        if entry.weak:
            return "weak-alias"
        if entry.kind != subject.kind:
            return "other-kind"
        return "other-birth-date" if elsewhen else None

    def _form_of(self, position: int) -> NameForm:
        kind: NameKind = self._entries[position].kind
        return NameForm(self._entries[position].name, kind)


@functools.cache
def open_list_checker() -> ListChecker:
    """The checker over the lists and rules in this repository: one for all of a process, since it indexes every name. Raises
    ListsInvalid."""
    checker = ListChecker(load_lists(), load_rules())
    # The index lives as long as the process, and over published lists it is a million objects: half a second for a collector
    # that walks them, and all of the deadline.
    gc.freeze()
    return checker
