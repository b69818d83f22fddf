"""The lists that ship, names met and names left alone."""

from datetime import date
from pathlib import Path

import pytest

from cells.compliance.checker import Block, Clear, Review, Subject, Verdict
from cells.compliance.list_checker import ListChecker, open_list_checker
from cells.compliance.lists import DATA, Entry, ListsInvalid, SanctionsList, load_lists
from cells.compliance.rules import LARGE_AMOUNT, load_rules

CHECKER = open_list_checker()


async def verdict_on(name: str, kind: str = "person", born: date | None = None) -> Verdict:
    assert kind in ("person", "business")
    [verdict] = await CHECKER.check([Subject("pyr_1", "person" if kind == "person" else "business", name, born)])
    return verdict


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Kovra Sandbox Blocked", "person"),
        ("KOVRA  SANDBOX-BLOCKED", "person"),
        ("Kovra Sandbox Blocked Trading", "business"),
        ("PT Kovra Sandbox Blocked Trading Tbk", "business"),
        ("Orlan Vetroskin", "person"),
        ("Vetroskin, Orlan", "person"),
        ("Mr. Orlan Vetroskin", "person"),
        ("Орлан Ветроскин", "person"),
        ("يوسف خالد المرزباني", "person"),
        ("Nordhelm Metals AG", "business"),
        ("Abu Tirtalaya", "person"),
        ("Thandi Sizaneni", "person"),
    ],
)
async def test_a_listed_name_is_blocked_however_it_is_written(name: str, kind: str) -> None:
    verdict = await verdict_on(name, kind)
    assert isinstance(verdict, Block)
    assert verdict.version == CHECKER.versions()[verdict.list]


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("Kovra Sandbox Review", "person", "weak-alias"),
        ("Bargo", "person", "weak-alias"),
        ("Orlan Vetrsokin", "person", "possible-match"),
        ("Orlan Vettroskim", "person", "possible-match"),
        ("Joko Cahyowaskito", "person", "possible-match"),
        ("Soegianto Wiryodikoro", "person", "possible-match"),
        ("Mohamed Rizalfikri Sanusirejo", "person", "possible-match"),
        ("Orlan Dmitri Vetroskin", "person", "possible-match"),
        ("Kovra Sandbox Blocked", "business", "other-kind"),
    ],
)
async def test_a_name_that_is_nearly_listed_is_reviewed(name: str, kind: str, reason: str) -> None:
    verdict = await verdict_on(name, kind)
    assert isinstance(verdict, Review)
    assert verdict.reason == reason


@pytest.mark.parametrize(
    "name",
    [
        "Budi Santoso",
        "Muhammad Ali",
        "Anna Schmidt",
        "Suharto",
        "王小明",
        "Siti Nurhaliza",
        "Orlan",
        "Joko Widarto",
        "Kovra Sandbox Partner",
        "Rizal Fikri",
        "X",
        "O'Neill",
        "Jean-Luc Picot",
        "!!!",
    ],
)
async def test_everyone_else_is_clear(name: str) -> None:
    assert isinstance(await verdict_on(name), Clear)


async def test_a_birth_date_that_does_not_fit_makes_a_block_a_review() -> None:
    assert isinstance(await verdict_on("Orlan Vetroskin", born=date(1961, 1, 1)), Block)
    assert isinstance(await verdict_on("Orlan Vetroskin", born=date(1962, 1, 1)), Block)
    other = await verdict_on("Orlan Vetroskin", born=date(1990, 1, 1))
    assert isinstance(other, Review)
    assert other.reason == "other-birth-date"


async def test_every_entry_of_every_list_is_found_by_its_own_name() -> None:
    entries = [entry for one in load_lists() for entry in one.entries]
    assert len(entries) > 40
    verdicts = await CHECKER.check([Subject(str(n), entry.kind, entry.name) for n, entry in enumerate(entries)])
    for entry, verdict in zip(entries, verdicts, strict=True):
        assert isinstance(verdict, Review if entry.weak else Block), entry


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
        return Entry("l", reference, name, "person", weak, frozenset())

    entries = (
        entry("weak", "Orlan Vetroskin", True),
        entry("strong", "Orlan Vetroskin", False),
        entry("weak2", "Orlan Vetroskin", True),
    )
    [verdict] = await ListChecker([SanctionsList("l", "EU", "1", entries)], load_rules()).check(
        [Subject("pyr_1", "person", "Orlan Vetroskin")]
    )
    assert isinstance(verdict, Block)
    assert verdict.hit is not None
    assert verdict.hit.reference == "strong"
