"""Over random payments in a real evaluator: postings added up are the ledger's own balances; an untouched journal matches; any one
change to it is found, at its posting."""

import asyncio
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cells.kit.money import CURRENCIES
from cells.ledger import chart, house
from cells.ledger.codes import Code
from cells.ledger.entry import Account, Posting
from cells.ledger.memory import MemoryLedger
from cells.ledger.postings import Action, Chain, postings_of
from cells.ledger.submit import submit_chains
from cells.reconciliation.fold import Figures, Fold, figures_of
from cells.reconciliation.postings import Expected, Sorted, missing_findings, sort_page
from tests.support import lives

EUR, IDR = CURRENCIES["EUR"].number, CURRENCIES["IDR"].number
WALLET = chart.wallet(4711, EUR)
_ENDINGS = ("hold", "post", "void", "freeze")
_PAYERS = {"post": Action.POST, "void": Action.VOID, "freeze": Action.FREEZE}
_payments = st.lists(
    st.tuples(
        st.sampled_from(["abroad", "at_home", "collection"]),
        st.sampled_from(_ENDINGS),
        st.integers(1, 10_000),
        st.integers(0, 90),
        st.integers(0, 50),
    ),
    min_size=1,
    max_size=12,
)


def _chains(payment: int, kind: str, ending: str, amount: int, margin: int, fee: int) -> list[Chain]:
    match kind:
        case "collection":
            life = lives.credit(payment, amount, WALLET)
            endings = {"post": Action.CREDIT, "void": Action.VOID, "freeze": Action.SUSPEND}
        case "at_home":
            life, endings = lives.in_region(payment, WALLET, amount, fee, margin), _PAYERS
        case _:
            life = lives.origin(payment, WALLET, 3, principal=amount, margin=margin, fee=fee, amount=amount * 170)
            endings = _PAYERS
    actions = [Action.HOLD, *([endings[ending]] if ending in endings else [])]
    return [postings_of(life, action) for action in actions]


async def _books(
    payments: list[tuple[str, str, int, int, int]],
) -> tuple[list[Account], list[Posting], list[Expected]]:
    """A ledger with money in the wallet and those payments made: its accounts, its postings, and the journal of what it applied."""
    ledger = MemoryLedger()
    founded = house.platform_accounts([EUR], [IDR], [3], [("sepa_instant", EUR)])
    await ledger.create_accounts([*founded, chart.opening(WALLET)])
    cap = lives.granted(1 << 80, 3, 1_000_000)
    funding = _chains(2 << 80, "collection", "post", 200_000, 0, 0)
    made = [chain for place, one in enumerate(payments) for chain in _chains((place + 3) << 80, *one)]
    journal = []
    for chain in [*funding, *made]:
        [result] = await submit_chains(ledger, [chain])
        assert result.applied
        journal += [Expected(posting, f"payment {posting.user_data_128 >> 80}", "hold", "applied") for posting in chain]
    await submit_chains(ledger, [cap])
    return await ledger.query_accounts(limit=1000), await ledger.query_postings(limit=1000), journal


def _sort(postings: list[Posting], journal: list[Expected]) -> Sorted:
    return sort_page("eu-1", postings, {row.posting.id: row for row in journal})


@given(_payments)
@settings(max_examples=60, deadline=None)
def test_postings_added_up_are_the_ledgers_balances(payments: list[tuple[str, str, int, int, int]]) -> None:
    accounts, postings, journal = asyncio.run(_books(payments))
    fold = Fold()
    for posting in postings:
        fold.add(posting)
    assert {one.id: figures_of(one) for one in accounts} == fold.copy_of(one.id for one in accounts)
    total = _total(fold, accounts)
    assert (total.debits_posted, total.debits_pending) == (total.credits_posted, total.credits_pending)
    held = {
        chain[0].id
        for place, one in enumerate(payments)
        if one[1] == "hold"
        for chain in _chains((place + 3) << 80, *one)
    }
    assert held <= fold.open_holds.keys()
    beside = _sort(postings, journal)
    assert (beside.findings, beside.later, beside.applied) == ([], [], len(journal))
    assert [one.code for one in beside.house] == [Code.CAP]


def _total(fold: Fold, accounts: list[Account]) -> Figures:
    total = Figures()
    for one in accounts:
        total = total.plus(fold.account(one.id))
    return total


_FIELDS = (
    "debit_account_id", "credit_account_id", "amount", "ledger", "code", "flags", "pending_id", "user_data_128",
    "user_data_64", "user_data_32",
)  # fmt: skip


@given(_payments, st.data())
@settings(max_examples=60, deadline=None)
def test_any_one_change_to_the_journal_is_found_at_its_posting(
    payments: list[tuple[str, str, int, int, int]], data: st.DataObject
) -> None:
    _, postings, journal = asyncio.run(_books(payments))
    place = data.draw(st.integers(0, len(journal) - 1), label="row")
    change = data.draw(st.sampled_from([*_FIELDS, "deleted", "failed", "planned"]), label="change")
    row = journal.pop(place)
    if change in ("failed", "planned"):
        journal.append(replace(row, state=change))
    elif change != "deleted":
        by = data.draw(st.integers(1, 1000), label="by")
        journal.append(replace(row, posting=replace(row.posting, **{change: getattr(row.posting, change) + by})))
    found = _sort(postings, journal)
    if change in ("deleted", "planned"):
        # To be looked for in the journal again, and not in the sums until then.
        assert [one.id for one in found.later] == [row.posting.id]
        assert row.posting.id not in {one.id for one in found.counted}
    else:
        assert found.findings
        assert all(f"{row.posting.id:032x}" in one.subject for one in found.findings)


@given(_payments, st.data())
@settings(max_examples=30, deadline=None)
def test_a_posting_that_the_ledger_lost_is_named(
    payments: list[tuple[str, str, int, int, int]], data: st.DataObject
) -> None:
    _, postings, journal = asyncio.run(_books(payments))
    gone = data.draw(st.sampled_from(journal)).posting.id
    left = {one.id: one for one in postings if one.id != gone}
    assert _sort(list(left.values()), journal).applied == len(journal) - 1
    [found] = list(missing_findings("eu-1", journal, left))
    assert f"{gone:032x}" in found.subject
