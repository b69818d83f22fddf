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


def hand_made_pauses(source: Source) -> Iterator[str]:
    """Pauses that a loop lets grow by itself: what it sleeps is multiplied, or raised to a power, where it sleeps."""
    for function in ast.walk(source.tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        sleeps = [
            node
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("sleep") and node.args
        ]
        slept = {one.id for call in sleeps for one in ast.walk(call) if isinstance(one, ast.Name)}
        for call in sleeps:
            if any(isinstance(one, ast.Pow) for one in ast.walk(call)):
                yield source.at(call, ast.unparse(call)[:80])
        for node in ast.walk(function):
            if isinstance(node, ast.Assign | ast.AugAssign):
                target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
                grown = ast.unparse(node.value) if isinstance(node, ast.Assign) else f"{target} *"
                multiplied = any(isinstance(one, ast.Mult | ast.Pow) for one in ast.walk(node))
                if target in slept and multiplied and re.search(rf"\b{target}\b|\*\*", grown):
                    yield source.at(node, ast.unparse(node)[:80])


def test_no_pause_grows_by_hand() -> None:
    keep(
        "What is tried again is tried by residency/retry.py, and its pauses are Backoff's.",
        why="a pause without jitter has all of a cell ask again at once, and one without a bound keeps a payment waiting.",
        mend="retried(work, Backoff(first_s, last_s)); for a queue or a supervisor Backoff.pause_s(attempt).",
        breaches=[
            breach
            for source in sources(*HOUSE)
            if source.path != "residency/retry.py"
            for breach in (
                *hand_made_pauses(source),
                *(
                    source.at(node, ast.unparse(node))
                    for node in ast.walk(source.tree)
                    if isinstance(node, ast.Import | ast.ImportFrom) and "tenacity" in ast.unparse(node)
                ),
            )
        ],
    )


@pytest.mark.parametrize(
    "text",
    [
        "async def f():\n    while True:\n        await asyncio.sleep(pause_s)\n        pause_s = min(pause_s * 2, 5)\n",
        "async def f():\n    while True:\n        await asyncio.sleep(pause_s)\n        pause_s *= 1.6\n",
        "async def f():\n    for n in range(9):\n        await asyncio.sleep(0.1 * 2**n)\n",
        "def f():\n    for n in range(9):\n        pause_s = first_s * 2.0 ** n\n        time.sleep(pause_s)\n",
        "async def f():\n    await sleep_unless(stop, 2 ** failures)\n    await anyio.sleep(2 ** failures)\n",
    ],
)
def test_a_pause_that_grows_by_hand_is_seen(text: str) -> None:
    assert list(hand_made_pauses(Source("actors/x.py", text)))


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
