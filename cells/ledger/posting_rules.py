"""The rules of a single posting: every check, in TigerBeetle's order, then its effect. Pure, no I/O.

Read from src/state_machine.zig: create_transfer, create_transfer_exists, post_or_void_pending_transfer and
post_or_void_pending_transfer_exists. The order decides which reason a caller hears, and which reasons burn
the id.
"""

# ruff: noqa: C901 - a ladder of refusals in TigerBeetle's own order is easier to compare with it than any other shape

from cells.ledger.entry import AMOUNT_MAX, POSTING_PADDING, U128_MAX, Posting, PostingFlag, PostingResult
from cells.ledger.posting_again import compare_posting
from cells.ledger.working_set import PendingStatus, Standing, WorkingSet, expires_at

R = PostingResult

_PENDING = int(PostingFlag.PENDING)
_POST = int(PostingFlag.POST_PENDING)
_VOID = int(PostingFlag.VOID_PENDING)
_RESOLVES = _POST | _VOID
_BALANCING_DEBIT = int(PostingFlag.BALANCING_DEBIT)
_BALANCING_CREDIT = int(PostingFlag.BALANCING_CREDIT)
_BALANCING = _BALANCING_DEBIT | _BALANCING_CREDIT
_CLOSING_DEBIT = int(PostingFlag.CLOSING_DEBIT)
_CLOSING_CREDIT = int(PostingFlag.CLOSING_CREDIT)
_CLOSING = _CLOSING_DEBIT | _CLOSING_CREDIT
# Timestamps have 63 bits; the top one is TigerBeetle's tombstone.
_TIMESTAMP_MAX = 2**63 - 1


def apply_posting(books: WorkingSet, posting: Posting, timestamp: int) -> PostingResult:
    """Apply one posting, or say why not."""
    if posting.flags & POSTING_PADDING:
        return R.RESERVED_FLAG
    if posting.id == 0:
        return R.ID_MUST_NOT_BE_ZERO
    if posting.id == U128_MAX:
        return R.ID_MUST_NOT_BE_INT_MAX
    existing = books.postings.get(posting.id)
    if existing is not None:
        return compare_posting(books, posting, existing)
    if posting.id in books.burnt:
        return R.ID_ALREADY_FAILED
    if posting.flags & _RESOLVES:
        return _resolve(books, posting, timestamp)
    return _check_form(posting) or _move(books, posting, timestamp)


def _check_form(posting: Posting) -> PostingResult | None:
    """What can be said of a posting without looking at the books."""
    if posting.debit_account_id == 0:
        return R.DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO
    if posting.debit_account_id == U128_MAX:
        return R.DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX
    if posting.credit_account_id == 0:
        return R.CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO
    if posting.credit_account_id == U128_MAX:
        return R.CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX
    if posting.credit_account_id == posting.debit_account_id:
        return R.ACCOUNTS_MUST_BE_DIFFERENT
    if posting.pending_id != 0:
        return R.PENDING_ID_MUST_BE_ZERO
    if not posting.flags & _PENDING:
        if posting.timeout_s != 0:
            return R.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER
        if posting.flags & _CLOSING:
            return R.CLOSING_TRANSFER_MUST_BE_PENDING
    if posting.ledger == 0:
        return R.LEDGER_MUST_NOT_BE_ZERO
    if posting.code == 0:
        return R.CODE_MUST_NOT_BE_ZERO
    return None


