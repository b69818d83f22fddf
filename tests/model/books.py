"""A cell's ledger as a graph of states: the in-memory twin, asked through the product's own `submit_chains`.

Each state is a `Books`; a request leads from one to another, is evaluated once, and remembered. States of equal content are one.
"""

import copy
from collections.abc import Coroutine, Sequence
from functools import cached_property
from typing import Any, TypeVar

from cells.ledger.entry import Account, Posting
from cells.ledger.memory import MemoryLedger
from cells.ledger.postings import Chain
from cells.ledger.submit import ChainResult, submit_chains

_Answer = TypeVar("_Answer")
_KNOWN: dict[object, "Books"] = {}


def now(coroutine: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run what never waits: the twin answers at once."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        answer: _Answer = stop.value
        return answer
    raise AssertionError("the ledger in memory waited for something")


class Books:
    """One state of one cell's ledger. Compared by identity."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self._next: dict[tuple[int, ...], tuple[tuple[ChainResult, ...], Books]] = {}

    @classmethod
    def open(cls, accounts: Sequence[Account], chains: Sequence[Chain]) -> "Books":
        """Books with these accounts, after these chains, all of which must apply."""
        ledger = MemoryLedger(clock_ns=_no_clock)
        now(ledger.create_accounts(accounts))
        books = cls(ledger)
        for chain in chains:
            (result,), books = books.ask([chain])
            assert result.applied, result
        return books

    def ask(self, chains: Sequence[Chain]) -> tuple[tuple[ChainResult, ...], "Books"]:
        """What the ledger answers to one request, and its state after it. Chains must live as long as the books do."""
        key = tuple(id(chain) for chain in chains)
        found = self._next.get(key)
        if found is None:
            ledger = copy.deepcopy(self._ledger)
            results = tuple(now(submit_chains(ledger, chains)))
            found = self._next[key] = (results, _canonical(ledger))
        return found

    @cached_property
    def accounts(self) -> dict[int, Account]:
        return {one.id: one for one in now(self._ledger.query_accounts(limit=1000))}

    @cached_property
    def postings(self) -> dict[int, Posting]:
        return {one.id: one for one in now(self._ledger.query_postings(limit=10_000))}


def _no_clock() -> int:
    return 0


def _canonical(ledger: MemoryLedger) -> Books:
    working = ledger._books
    content = (
        frozenset(
            (number, one.debits_pending, one.debits_posted, one.credits_pending, one.credits_posted)
            for number, one in working.accounts.items()
        ),
        frozenset((number, one.amount) for number, one in working.postings.items()),
        frozenset(working.statuses.items()),
        frozenset(working.burnt),
    )
    found = _KNOWN.get(content)
    if found is None:
        found = _KNOWN[content] = Books(ledger)
    return found
