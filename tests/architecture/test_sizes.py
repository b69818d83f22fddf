"""How long a file and a function may be."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import HOUSE, ROOT, Source, keep, sources

LINES_OF_A_FILE_MAX = 300
LINES_OF_A_FUNCTION_MAX = 70
LINES_OF_THE_README_MAX = 120


def long_functions(source: Source) -> Iterator[str]:
    for function in source.functions():
        assert function.end_lineno is not None
        lines = function.end_lineno - function.lineno + 1
        if lines > LINES_OF_A_FUNCTION_MAX:
            yield source.at(function, f"{function.name} has {lines} lines")


def dead_links(page: Path) -> Iterator[str]:
    """Relative links of a page without their file or heading. Headings are named as GitHub names them."""
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            yield link


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    named = re.findall(r'<a (?:id|name)="([^"]+)"', text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings} | set(named)


def test_no_file_is_longer_than_one_idea() -> None:
    keep(
        f"A file has at most {LINES_OF_A_FILE_MAX} lines.",
        why="one file is one idea that a person can hold whole; files that grow past it are where services become gods.",
        mend="find the second idea in the file and give it a file (and a name) of its own. There is no list of exceptions.",
        breaches=[
            f"{source.path}  {source.lines} lines"
            for source in sources(*HOUSE, "tests")
            if source.lines > LINES_OF_A_FILE_MAX
        ],
    )


def test_no_function_is_longer_than_a_screen() -> None:
    keep(
        f"A function has at most {LINES_OF_A_FUNCTION_MAX} lines.",
        why="a function that does not fit on a screen is not read whole by who changes it, and money code must be.",
        mend="name its steps, and make each a function.",
        breaches=[breach for source in sources(*HOUSE, "tests") for breach in long_functions(source)],
    )


def test_the_rule_sees_a_long_function() -> None:
    body = "\n".join(["def long() -> None:", *("    pass",) * LINES_OF_A_FUNCTION_MAX])
    assert list(long_functions(Source("x.py", body)))
    assert not list(long_functions(Source("x.py", body.rpartition("\n")[0])))


def test_the_root_readme_is_a_quick_start_and_a_map() -> None:
    lines = len((ROOT / "README.md").read_text().splitlines())
    keep(
        f"The root README has at most {LINES_OF_THE_README_MAX} lines.",
        why="a stranger reads it first: it is a quick start and a map, and a reference in it hides both.",
        mend="move the reference to the page of the folder that it speaks of, and link it.",
        breaches=[f"README.md  {lines} lines"] if lines > LINES_OF_THE_README_MAX else [],
    )


def test_the_links_of_the_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(page for room in HOUSE for page in (ROOT / room).rglob("*.md"))]
    keep(
        "Every relative link of a page leads to a file and, where it names one, to a heading.",
        why="the root README is a map: what it links to moves, and a dead link is found by a stranger.",
        mend="correct the link, or the heading that it names.",
        breaches=[f"{page.relative_to(ROOT)}  {link}" for page in pages for link in dead_links(page)],
    )
