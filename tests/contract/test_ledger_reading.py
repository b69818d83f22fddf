"""Looking things up: accounts, postings, an account's history, and pages of each."""

from dataclasses import replace

from cells.ledger.chart import CURRENCY_LEDGER
from cells.ledger.entry import AccountFlag, PostingFlag
from cells.ledger.ledger import Ledger
from tests.contract.ledger_engines import account, fresh_id, funded_wallet, open_accounts, post, posting


async def test_lookups_answer_what_exists_as_it_was_recorded(ledger: Ledger) -> None:
    sent = replace(
        account(AccountFlag.HISTORY), user_data_128=2**128 - 1, user_data_64=2**64 - 1, user_data_32=2**32 - 1
    )
    other = account()
    await ledger.create_accounts([sent, other])
    moved = replace(
        posting(sent.id, other.id, 2**100, payment=2**128 - 1), user_data_64=2**64 - 1, user_data_32=2**32 - 1
    )
    await ledger.create_postings([moved])
    accounts = await ledger.lookup_accounts([sent.id, fresh_id()])
    assert list(accounts) == [sent.id]
    assert replace(accounts[sent.id], timestamp=0) == replace(sent, debits_posted=2**100)
    postings = await ledger.lookup_postings([fresh_id(), moved.id])
    assert {number: replace(one, timestamp=0) for number, one in postings.items()} == {moved.id: moved}


async def test_timestamps_rise_strictly_over_accounts_and_postings(ledger: Ledger) -> None:
    a, b = await open_accounts(ledger, 0, 0)
    sent = [posting(a, b, 1) for _ in range(5)]
    await ledger.create_postings(sent[:3])
    await ledger.create_postings(sent[3:])
    accounts = await ledger.lookup_accounts([a, b])
    postings = await ledger.lookup_postings([one.id for one in sent])
    times = [accounts[a].timestamp, accounts[b].timestamp, *(postings[one.id].timestamp for one in sent)]
    assert times == sorted(set(times))


async def test_an_accounts_postings_come_from_both_sides_page_by_page(ledger: Ledger) -> None:
    a, b, c = await open_accounts(ledger, 0, 0, 0)
    sent = [posting(a, b, 1), posting(b, a, 2), posting(b, c, 3), posting(c, a, 4), posting(a, c, 5)]
    await ledger.create_postings(sent)
    mine = [sent[0].id, sent[1].id, sent[3].id, sent[4].id]
    assert [one.id for one in await ledger.account_postings(a, limit=10)] == mine
    first = await ledger.account_postings(a, limit=3)
    rest = await ledger.account_postings(a, limit=3, after_timestamp=first[-1].timestamp)
    assert [one.id for one in (*first, *rest)] == mine
    newest = await ledger.account_postings(a, limit=3, newest_first=True)
    older = await ledger.account_postings(a, limit=3, newest_first=True, after_timestamp=newest[-1].timestamp)
    assert [one.id for one in (*newest, *older)] == mine[::-1]
    assert await ledger.account_postings(fresh_id(), limit=10) == []


async def test_an_account_with_history_tells_its_balance_after_every_posting(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 100)
    hold = posting(wallet, house, 30, PostingFlag.PENDING)
    await ledger.create_postings([hold, posting(wallet, house, 20), post(hold, 10)])
    history = await ledger.account_balances(wallet, limit=10)
    assert [(one.debits_pending, one.debits_posted, one.credits_pending, one.credits_posted) for one in history] == [
        (0, 0, 0, 100),
        (30, 0, 0, 100),
        (30, 20, 0, 100),
        (0, 30, 0, 100),
    ]
    postings = await ledger.account_postings(wallet, limit=10)
    assert [one.timestamp for one in history] == [one.timestamp for one in postings]
    assert await ledger.account_balances(wallet, limit=2, newest_first=True) == history[:1:-1]
    assert await ledger.account_balances(wallet, limit=2, after_timestamp=history[0].timestamp) == history[1:3]
    assert await ledger.account_balances(house, limit=10) == []


async def test_postings_are_found_by_payment_ledger_and_code(ledger: Ledger) -> None:
    payment = fresh_id()
    a, b = await open_accounts(ledger, 0, 0)
    sent = [posting(a, b, 1, code=code, payment=payment) for code in (1, 2, 1)]
    await ledger.create_postings([*sent, posting(a, b, 1, payment=fresh_id())])
    found = await ledger.query_postings(limit=10, user_data_128=payment)
    assert [one.id for one in found] == [one.id for one in sent]
    by_code = await ledger.query_postings(limit=10, user_data_128=payment, code=1, ledger=978)
    assert [one.id for one in by_code] == [sent[0].id, sent[2].id]
    assert await ledger.query_postings(limit=10, user_data_128=payment, ledger=360) == []
    after = found[0].timestamp
    assert await ledger.query_postings(limit=1, user_data_128=payment, after_timestamp=after) == found[1:2]
    assert (await ledger.query_postings(limit=2, after_timestamp=after - 1))[:2] == found[:2]


async def test_accounts_are_found_by_ledger_and_code(ledger: Ledger) -> None:
    code = 1000 + fresh_id() % 60_000
    opened = [account(code=code), account(code=code, ledger=CURRENCY_LEDGER["IDR"]), account(code=code)]
    await ledger.create_accounts(opened)
    found = await ledger.query_accounts(limit=10, code=code)
    assert [one.id for one in found] == [one.id for one in opened]
    euro = await ledger.query_accounts(limit=10, code=code, ledger=978)
    assert [one.id for one in euro] == [opened[0].id, opened[2].id]
    assert await ledger.query_accounts(limit=1, code=code, after_timestamp=found[0].timestamp) == found[1:2]


async def test_more_rows_than_one_reply_holds_are_paged_unseen(ledger: Ledger) -> None:
    a, b = await open_accounts(ledger, AccountFlag.HISTORY, 0)
    sent = [posting(a, b, 1) for _ in range(600)]
    await ledger.create_postings(sent)
    assert [one.id for one in await ledger.account_postings(a, limit=1000)] == [one.id for one in sent]
    assert [one.debits_posted for one in await ledger.account_balances(a, limit=599)] == list(range(1, 600))
    assert len(await ledger.lookup_postings([one.id for one in sent])) == 600
