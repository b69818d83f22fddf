"""`kovra rails`: one row for each declared rail, whether its actor answers or not; and the facts of each scheme with their sources."""

import json
import sys
from pathlib import Path

import pytest

from cells.rails.profile_files import rail_profiles
from cells.spec import CellSpec, ModulusSettings, PrivateSettings
from residency.directory import load_directory
from router.cli.main import main
from router.cli.rails import modulus_of, rows_of, sheet_of

DETAILS = {
    "rail": "chaps",
    "open": False,
    "next_opening": "2026-11-23T06:00:00+00:00",
    "breaker": "closed",
    "depth": 3,
    "in_doubt": 1,
    "unacknowledged": 0,
    "last_batch": 2,
}


def spec(cell: str = "uk-1", **settings: object) -> CellSpec:
    directory = load_directory()
    return CellSpec(Path("/nowhere"), directory.cell(cell), directory, PrivateSettings.model_construct(**settings))


def test_a_row_for_each_declared_rail() -> None:
    answer = {
        "actors": [
            {"kind": "rail", "state": "running", "details": DETAILS},
            {"kind": "rail", "state": "unreachable", "details": {}},
            {"kind": "shared", "state": "running", "details": {}},
        ]
    }
    faster, chaps = rows_of(spec(), answer)
    assert faster == {"rail": "faster_payments", "cell": "uk-1", "state": "absent"}
    assert chaps == {
        "rail": "chaps",
        "cell": "uk-1",
        "state": "closed",
        "next_opening": "2026-11-23T06:00:00+00:00",
        "breaker": "closed",
        "depth": 3,
        "in_doubt": 1,
        "unacknowledged": 0,
        "last_batch": 2,
    }


def test_a_host_that_does_not_answer_leaves_its_rails_absent() -> None:
    assert [row["state"] for row in rows_of(spec(), {"error": "the host does not answer"})] == ["absent", "absent"]


def test_it_is_said_by_what_uk_accounts_are_checked() -> None:
    tables = ModulusSettings(weights_path=Path("/tables/VALACDOS.txt"), substitutions_path=Path("/tables/SCSUBTAB.txt"))
    assert modulus_of([spec("eu-1"), spec()]) == {"uk-1": None}
    assert modulus_of([spec("eu-1"), spec(modulus=tables)]) == {"uk-1": "/tables/VALACDOS.txt"}


@pytest.mark.parametrize("rail", sorted(rail_profiles()))
def test_every_fact_of_a_scheme_is_shown_with_its_source(rail: str) -> None:
    profile = rail_profiles()[rail]
    sheet = sheet_of(profile)
    assert {one["fact"]: one["source"] for one in sheet} == profile.sources
    by_name = {one["fact"]: one["value"] for one in sheet}
    assert (by_name["ceiling_minor"], by_name["text.signs"]) == (profile.ceiling_minor, profile.text.signs)
    assert by_name["countries"] == sorted(profile.countries)
    json.dumps(sheet)


def shown(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["kovra", "rails", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_the_sheets_need_no_running_cell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    assert shown(monkeypatch, "--sources", "--json", "--cell", "uk-1") == 0
    sheets = json.loads(capsys.readouterr().out)["rails"]
    assert list(sheets) == ["faster_payments", "chaps"]
    hours = {one["fact"]: one["value"] for one in sheets["chaps"] if one["fact"].startswith("hours")}
    assert hours == {"hours.opens": "06:00", "hours.cut_off": "17:40", "hours.closes": "18:00"}
    assert shown(monkeypatch, "--sources", "--rail", "bi_fast") == 0
    table = capsys.readouterr().out
    assert "BI-FAST (bi_fast)" in table
    assert "250000000.00 IDR" in table
    assert shown(monkeypatch, "--sources", "--rail", "pigeon") == 1
    assert "bi_fast" in capsys.readouterr().err
