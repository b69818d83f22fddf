"""Cutting a batch into requests that a server takes, at chain boundaries only."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from cells.ledger.entry import Account, Posting, PostingFlag
from cells.ledger.ledger import ChainTooLong

_Event = TypeVar("_Event", Account, Posting)

# Accounts and postings carry it on the same bit.
_LINKED = int(PostingFlag.LINKED)


def split(events: Sequence[_Event], limit: int) -> list[Sequence[_Event]]:
    """Slices of at most `limit` events, in order, none of which cuts a chain. Raises ChainTooLong before any
    is sent.
    """
    assert limit > 0
    if len(events) <= limit:
        return [events] if events else []
    slices: list[Sequence[_Event]] = []
    start = end = 0
    for chain_end in _chain_ends(events):
        if chain_end - end > limit:
            raise ChainTooLong(
                f"The chain has {chain_end - end} postings; the ledger takes {limit} in one request.",
                length=chain_end - end,
                limit=limit,
            )
        if chain_end - start > limit:
            slices.append(events[start:end])
            start = end
        end = chain_end
    slices.append(events[start:end])
    return slices


def _chain_ends(events: Sequence[_Event]) -> Iterator[int]:
    """Where each chain (or single event) ends; one that is left open ends with the batch."""
    for index, event in enumerate(events):
        if not event.flags & _LINKED or index == len(events) - 1:
            yield index + 1
