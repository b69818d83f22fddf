"""The steps of a README, followed to the letter in a copy of the repository.

A step is a fenced block whose first line names its file: `# new: path` and the whole of it; `# in: path` and lines to add (`+`), each
below the line that stands above it; or `# copy: path` with another file's path after `as`, and lines of the copy (`-`) with what takes
the place of each (`+`). A removed line may end in an ellipsis, and then stands for the one line that begins so.
"""

import re
import shutil
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("actors", "cells", "infra", "migrations", "residency", "router", "tests", "README.md", "pyproject.toml")
_BLOCK = re.compile(r"^ *```(?:python|toml|diff)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def steps(readme: str, section: str) -> list[str]:
    """The steps of a section, in their order."""
    text = (ROOT / readme).read_text()
    return [dedent(found) for found in _BLOCK.findall(text.split(f"## {section}\n")[1].split("\n## ")[0])]


def copy_repository(tree: Path) -> None:
    """What runs and what tests it."""
    for part in _PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / part)


def follow(step: str, tree: Path) -> str:
    """Carry one step out; the file it made or changed."""
    head, _, body = step.partition("\n")
    kind, source, path = re.fullmatch(r"# (new|in|copy): (?:(\S+) as )?(\S+)", head).groups()  # type: ignore[union-attr]
    file = tree / path
    if kind == "copy":
        file.write_text(_changed((tree / source).read_text(), body))
        return str(path)
    if kind == "new":
        file.parent.mkdir(exist_ok=True)
        file.write_text(body)
        return str(path)
    lines = body.rstrip("\n").split("\n")
    places = [place for place, line in enumerate(lines) if not line.startswith("+")]
    for first, after in pairwise([*places, len(lines)]):
        anchor = lines[first].removeprefix(" ") + "\n"
        added = "".join(line.removeprefix("+") + "\n" for line in lines[first + 1 : after])
        text = file.read_text()
        assert text.count("\n" + anchor) == 1, f"{path} has no such line, or more than one: {anchor!r}"
        file.write_text(text.replace("\n" + anchor, "\n" + anchor + added))
    return str(path)


def _changed(text: str, changes: str) -> str:
    """`text` with each block of removed lines replaced by the added lines below it."""
    lines = text.split("\n")
    at: int | None = None
    for change in changes.rstrip("\n").split("\n"):
        sign, line = change[0], change[1:]
        if sign == "-":
            begins = line.removesuffix("…")
            (at,) = [
                place for place, one in enumerate(lines) if one == line or (begins != line and one.startswith(begins))
            ]
            del lines[at]
            continue
        assert sign == "+"
        assert at is not None, f"no line was removed where {line!r} is to stand"
        lines.insert(at, line)
        at += 1
    return "\n".join(lines)
