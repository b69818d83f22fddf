"""Send chains to a ledger and say of each what became of it, definitely.

The one place that knows how an answer to a chain is to be read. A chain that is there already answers EXISTS
at its first posting and LINKED_EVENT_FAILED after it: that alone does not prove the rest, so every member is
looked up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cells.ledger.entry import Posting, PostingResult
from cells.ledger.ledger import Ledger, LedgerUnknown
from cells.ledger.postings import Chain


@dataclass(frozen=True, slots=True)
class ChainResult:
    """What became of one chain.

    `applied`: every posting of it is in the ledger, now or from before. Otherwise none is, and `reason` is
    the answer of the posting at `position` that broke it; whether to try again, under a new attempt, is the
    caller's to decide.
    """

    applied: bool
    reason: PostingResult
    position: int = 0

    @property
    def lacks_funds(self) -> bool:
        """The account at `position` had not enough: a wallet's money, or a peer's cap."""
        return self.reason is PostingResult.EXCEEDS_CREDITS

    @property
    def burnt(self) -> bool:
        """An id of the chain can never be applied again: only a new attempt can succeed."""
        return self.reason.burns_id or self.reason is PostingResult.ID_ALREADY_FAILED


async def submit_chains(ledger: Ledger, chains: Sequence[Chain]) -> list[ChainResult]:
    """Apply all chains in one batch, and answer for each, in order. Raises LedgerUnknown, ChainTooLong.

    Safe to repeat with the same chains until it answers. Chains are independent of one another.
    """
    postings = [posting for chain in chains for posting in chain]
    answers = await ledger.create_postings(postings)
    if len(answers) != len(postings):
        raise LedgerUnknown(f"The ledger answered {len(answers)} of {len(postings)} postings.")
    results: list[ChainResult | None] = []
    start = 0
    for chain in chains:
        results.append(_read(answers[start : start + len(chain)]))
        start += len(chain)
    unsure = [chain for chain, result in zip(chains, results, strict=True) if result is None]
    if not unsure:
        return [result for result in results if result is not None]
    found = await ledger.lookup_postings([posting.id for chain in unsure for posting in chain])
    return [_confirm(chain, found) if result is None else result for chain, result in zip(chains, results, strict=True)]


def _read(answers: Sequence[PostingResult]) -> ChainResult | None:
    """What the answers to one chain mean; None when only a look at the postings can tell."""
    if all(answer is PostingResult.CREATED for answer in answers):
        return ChainResult(True, PostingResult.CREATED)
    broke = next(
        (
            (position, answer)
            for position, answer in enumerate(answers)
            if answer not in (PostingResult.LINKED_EVENT_FAILED, PostingResult.CREATED)
        ),
        None,
    )
    if broke is None:
        raise LedgerUnknown("The ledger answered a chain in part, and named nothing that broke it.")
    position, reason = broke
    if reason is PostingResult.EXISTS:
        return None
    return ChainResult(False, reason, position)


def _confirm(chain: Chain, found: dict[int, Posting]) -> ChainResult:
    """Whether a chain whose first posting exists is there as a whole, with the same contents."""
    for position, posting in enumerate(chain):
        recorded = found.get(posting.id)
        if recorded is None:
            return ChainResult(False, PostingResult.LINKED_EVENT_FAILED, position)
        if not _same(posting, recorded):
            return ChainResult(False, PostingResult.EXISTS_WITH_DIFFERENT_FLAGS, position)
    return ChainResult(True, PostingResult.EXISTS)


def _same(sent: Posting, recorded: Posting) -> bool:
    """Whether the ledger's record is the posting that was sent (chains spell out every field, so nothing is
    inherited).
    """
    return (
        sent.flags == recorded.flags
        and sent.amount == recorded.amount
        and sent.debit_account_id == recorded.debit_account_id
        and sent.credit_account_id == recorded.credit_account_id
        and sent.pending_id == recorded.pending_id
        and sent.code == recorded.code
        and sent.user_data_128 == recorded.user_data_128
    )
