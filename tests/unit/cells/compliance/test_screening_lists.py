"""The lists that ship, names met and names left alone."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cells.compliance.checker import Block, Clear, Review, Subject, Verdict
from cells.compliance.identity import births_in, numbers_in
from cells.compliance.list_checker import ListChecker, open_list_checker
from cells.compliance.lists import DATA, Entry, ListsInvalid, SanctionsList, load_lists
from cells.compliance.magic import SCREENED_NAMES
from cells.compliance.rules import LARGE_AMOUNT, load_rules

CHECKER = open_list_checker()


async def verdict_on(name: str, kind: str = "person", born: date | None = None, **more: Any) -> Verdict:
    assert kind in ("person", "business")
    subject = Subject("pyr_1", "person" if kind == "person" else "business", name, born, **more)
    [verdict] = await CHECKER.check([subject])
    return verdict


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Kovra Sandbox Blocked", "person"),
        ("KOVRA  SANDBOX-BLOCKED", "person"),
        ("Kovra Sandbox Blocked Trading", "business"),
        ("PT Kovra Sandbox Blocked Trading Tbk", "business"),
        ("Perseroan Terbatas Kovra Sandbox Blocked Trading", "business"),
        ("Kovra Sandbox Blocked Trading G.m.b.H.", "business"),
        ("Kovra Sandbox Blocked Trading, Gesellschaft mit beschränkter Haftung", "business"),
        ("Brastov Maritime Trading Limited Liability Company", "business"),
        ("Tsarovet, Общество с ограниченной ответственностью", "business"),
        ("Caldermoor Freight & Shipping Public Limited Company", "business"),
        ("Orlan Vetroskin", "person"),
        ("Vetroskin, Orlan", "person"),
        ("Mr. Orlan Vetroskin", "person"),
        ("Орлан Ветроскин", "person"),
        ("يوسف خالد المرزباني", "person"),
        ("Nordhelm Metals AG", "business"),
        ("Abu Tirtalaya", "person"),
        ("Thandi Sizaneni", "person"),
        # Spelt otherwise.
        ("Orlan Vetrsokin", "person"),
        ("Orlan Vettroskim", "person"),
        ("Joko Cahyowaskito", "person"),
        ("Soegianto Wiryodikoro", "person"),
        ("Mohamed Rizalfikri Sanusirejo", "person"),
        ("Yusif Khaled Marzubani", "person"),
        # More or fewer parts than the list has.
        ("Orlan Dmitri Vetroskin", "person"),
        ("Youssef Al-Marzubani", "person"),
        ("Ruslan Pelmenchuk", "person"),
        ("Пельменчук Руслан", "person"),
        ("Siti Sintawati", "person"),
        ("Bargowo Tirtalayana", "person"),
        ("Min Kyawtara", "person"),
        # Initials and short forms.
        ("O. Vetroskin", "person"),
        ("R. I. Pelmenchuk", "person"),
        ("RI Pelmenchuk", "person"),
        ("Moh. Rizalfikri Sanusirejo", "person"),
        ("M. Rizalfikri Sanusirejo", "person"),
        ("Thand. Sizaneni", "person"),
        # Titles before it, degrees behind it, words run together.
        ("Bapak H. Soegianto Wirjodikoro", "person"),
        ("Ibu Siti Nurhalimatus Sintawati, S.H., M.M.", "person"),
        ("Dr. Orlan Vetroskin", "person"),
        ("OrlanVetroskin", "person"),
        ("Abu Tirta Laya", "person"),
    ],
)
async def test_a_like_name_is_a_review_and_nothing_more(name: str, kind: str) -> None:
    verdict = await verdict_on(name, kind)
    assert isinstance(verdict, Review)
    assert verdict.reason == "possible-match"


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("Kovra Sandbox Review", "person", "weak-alias"),
        ("Bargo", "person", "weak-alias"),
        ("Kovra Sandbox Blocked", "business", "other-kind"),
        ("PT Harrowgate Bullion Exchange", "person", "other-kind"),
        ("Harrowgate Bullion Exchange Limited", "person", "other-kind"),
    ],
)
async def test_what_speaks_against_a_match_is_its_reason(name: str, kind: str, reason: str) -> None:
    verdict = await verdict_on(name, kind)
    assert isinstance(verdict, Review)
    assert verdict.reason == reason


@pytest.mark.parametrize(
    "name",
    [
        "Budi Santoso",
        "Muhammad Ali",
        "M. Ali",
        "Anna Schmidt",
        "Suharto",
        "王小明",
        "Siti Nurhaliza",
        "Orlan",
        "Vetroskin",
        "Joko Widarto",
        "Kovra Sandbox Partner",
        "Rizal Fikri",
        "X",
        "O'Neill",
        "Jean-Luc Picot",
        "!!!",
        "Bargo Wibowo",
        "Pak Hyon Yong",
        "Dr.",
        # The same given names, another surname.
        "Ruslan Igorevich Petrov",
        "Orlan Petrov",
    ],
)
async def test_everyone_else_is_clear(name: str) -> None:
    assert isinstance(await verdict_on(name), Clear)


@pytest.mark.parametrize(
    ("listed", "stranger"),
    [
        ("Pak Hyon Yong", "Kim Hyon Yong"),
        ("Co Van Dang", "Van Dang"),
        ("Bu Ratnasari", "Ratnasari"),
        ("Jose Sa", "Jose"),
        ("Sa Ratnawulan", "Ratnawulan"),
    ],
)
async def test_a_surname_that_is_a_title_or_legal_form_elsewhere_is_not_cut_off(listed: str, stranger: str) -> None:
    entry = Entry("l", "1", listed, "person", False, births_in("1961-04-17"))
    checker = ListChecker([SanctionsList("l", "EU", "1", (entry,))], load_rules())
    born = date(1961, 4, 17)
    its, not_its = await checker.check([Subject("a", "person", listed, born), Subject("b", "person", stranger, born)])
    assert isinstance(its, Block)
    assert not isinstance(not_its, Block)


async def test_every_entry_of_every_list_is_found_by_its_own_name() -> None:
    entries = [entry for one in load_lists() for entry in one.entries]
    assert len(entries) > 40
    verdicts = await CHECKER.check([Subject(str(n), entry.kind, entry.name) for n, entry in enumerate(entries)])
    for entry, verdict in zip(entries, verdicts, strict=True):
        assert isinstance(verdict, Review), entry


async def test_every_magic_name_does_what_its_line_says() -> None:
    for one in SCREENED_NAMES:
        verdict = await verdict_on(one.name, one.kind, one.born, numbers=numbers_in([one.lei]))
        assert verdict.attestation.result == one.verdict
        assert isinstance(await verdict_on(one.name, one.kind), Review)


def test_nobody_shows_in_a_repr() -> None:
    shown = repr(Subject("pyr_1", "person", "Annika Lindqvist", date(1988, 3, 14)))
    assert "pyr_1" in shown
    assert "Annika" not in shown
    assert "1988" not in shown


def copied(target: Path) -> Path:
    for file in DATA.iterdir():
        if file.is_file():
            (target / file.name).write_bytes(file.read_bytes())
    return target


def test_any_edit_of_a_list_is_another_version(tmp_path: Path) -> None:
    data = copied(tmp_path)
    before = {one.name: one.version for one in load_lists(data)}
    with (data / "id_dttot.synthetic.csv").open("a") as file:
        file.write("Sintesa Baru,,Orang,SYN-999,,,Indonesia,\n")
    after = {one.name: one.version for one in load_lists(data)}
    assert {name for name in before if before[name] != after[name]} == {"id-dttot"}


@pytest.mark.parametrize("damage", ["missing", "empty", "columns"])
def test_without_its_lists_screening_does_not_start(tmp_path: Path, damage: str) -> None:
    data = copied(tmp_path)
    file = data / "id_dttot.synthetic.csv"
    header = file.read_text().splitlines()[0]
    if damage == "missing":
        file.unlink()
    else:
        file.write_text(f"{header}\n" if damage == "empty" else "Name,Code\nSomebody,1\n")
    with pytest.raises(ListsInvalid):
        load_lists(data)


def test_large_amounts_are_for_review() -> None:
    rules = load_rules()
    limit = rules.review_amount_minor["EUR"]
    assert rules.review_reasons([("EUR", limit - 1), ("EUR", limit), ("IDR", limit), ("XXX", limit)]) == [
        None,
        LARGE_AMOUNT,
        None,
        None,
    ]


async def test_the_worst_match_decides() -> None:
    def entry(reference: str, name: str, weak: bool) -> Entry:
        return Entry("l", reference, name, "person", weak, births_in("1961-04-17"))

    entries = (
        entry("weak", "Orlan Vetroskin", True),
        entry("strong", "Orlan Vetroskin", False),
        entry("weak2", "Orlan Vetroskin", True),
    )
    [verdict] = await ListChecker([SanctionsList("l", "EU", "1", entries)], load_rules()).check(
        [Subject("pyr_1", "person", "Orlan Vetroskin", date(1961, 4, 17))]
    )
    assert isinstance(verdict, Block)
    assert verdict.hit is not None
    assert verdict.hit.reference == "strong"
