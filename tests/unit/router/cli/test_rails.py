"""`kovra rails`: one row for each declared rail, whether its actor answers or not."""

from pathlib import Path

from cells.spec import CellSpec, ModulusSettings, PrivateSettings
from residency.directory import load_directory
from router.cli.rails import modulus_of, rows_of

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
