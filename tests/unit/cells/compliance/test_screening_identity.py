"""What makes of a like name the listed party itself: the same birth, the same number; and what speaks against it."""

from datetime import date
from typing import Any

import pytest

from cells.compliance.checker import Block, Clear, Review, Subject, Verdict
from cells.compliance.identity import Birth, births_in, numbers_in
from cells.compliance.list_checker import open_list_checker

CHECKER = open_list_checker()


async def verdict_on(name: str, kind: str = "person", born: date | None = None, **more: Any) -> Verdict:
    assert kind in ("person", "business")
    subject = Subject("pyr_1", "person" if kind == "person" else "business", name, born, **more)
    [verdict] = await CHECKER.check([subject])
    return verdict


async def test_a_block_takes_the_same_name_and_the_same_birth() -> None:
    assert isinstance(await verdict_on("Orlan Vetroskin", born=date(1961, 4, 17)), Block)
    assert isinstance(await verdict_on("Mr. VETROSKIN, Orlan", born=date(1961, 4, 17)), Block)
    assert isinstance(await verdict_on("Орлан Ветроскин", born=date(1961, 4, 17)), Block)
    for born in (None, date(1961, 1, 1), date(1962, 1, 1)):
        near = await verdict_on("Orlan Vetroskin", born=born)
        assert isinstance(near, Review)
        assert near.reason == "possible-match"
    # One letter more, or a part more, is another name, on the very day too.
    assert isinstance(await verdict_on("Orlan Vettroskin", born=date(1961, 4, 17)), Review)
    assert isinstance(await verdict_on("Orlan Dmitri Vetroskin", born=date(1961, 4, 17)), Review)
    # A weak alias on the very day.
    assert isinstance(await verdict_on("Bargo", born=date(1973, 1, 4)), Review)


async def test_where_the_list_has_but_a_year_the_town_must_be_the_same_too() -> None:
    name = "Thandi Sizaneni"
    assert isinstance(await verdict_on(name, born=date(1979, 6, 1)), Review)
    assert isinstance(await verdict_on(name, born=date(1979, 6, 1), town_of_birth="Elsewhere"), Review)
    assert isinstance(await verdict_on(name, born=date(1979, 6, 1), town_of_birth="SINTESAVILLE"), Block)
    assert isinstance(await verdict_on(name, born=date(1980, 6, 1), town_of_birth="Sintesaville"), Review)


async def test_another_birth_takes_a_like_name_off_the_list_and_the_same_name_to_a_person() -> None:
    other = await verdict_on("Orlan Vetroskin", born=date(1990, 1, 1))
    assert isinstance(other, Review)
    assert other.reason == "other-birth-date"
    assert isinstance(await verdict_on("Orlan Petr Dmitri Vetroskin", born=date(1961, 1, 1)), Review)
    assert isinstance(await verdict_on("Orlan Petr Dmitri Vetroskin", born=date(1990, 1, 1)), Clear)


@pytest.mark.parametrize(
    ("name", "kind", "number", "verdict"),
    [
        ("Ruslan Pelmenchuk", "person", "SYN 770-4118", Block),
        ("R. Pelmenchuk", "person", "syn7704118", Block),
        ("Ruslan Pelmenchuk", "person", "SYN7704119", Review),
        ("Joko Cahyowaskito", "person", "9900000000000006", Block),
        ("Harrowgate Bullion Exchange Ltd.", "business", "SYN-770121", Block),
        ("Kovra Sandbox Blocked Trading Limited", "business", "KOVRASANDBOXBLOCK102", Block),
        ("Harrowgate Bullion Exchange Ltd.", "person", "SYN-770121", Review),
    ],
)
async def test_a_like_name_with_the_same_number_is_blocked(
    name: str, kind: str, number: str, verdict: type[Verdict]
) -> None:
    assert isinstance(await verdict_on(name, kind, numbers=numbers_in([number])), verdict)


async def test_a_listed_number_under_another_name_is_seen() -> None:
    verdict = await verdict_on("Annika Lindqvist", numbers=numbers_in(["SYN7704118"]))
    assert isinstance(verdict, Review)
    assert verdict.reason == "same-number"
    assert isinstance(await verdict_on("Annika Lindqvist", numbers=numbers_in(["770"])), Clear)


@pytest.mark.parametrize(
    ("text", "births"),
    [
        ("1961-04-17", {Birth(1961, date(1961, 4, 17))}),
        ("17/04/1961", {Birth(1961, date(1961, 4, 17))}),
        ("17-04-1961", {Birth(1961, date(1961, 4, 17))}),
        ("dd/mm/1979", {Birth(1979, None)}),
        ("00/00/1981", {Birth(1981, None)}),
        ("00/06/1981", {Birth(1981, None)}),
        ("1968", {Birth(1968, None)}),
        ("circa 1958", {Birth(1958, None)}),
        ("1958-1960", {Birth(1958, None), Birth(1960, None)}),
        ("4 Januari 1973/4 November 1974", {Birth(1973, date(1973, 1, 4)), Birth(1974, date(1974, 11, 4))}),
        ("17 Agustus 1985", {Birth(1985, date(1985, 8, 17))}),
        ("30 Foo 1985", {Birth(1985, None)}),
        ("31/02/1985", {Birth(1985, None)}),
        ("", set()),
        ("unknown", set()),
    ],
)
def test_a_date_of_birth_is_read_as_its_publisher_writes_it(text: str, births: set[Birth]) -> None:
    assert births_in(text) == births
