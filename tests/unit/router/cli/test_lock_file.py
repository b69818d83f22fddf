"""requirements.lock: every package hashed, none with a place to fetch from, all that pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[4]
_LOCK = (_ROOT / "requirements.lock").read_text()


def test_it_names_no_host_and_no_option() -> None:
    assert "://" not in _LOCK
    options = {line.strip().split("=")[0] for line in _LOCK.splitlines() if line.strip().startswith("-")}
    assert options == {"--hash"}


def test_every_package_is_pinned_and_hashed() -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", _LOCK)
    for block in blocks:
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==\S+", block), block[:60]
        assert "--hash=sha256:" in block, block[:60]


def test_it_has_what_the_project_asks_for() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for group in project["optional-dependencies"].values() for one in group)]
    names = {re.split(r"[\[<>=~! ]", one)[0].lower().replace("_", "-") for one in asked}
    locked = {re.split(r"[\[=]", line)[0] for line in _LOCK.splitlines() if re.match(r"[a-z0-9]", line)}
    assert names <= locked, names - locked
