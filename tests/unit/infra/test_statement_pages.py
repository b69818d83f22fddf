"""The simulated schemes' statements in pages: each adds up by itself, and together they are the account."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cells.rails.iso20022.accounts import read_statements
from cells.rails.profile_files import rail_profiles
from infra.schemes.statements import Page, statement
from infra.schemes.store import Entry, SchemeStore

DAYS = ("2026-11-20", "2026-11-21", "2026-11-22")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SchemeStore]:
    opened = SchemeStore(tmp_path / "books.sqlite3")
    for number in range(30):
        direction = "CRDT" if number % 3 else "DBIT"
        day = DAYS[number // 10]
        opened.book(
            Entry("chaps", day, direction, "credit", "GBP", 100 + number, f"IN{number}", "E2E", f"{day}T10:00:00Z")
        )
    yield opened
    opened.close()


@pytest.mark.parametrize("size", [1, 7, 10, 20, 50])
def test_pages_lead_from_one_to_the_next_and_end_with_the_last(store: SchemeStore, size: int) -> None:
    coming, going = store.totals("chaps", DAYS[1])
    read, number, last = [], 1, False
    while not last:
        moved, entries = store.page("chaps", (DAYS[1], DAYS[2]), (number - 1) * size, size + 1)
        page = Page(DAYS[1], number, last=len(entries) <= size)
        body = statement("uk-1", "GBP", DAYS[2], coming - going + moved, entries[:size], page)
        [found] = read_statements(rail_profiles()["chaps"], body).statements
        assert (found.page, found.last) == (str(number), page.last)
        assert not read or read[-1].closing_minor == found.opening_minor
        read.append(found)
        number, last = number + 1, found.last
    assert [one.reference for each in read for one in each.movements] == [f"IN{number}" for number in range(10, 30)]
    coming, going = store.totals("chaps")
    assert read[-1].closing_minor == coming - going
