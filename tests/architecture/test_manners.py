"""Small manners that keep the tree honest: no waiting by the clock, nothing left for later, a page for every room."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.tree import HOUSE, ROOT, Function, Source, keep, sources

_LATER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|HA" + r"CK)\b")
_ROOMS = (*HOUSE, "tests")


def sleeps(source: Source) -> Iterator[str]:
    """A sleep for a time, unless it is the pause of a loop that asks for a condition, in a helper (no test, no fixture)."""
    for function in source.functions():
        loops = [node for node in ast.walk(function) if isinstance(node, ast.While | ast.For)]
        paused = {id(call) for loop in loops for call in _sleep_calls(loop)}
        helper = not function.name.startswith("test_")
        yield from (
            source.at(call, ast.unparse(call)) for call in _sleep_calls(function) if not (helper and id(call) in paused)
        )


def _sleep_calls(within: Function | ast.While | ast.For) -> Iterator[ast.Call]:
    for node in ast.walk(within):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        yields_only = bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
        if called in ("asyncio.sleep", "time.sleep", "sleep") and not yields_only:
            yield node


def test_tests_wait_for_conditions_and_never_for_the_clock() -> None:
    keep(
        "A test never sleeps for a time.",
        why="on a busy machine the time is too short and the test fails for nothing; on a quiet one it is too long, every day.",
        mend="await the condition with tests.support.waiting.until, or an asyncio.Event that the other side sets.",
        # A measurement goes by the clock, and is no test.
        breaches=[
            breach
            for source in sources("tests")
            if not source.path.startswith("tests/bench/")
            for breach in sleeps(source)
        ],
    )


def test_nothing_is_left_for_later() -> None:
    files = [
        path for room in _ROOMS for suffix in ("py", "sql", "toml", "md") for path in (ROOT / room).rglob(f"*.{suffix}")
    ]
    keep(
        "No note says that something is still to be done.",
        why="such notes outlive their authors' intentions; nobody is asked to read them, and everybody learns to look past them.",
        mend="do it, or write it where work is planned and take the note out.",
        breaches=[
            f"{path.relative_to(ROOT)}:{number}  {line.strip()[:80]}"
            for path in files
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if _LATER.search(line)
        ],
    )


def test_every_top_folder_has_its_page() -> None:
    keep(
        "Every top folder has a README.md of one page, with its decisions.",
        why="there is no other documentation: the README is the map, and says what holds always, what was chosen and what else was weighed.",
        mend="write it: what the room is, its invariants, its decisions with the alternatives.",
        breaches=[
            f"{room}/README.md  {'says nothing of decisions' if (ROOT / room / 'README.md').exists() else 'is missing'}"
            for room in _ROOMS
            if not (ROOT / room / "README.md").exists()
            or "decision" not in (ROOT / room / "README.md").read_text().lower()
        ],
    )


def bare_tasks(source: Source) -> Iterator[str]:
    """Tasks started by hand. Those of an asyncio.TaskGroup are watched by it."""
    groups = {
        item.optional_vars.id
        for node in ast.walk(source.tree)
        if isinstance(node, ast.AsyncWith)
        for item in node.items
        if ast.unparse(item.context_expr).endswith("TaskGroup()") and isinstance(item.optional_vars, ast.Name)
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            owner, _, called = ast.unparse(node.func).rpartition(".")
            if called in ("create_task", "ensure_future") and owner not in groups:
                yield source.at(node, ast.unparse(node)[:80])


def test_no_task_is_started_by_hand() -> None:
    keep(
        "Tasks are started by residency/tasks.py alone.",
        why="a task that dies otherwise tells nobody, and one that nobody holds may be collected while it runs.",
        mend="tasks.start for what nobody reads, tasks.keep for a loop that shall never end, tasks.asked where its result is read.",
        breaches=[
            breach for source in sources(*HOUSE) if source.path != "residency/tasks.py" for breach in bare_tasks(source)
        ],
    )


@pytest.mark.parametrize(
    "text",
    [
        "asyncio.create_task(x())",
        "create_task(x())",
        "asyncio.get_running_loop().create_task(x())",
        "asyncio.ensure_future(x)",
    ],
)
def test_a_bare_task_is_seen(text: str) -> None:
    assert list(bare_tasks(Source("actors/x.py", text)))


@pytest.mark.parametrize(
    "text",
    [
        "async def test_x() -> None:\n    await asyncio.sleep(1)\n",
        "async def test_x() -> None:\n    while True:\n        await asyncio.sleep(0.1)\n",
        "def help_it() -> None:\n    time.sleep(2)\n",
    ],
)
def test_a_sleep_is_seen(text: str) -> None:
    assert list(sleeps(Source("tests/x.py", text)))


def test_a_waiting_helper_may_pause() -> None:
    assert not list(
        sleeps(
            Source("tests/x.py", "async def until() -> None:\n    while not x():\n        await asyncio.sleep(0.01)\n")
        )
    )


def csv_writers(source: Source) -> Iterator[str]:
    """Calls that write CSV with the library itself."""
    yield from (
        source.at(node, ast.unparse(node.func))
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("csv.writer", "csv.DictWriter")
    )


def test_csv_is_written_in_one_place() -> None:
    found = {breach: source.path for room in HOUSE for source in sources(room) for breach in csv_writers(source)}
    assert "cells/kit/csv_text.py" in found.values(), "the search sees what it looks for"
    keep(
        "CSV is written by cells.kit.csv_text alone.",
        why="a text that begins with = or + is a formula to the spreadsheet that opens the file; only there is it made harmless.",
        mend="use write_rows.",
        breaches=[breach for breach, path in found.items() if path != "cells/kit/csv_text.py"],
    )
