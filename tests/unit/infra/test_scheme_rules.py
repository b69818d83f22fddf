"""The books of the simulated schemes, rail by rail: what each takes, how each says that it is done, and when it is open."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from infra.schemes.bank import SchemeBank
from infra.schemes.clock import SchemeClock
from infra.schemes.magic import SCRIPTS, Script, amount_of
from infra.schemes.messages import Order, Status, written_amount
from infra.schemes.rules import SCHEMES, SchemeRules
from infra.schemes.statements import notification
from infra.schemes.store import Entry, SchemeStore
from infra.schemes.store_notices import NoticeStore


@dataclass
class Books:
    store: SchemeStore
    notices: NoticeStore
    clock: SchemeClock
    bank: SchemeBank

    def pay(self, rail: str, amount_minor: int, name: str = "Ayu", number: int = 1) -> list[Status]:
        order = Order(
            f"tr-{number}", f"tr{number}", written_amount(amount_minor), SCHEMES[rail].currency, name, "1", (name,)
        )
        return self.bank.pay(rail, [order])


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    store = SchemeStore(tmp_path / "books.sqlite3")
    notices = NoticeStore(store, dict.fromkeys(SCHEMES, b"secret"))
    clock = SchemeClock(store)
    yield Books(store, notices, clock, SchemeBank(store, notices, clock))
    store.close()


@pytest.fixture(params=SCHEMES)
def rail(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def least(rules: SchemeRules) -> int:
    return rules.above_minor + rules.unit_minor


def test_the_least_and_the_most_are_paid_and_nothing_beyond(books: Books, rail: str) -> None:
    rules = SCHEMES[rail]
    most = rules.ceiling_minor or 10**15
    said = "ACSP" if rules.settles_later else rules.positive
    assert [one.code for one in books.pay(rail, least(rules), number=1)] == [said]
    assert [one.code for one in books.pay(rail, most, number=2)] == [said]
    [refused] = books.pay(rail, rules.above_minor, number=3)
    assert (refused.code, refused.reason) == ("RJCT", "AM06" if rules.above_minor else "AM12")
    if rules.ceiling_minor:
        [refused] = books.pay(rail, most + rules.unit_minor, number=4)
        assert (refused.code, refused.reason) == ("RJCT", "AM02")
    assert books.store.totals(rail) == (0, least(rules) + most)


def test_what_settles_later_is_said_to_be_settled_afterwards(books: Books, rail: str) -> None:
    rules = SCHEMES[rail]
    books.pay(rail, least(rules))
    told = [one for one in books.notices.open() if one[0] == rail]
    assert len(told) == (1 if rules.settles_later else 0)
    [found] = books.bank.inquire(rail, [("tr-1", "tr1")])
    assert found.code == rules.positive


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.phrase)
def test_every_script_ends_where_it_says_and_pays_at_most_once(books: Books, rail: str, script: Script) -> None:
    books.pay(rail, amount_of(script, rail))
    books.clock.advance(timedelta(days=7).total_seconds())
    with books.store.transaction():
        for plan in books.store.take_due(books.clock.now().isoformat()):
            books.bank.carry_out(plan)
    for _ in range(2):
        [found] = books.bank.inquire(rail, [("tr-1", "tr1")])
    [known] = books.store.payments_of(rail, "tr-1")
    fate = "settled" if script.settles_after_days else script.fate
    assert (known.fate, known.paid, known.asked) == (fate, int(fate == "settled"), 1)
    codes = {"settled": SCHEMES[rail].positive, "rejected": "RJCT", "lost": "RJCT", "open": "PDNG"}
    assert (found.code, found.reason) == (codes[fate], {"rejected": "AC04", "lost": "AG09"}.get(fate, ""))


BUSINESS = {
    "sepa_credit_transfer": ("2026-11-20T06:00:00", "2026-11-20T16:00:00"),
    "chaps": ("2026-11-20T06:00:00", "2026-11-20T18:00:00"),
    "bi_rtgs": ("2026-11-19T23:30:00", "2026-11-20T09:00:00"),
}


def test_its_own_hours_are_those_of_its_zone(rail: str) -> None:
    rules = SCHEMES[rail]
    assert (rules.hours is None) == (rail not in BUSINESS)
    if rules.hours is None:
        return
    opens, closes = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in BUSINESS[rail])
    minute = timedelta(minutes=1)
    for moment, is_open in ((opens - minute, False), (opens, True), (closes - minute, True), (closes, False)):
        assert rules.works_at(moment) is is_open
    assert not rules.works_at(opens + timedelta(days=1, hours=2)), "a Saturday"


def test_own_hours_open_and_close_as_time_goes_by(books: Books) -> None:
    rules = SCHEMES["chaps"]
    books.clock.set_hours("chaps", None)
    seen = set()
    for number in range(7 * 4):
        [answer] = books.pay("chaps", 100, number=number)
        assert (answer.reason != "TM01") is books.clock.is_open("chaps", rules)
        seen.add(answer.reason)
        books.clock.advance(timedelta(hours=6).total_seconds())
    assert seen == {"", "TM01"}


def test_time_and_hours_are_there_after_a_restart(books: Books, tmp_path: Path) -> None:
    books.clock.advance(1_000_000)
    books.clock.set_hours("chaps", False)
    again = SchemeStore(tmp_path / "books.sqlite3")
    clock = SchemeClock(again)
    assert abs(clock.now() - books.clock.now()) < timedelta(seconds=5)
    assert (clock.hours("chaps"), clock.hours("bi_fast")) == ("closed", "open")
    again.close()


def test_a_notification_names_the_movement() -> None:
    entry = Entry("chaps", "2026-11-20", "CRDT", "credit", "GBP", 12_345, "IN1", "E2E", "2026-11-20T10:00:00Z")
    root = etree.fromstring(notification("uk-1", "NT1", entry))
    texts = [one.text for name in ("Amt", "CdtDbtInd", "NtryRef", "EndToEndId") for one in root.iter("{*}" + name)]
    assert texts == ["123.45", "CRDT", "IN1", "E2E"]
