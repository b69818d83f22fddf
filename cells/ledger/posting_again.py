"""How a posting sent again compares with the one that is there: EXISTS, or the first field that differs.
Pure, no I/O.

Read from src/state_machine.zig: create_transfer_exists and post_or_void_pending_transfer_exists.
"""

# ruff: noqa: C901 - a ladder of refusals in TigerBeetle's own order is easier to compare with it than any other shape

from cells.ledger.entry import AMOUNT_MAX, Posting, PostingFlag, PostingResult
from cells.ledger.working_set import WorkingSet

R = PostingResult

_VOID = int(PostingFlag.VOID_PENDING)
_RESOLVES = int(PostingFlag.POST_PENDING | PostingFlag.VOID_PENDING)
_BALANCING = int(PostingFlag.BALANCING_DEBIT | PostingFlag.BALANCING_CREDIT)


def compare_posting(books: WorkingSet, posting: Posting, existing: Posting) -> PostingResult:
    """How a posting sent again differs from the one there is."""
    if posting.flags != existing.flags:
        return R.EXISTS_WITH_DIFFERENT_FLAGS
    if posting.pending_id != existing.pending_id:
        return R.EXISTS_WITH_DIFFERENT_PENDING_ID
    if posting.timeout_s != existing.timeout_s:
        return R.EXISTS_WITH_DIFFERENT_TIMEOUT
    # A post or a void may leave fields out, which then mean the hold's.
    hold = books.postings[posting.pending_id] if posting.flags & _RESOLVES else None
    optional = hold is not None
    if posting.debit_account_id != existing.debit_account_id and not (optional and not posting.debit_account_id):
        return R.EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID
    if posting.credit_account_id != existing.credit_account_id and not (optional and not posting.credit_account_id):
        return R.EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID
    if not _same_amount(posting, existing, hold):
        return R.EXISTS_WITH_DIFFERENT_AMOUNT
    if (posting.user_data_128 or (hold.user_data_128 if hold else 0)) != existing.user_data_128:
        return R.EXISTS_WITH_DIFFERENT_USER_DATA_128
    if (posting.user_data_64 or (hold.user_data_64 if hold else 0)) != existing.user_data_64:
        return R.EXISTS_WITH_DIFFERENT_USER_DATA_64
    if (posting.user_data_32 or (hold.user_data_32 if hold else 0)) != existing.user_data_32:
        return R.EXISTS_WITH_DIFFERENT_USER_DATA_32
    if posting.ledger != existing.ledger and not (optional and not posting.ledger):
        return R.EXISTS_WITH_DIFFERENT_LEDGER
    if posting.code != existing.code and not (optional and not posting.code):
        return R.EXISTS_WITH_DIFFERENT_CODE
    return R.EXISTS


def _same_amount(posting: Posting, existing: Posting, hold: Posting | None) -> bool:
    if hold is not None:
        default = 0 if posting.flags & _VOID else AMOUNT_MAX
        return existing.amount == (hold.amount if posting.amount == default else posting.amount)
    if posting.flags & _BALANCING:
        # The amount was an upper limit, and what moved then is anything up to it.
        return posting.amount >= existing.amount
    return posting.amount == existing.amount
