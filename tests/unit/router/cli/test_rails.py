"""`kovra rails`: one row for each declared rail, whether its actor answers or not."""

from pathlib import Path

from cells.spec import CellSpec, PrivateSettings
from residency.directory import load_directory
from router.cli.rails import rows_of

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


def spec() -> CellSpec:
    directory = load_directory()
    return CellSpec(Path("/nowhere"), directory.cell("uk-1"), directory, PrivateSettings.model_construct())


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
