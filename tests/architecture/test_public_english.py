"""What strangers read (OpenAPI, problem pages, command help, the pages) uses the field's terms, one term for one idea."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from router.api.app import create_app
from router.api.documents import AUDIENCES, document
from router.api.registry import registry
from router.cli.main import COMMANDS, whole
from tests.architecture.tree import ROOT, keep
from tests.support.border import make_world

_PAGES = (
    "README.md", "router/README.md", "router/PARTNERS.md", "router/ACCESS.md", "router/WEBHOOKS.md", "cells/README.md",
    "residency/README.md", "infra/README.md", "migrations/README.md",
)  # fmt: skip
# What is not written, and the term that is. `under way` and `on its way` are plain English and stay.
_TERMS = {
    r"told|tells?|telling|said|heard|hears?|hearing": "report, answer, notify, event, apply: the one that is meant",
    r"sagas?": "handler",
    r"he|him|his|she": "it, or the noun",
    r"wish(?:es)?": "request",
    r"words?|(?<!under )(?<!on its )(?<!on their )ways?": "answer, text, reason; form, method, credential type",
    r"kept": "stored, held",
    r"rooms?|desks?|errands?|beside": "component, folder; next to, as well as",
    r"keepers?": "retention worker, parent process",
    r"collections?": "credit (in ISO 20022 a collection is a direct debit)",
    r"give[ _-]back|gave back": "release, return",
    r"los(?:e|ing|t)": "write off, missing, not received",
    r"Raises [A-Z]\w+": "nothing: which class is raised is for readers of the code",
}
_ANY = re.compile("|".join(rf"(?P<t{number}>\b(?:{one})\b)" for number, one in enumerate(_TERMS)), re.IGNORECASE)
_CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`|\]\([^)]*\)|<!--.*?-->", re.DOTALL | re.MULTILINE)


def faults(where: str, text: str) -> Iterator[str]:
    """Each term that is not to be written in `text`, with what is written instead. Code and addresses do not count."""
    for line in _CODE.sub(" ", text).splitlines():
        for found in _ANY.finditer(line):
            terms = list(_TERMS.values())[int((found.lastgroup or "t0")[1:])]
            yield f"{where}  {found[0]!r} in {line.strip()[:120]!r}: write {terms}"


def of_the_api() -> Iterator[tuple[str, str]]:
    world = make_world()
    app = create_app(world.spec("eu-1"))
    for audience in AUDIENCES:
        yield from _texts(audience.title, document(app, audience, sorted(world.directory.regions)))


def _texts(where: str, part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, Mapping):
        for name, inner in part.items():
            if name in ("summary", "description") and isinstance(inner, str):
                yield where, inner
            elif name not in ("example", "examples", "default", "enum", "const"):
                yield from _texts(f"{where} {name}", inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _texts(where, inner)


def of_the_problems() -> Iterator[tuple[str, str]]:
    pages = tomllib.loads((ROOT / "router" / "api" / "problems.toml").read_text())
    for code, page in pages.items():
        yield from ((f"problem {code}", page[part]) for part in ("meaning", "remedy", "title") if part in page)
    yield from ((f"problem {code}", kind.title) for code, kind in registry().items())


def of_the_commands() -> Iterator[tuple[str, str]]:
    def below(name: str, command: Any) -> Iterator[tuple[str, str]]:
        yield f"kovra {name}", command.help or ""
        yield from ((f"kovra {name} {one.name}", getattr(one, "help", None) or "") for one in command.params)
        for verb, one in getattr(command, "commands", {}).items():
            yield from below(f"{name} {verb}", one)

    return (text for name in COMMANDS for text in below(name, whole(name)))


def of_the_pages() -> Iterator[tuple[str, str]]:
    return ((page, (ROOT / page).read_text()) for page in _PAGES)


@pytest.mark.parametrize("source", [of_the_api, of_the_problems, of_the_commands, of_the_pages])
def test_public_text_uses_the_terms_of_the_field(source: Any) -> None:
    texts = dict.fromkeys(source())
    assert len(texts) >= len(_PAGES)
    keep(
        "Public text is written in the terms of the field, one for each idea.",
        why="`told` stood for six things, and a partner, an operator or a regulator who reads one page cannot know which is meant",
        mend="use the term that the line names; what is code goes between backticks.",
        breaches=[fault for where, text in texts for fault in faults(where, text)],
    )


def test_a_term_is_seen_in_prose_and_not_in_code() -> None:
    assert [one.split("'")[1] for one in faults("here", "The cell is told. It is under way; `told` is code, a way out is not.")] == [
        "told", "way",
    ]  # fmt: skip