def _move(books: WorkingSet, posting: Posting, timestamp: int) -> PostingResult:
    """A posting that holds or moves money at once."""
    debit = books.accounts.get(posting.debit_account_id)
    if debit is None:
        return R.DEBIT_ACCOUNT_NOT_FOUND
    credit = books.accounts.get(posting.credit_account_id)
    if credit is None:
        return R.CREDIT_ACCOUNT_NOT_FOUND
    if debit.opening.ledger != credit.opening.ledger:
        return R.ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER
    if posting.ledger != debit.opening.ledger:
        return R.TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS
    if debit.closed:
        return R.DEBIT_ACCOUNT_ALREADY_CLOSED
    if credit.closed:
        return R.CREDIT_ACCOUNT_ALREADY_CLOSED
    amount = _balanced(posting, debit, credit)
    refusal = _check_amount(posting, amount, debit, credit, timestamp)
    if refusal is not None:
        return refusal
    books.add_posting(_recorded(posting, amount, timestamp))
    books.touch(debit)
    books.touch(credit)
    if posting.flags & _PENDING:
        debit.debits_pending += amount
        credit.credits_pending += amount
        if posting.flags & _CLOSING_DEBIT:
            debit.closed = True
        if posting.flags & _CLOSING_CREDIT:
            credit.closed = True
    else:
        debit.debits_posted += amount
        credit.credits_posted += amount
    books.note_history(timestamp, debit, credit)
    return R.CREATED


def _balanced(posting: Posting, debit: Standing, credit: Standing) -> int:
    """The amount that moves: for a balancing posting at most what is there, and never less than nothing."""
    amount = posting.amount
    if posting.flags & _BALANCING_DEBIT:
        amount = min(amount, max(0, debit.credits_posted - debit.debits_posted - debit.debits_pending))
    if posting.flags & _BALANCING_CREDIT:
        amount = min(amount, max(0, credit.debits_posted - credit.credits_posted - credit.credits_pending))
    return amount


def _check_amount(
    posting: Posting, amount: int, debit: Standing, credit: Standing, timestamp: int
) -> PostingResult | None:
    if posting.flags & _PENDING:
        if amount + debit.debits_pending > U128_MAX:
            return R.OVERFLOWS_DEBITS_PENDING
        if amount + credit.credits_pending > U128_MAX:
            return R.OVERFLOWS_CREDITS_PENDING
    if amount + debit.debits_posted > U128_MAX:
        return R.OVERFLOWS_DEBITS_POSTED
    if amount + credit.credits_posted > U128_MAX:
        return R.OVERFLOWS_CREDITS_POSTED
    debit_total = debit.debits_pending + debit.debits_posted + amount
    credit_total = credit.credits_pending + credit.credits_posted + amount
    if debit_total > U128_MAX:
        return R.OVERFLOWS_DEBITS
    if credit_total > U128_MAX:
        return R.OVERFLOWS_CREDITS
    if timestamp + posting.timeout_s * 1_000_000_000 > _TIMESTAMP_MAX:
        return R.OVERFLOWS_TIMEOUT
    if debit.debits_limited and debit_total > debit.credits_posted:
        return R.EXCEEDS_CREDITS
    if credit.credits_limited and credit_total > credit.debits_posted:
        return R.EXCEEDS_DEBITS
    return None


def _resolve(books: WorkingSet, posting: Posting, timestamp: int) -> PostingResult:
    """A posting that posts (in whole or in part) or voids a hold."""
    if posting.flags & _RESOLVES == _RESOLVES or posting.flags & (_PENDING | _BALANCING | _CLOSING):
        return R.FLAGS_ARE_MUTUALLY_EXCLUSIVE
    if posting.pending_id == 0:
        return R.PENDING_ID_MUST_NOT_BE_ZERO
    if posting.pending_id == U128_MAX:
        return R.PENDING_ID_MUST_NOT_BE_INT_MAX
    if posting.pending_id == posting.id:
        return R.PENDING_ID_MUST_BE_DIFFERENT
    if posting.timeout_s != 0:
        return R.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER
    hold = books.postings.get(posting.pending_id)
    if hold is None:
        return R.PENDING_TRANSFER_NOT_FOUND
    if not hold.flags & _PENDING:
        return R.PENDING_TRANSFER_NOT_PENDING
    default = 0 if posting.flags & _VOID else AMOUNT_MAX
    amount = hold.amount if posting.amount == default else posting.amount
    debit, credit = books.accounts[hold.debit_account_id], books.accounts[hold.credit_account_id]
    refusal = (
        _check_hold(posting, hold, amount)
        or _check_status(books.statuses[hold.id], hold, timestamp)
        or _check_closed(posting, debit, credit)
    )
    if refusal is not None:
        return refusal
    books.add_posting(_inheriting(posting, hold, amount, timestamp))
    books.resolve(hold, PendingStatus.VOIDED if posting.flags & _VOID else PendingStatus.POSTED)
    books.touch(debit)
    books.touch(credit)
    debit.debits_pending -= hold.amount
    credit.credits_pending -= hold.amount
    if posting.flags & _POST:
        debit.debits_posted += amount
        credit.credits_posted += amount
    else:
        reopen(hold, debit, credit)
    books.note_history(timestamp, debit, credit)
    return R.CREATED


