"""How long a file and a function may be."""

from collections.abc import Iterator

from tests.architecture.tree import HOUSE, Source, keep, sources

LINES_OF_A_FILE_MAX = 300
LINES_OF_A_FUNCTION_MAX = 70


def long_functions(source: Source) -> Iterator[str]:
    for function in source.functions():
        assert function.end_lineno is not None
        lines = function.end_lineno - function.lineno + 1
        if lines > LINES_OF_A_FUNCTION_MAX:
            yield source.at(function, f"{function.name} has {lines} lines")


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
