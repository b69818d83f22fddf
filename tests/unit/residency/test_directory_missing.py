"""A home folder in which nothing has been started: the failure says what to do, and where it was looked for."""

from pathlib import Path

import pytest

from residency.directory import DirectoryInvalid, load_directory


def test_a_home_where_nothing_was_started_says_what_starts_it(tmp_path: Path) -> None:
    with pytest.raises(DirectoryInvalid) as refused:
        load_directory(tmp_path)
    assert str(tmp_path / "directory.json") in str(refused.value)
    assert "`kovra run`" in str(refused.value)
    assert "KOVRA_HOME" in str(refused.value)
    assert "Errno" not in str(refused.value)


def test_a_directory_that_cannot_be_read_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "directory.json").write_text("{")
    with pytest.raises(DirectoryInvalid) as refused:
        load_directory(tmp_path)
    assert "kovra run" not in str(refused.value)