def _check_hold(posting: Posting, hold: Posting, amount: int) -> PostingResult | None:
    """Whether the posting means this hold, and asks for no more than it has."""
    if posting.debit_account_id not in (0, hold.debit_account_id):
        return R.PENDING_TRANSFER_HAS_DIFFERENT_DEBIT_ACCOUNT_ID
    if posting.credit_account_id not in (0, hold.credit_account_id):
        return R.PENDING_TRANSFER_HAS_DIFFERENT_CREDIT_ACCOUNT_ID
    if posting.ledger not in (0, hold.ledger):
        return R.PENDING_TRANSFER_HAS_DIFFERENT_LEDGER
    if posting.code not in (0, hold.code):
        return R.PENDING_TRANSFER_HAS_DIFFERENT_CODE
    if amount > hold.amount:
        return R.EXCEEDS_PENDING_TRANSFER_AMOUNT
    if posting.flags & _VOID and amount < hold.amount:
        return R.PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT
    return None


def _check_status(status: PendingStatus, hold: Posting, timestamp: int) -> PostingResult | None:
    if status is PendingStatus.POSTED:
        return R.PENDING_TRANSFER_ALREADY_POSTED
    if status is PendingStatus.VOIDED:
        return R.PENDING_TRANSFER_ALREADY_VOIDED
    if status is PendingStatus.EXPIRED or (hold.timeout_s and expires_at(hold) <= timestamp):
        return R.PENDING_TRANSFER_EXPIRED
    return None


def _check_closed(posting: Posting, debit: Standing, credit: Standing) -> PostingResult | None:
    """In a closed account nothing moves but the void of a hold."""
    if posting.flags & _VOID:
        return None
    if debit.closed:
        return R.DEBIT_ACCOUNT_ALREADY_CLOSED
    if credit.closed:
        return R.CREDIT_ACCOUNT_ALREADY_CLOSED
    return None


def reopen(hold: Posting, debit: Standing, credit: Standing) -> None:
    """A hold that closed an account and came to nothing opens it again."""
    if hold.flags & _CLOSING_DEBIT:
        debit.closed = False
    if hold.flags & _CLOSING_CREDIT:
        credit.closed = False


def _recorded(posting: Posting, amount: int, timestamp: int) -> Posting:
    return Posting(
        posting.id,
        posting.debit_account_id,
        posting.credit_account_id,
        amount,
        posting.ledger,
        posting.code,
        int(posting.flags),
        posting.pending_id,
        posting.timeout_s,
        posting.user_data_128,
        posting.user_data_64,
        posting.user_data_32,
        timestamp,
    )


def _inheriting(posting: Posting, hold: Posting, amount: int, timestamp: int) -> Posting:
    """A post or void as recorded: what it left out is the hold's."""
    return Posting(
        posting.id,
        hold.debit_account_id,
        hold.credit_account_id,
        amount,
        hold.ledger,
        hold.code,
        int(posting.flags),
        posting.pending_id,
        0,
        posting.user_data_128 or hold.user_data_128,
        posting.user_data_64 or hold.user_data_64,
        posting.user_data_32 or hold.user_data_32,
        timestamp,
    )
