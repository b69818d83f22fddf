"""Each element of a pain.001 is carried or refused by name: the table is held against the schemas of both versions, and the README against it."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pyiso20022.pain.pain_001_001_03 as pain_03
import pyiso20022.pain.pain_001_001_09 as pain_09
import pytest

from cells.rails.iso20022.upload_elements import ELEMENTS, element_at, markdown

README = Path("cells/batches/README.md")
BEGIN, END = "<!-- pain.001: begin -->\n", "<!-- pain.001: end -->"
VERSIONS: dict[str, Any] = {
    "03": pain_03.CustomerCreditTransferInitiationV03,
    "09": pain_09.CustomerCreditTransferInitiationV09,
}


def kind_of(hint: Any) -> Any:
    inner = [one for one in get_args(hint) if one is not type(None)]
    return inner[0] if inner else hint


def walk(kind: Any, path: str = "") -> Iterator[tuple[str, bool]]:
    """Every element and attribute below a typed class, but below what has a row for all of it; and whether it says something itself."""
    hints = get_type_hints(kind)
    for one in fields(kind):
        match one.metadata.get("type"):
            case "Attribute":
                yield f"{path}@{one.metadata['name']}", True
            case "Element":
                at = f"{path}/{one.metadata['name']}".removeprefix("/")
                of = kind_of(hints[one.name])
                holds = is_dataclass(of) and any(each.metadata.get("type") == "Element" for each in fields(of))
                yield at, not holds
                row = element_at(at)
                if is_dataclass(of) and not (row is not None and row.whole):
                    yield from walk(of, at)


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_every_element_of_the_schema_is_carried_or_refused(version: str) -> None:
    unspoken = [
        path
        for path, speaks in walk(VERSIONS[version])
        if ((row := element_at(path)) is None and speaks) or (row is not None and not row.carried and not row.code)
    ]
    assert unspoken == []


def paths() -> dict[str, set[str]]:
    return {version: {path for path, _ in walk(kind)} for version, kind in VERSIONS.items()}


def test_every_row_speaks_of_an_element_that_there_is() -> None:
    known = set().union(*paths().values())
    assert [one.path for one in ELEMENTS if one.path not in known] == []


def test_the_readme_shows_the_table() -> None:
    whole = README.read_text()
    shown = whole[whole.index(BEGIN) + len(BEGIN) : whole.index(END)]
    assert shown == "\n".join(markdown(paths())) + "\n", f"write it anew: python -m {__name__}"


if __name__ == "__main__":
    text = README.read_text()
    table = "\n".join(markdown(paths())) + "\n"
    README.write_text(text[: text.index(BEGIN) + len(BEGIN)] + table + text[text.index(END) :])
