"""Every process of the house sets its log up in one way, and no server inside it brings another."""

import ast
from collections.abc import Iterator

from tests.architecture.tree import HOUSE, Source, keep, sources

# Programs that a person runs and reads: what they print is their answer.
_FOR_PEOPLE = {
    "cells/audit/__main__.py": "the check of an exported trail",
    "cells/ledger/drawing.py": "draws the table of a README",
    "cells/payments/drawing.py": "draws the machine of a README",
    "infra/local/keeper.py": "execs another program, and imports nothing",
    "router/cli/main.py": "the command line",
    "router/cli/deeds.py": "writes a table of the README",
}


def _is_program(source: Source) -> bool:
    return any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in source.tree.body)


def _calls(source: Source, *names: str) -> list[ast.Call]:
    return [
        node for node in ast.walk(source.tree) if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(names)
    ]


def unlogged(found: list[Source]) -> Iterator[str]:
    for source in found:
        if _is_program(source) and source.path not in _FOR_PEOPLE and not _calls(source, "log.configure"):
            yield f"{source.path}  is a process, and its log is Python's own"
        for call in _calls(source, "uvicorn.Config", "uvicorn.run"):
            given = {one.arg: ast.unparse(one.value) for one in call.keywords}
            if given.get("log_config") != "None":
                yield source.at(call, "uvicorn brings a log set-up of its own")
        for call in _calls(source, "logging.basicConfig", "dictConfig", "fileConfig"):
            yield source.at(call, "another log set-up")


def test_every_process_has_the_one_log_set_up() -> None:
    keep(
        "Every process calls residency.log.configure first, and no library sets up another log in it.",
        why="Python's own prints what an exception says, and what a library puts into its texts: names and account numbers.",
        mend="call log.configure in main(), give uvicorn log_config=None; or name a program for people in _FOR_PEOPLE of this file.",
        breaches=unlogged(sources(*HOUSE)),
    )
    assert {one.path for one in sources(*HOUSE) if _is_program(one)} >= set(_FOR_PEOPLE), (
        "take what is gone out of _FOR_PEOPLE"
    )


def test_a_process_with_a_log_of_its_own_is_seen() -> None:
    program = Source("x.py", "import uvicorn\nuvicorn.run(app)\nif __name__ == '__main__':\n    main()\n")
    assert len(list(unlogged([program]))) == 2
