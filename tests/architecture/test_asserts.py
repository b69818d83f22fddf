"""No `assert` guards an answer from outside: what another process, a table, a rail, a partner or a file says."""

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import chain

import pytest

from tests.architecture.tree import HOUSE, Function, Source, keep, sources

# What answers with bytes, text or objects that this process did not make.
_READS = re.compile(
    r"^(a?fetch\w*|recv\w*|loads?|load_\w+|unpickled|unpack|decode|read(_text|_bytes|line|lines)?|model_validate\w*"
    r"|validate_(json|python)|from_(bytes|json|mapping|row)|json|eval|evalsha|getenv)$"
)
# The types of what comes in as an argument, and of a request the parts that its sender fills.
_COMES_IN = frozenset({"Record", "Response", "ClientResponse", "Msg"})
_PARTS = frozenset({"headers", "query_params", "path_params", "cookies"})


def row_types() -> frozenset[str]:
    """The classes that stand for rows: those that the stores define, but for what is yet to be written."""
    return frozenset(
        node.name
        for source in sources(*HOUSE)
        if source.path.rsplit("/", 1)[-1].startswith("store")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith(("_", "New"))
    )


def guarding_asserts(source: Source, rows: frozenset[str] = frozenset()) -> Iterator[str]:
    """Asserts on what a function awaited, read or decoded, or was given as a row or a message."""
    for function in source.functions():
        outside = _from_outside(function, _COMES_IN | rows)
        for node in ast.walk(function):
            if isinstance(node, ast.Assert) and _comes_from_outside(node.test, outside):
                yield source.at(node, ast.unparse(node.test)[:80])


def _from_outside(function: Function, types: frozenset[str]) -> set[str]:
    """The names in a function that stand for something from outside, however often it was passed on."""
    arguments = function.args
    found = {
        one.arg
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        if one.annotation is not None and types & _names(one.annotation)
    }
    bound = list(_bindings(function))
    while True:
        more = {
            name
            for target, value, always in bound
            if always or _comes_from_outside(value, found)
            for name in _targets(target)
        }
        if more <= found:
            return found
        found |= more


def _bindings(function: Function) -> Iterator[tuple[ast.expr, ast.expr, bool]]:
    """(what is bound, to what, whether that is from outside by itself)."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            yield from ((target, node.value, False) for target in node.targets)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            yield node.target, node.value, False
        elif isinstance(node, ast.For | ast.comprehension):
            yield node.target, node.iter, isinstance(node, ast.comprehension) and bool(node.is_async)
        elif isinstance(node, ast.AsyncFor):
            yield node.target, node.iter, True


def _targets(target: ast.expr) -> Sequence[str]:
    """The names that are bound; what is put into a place of an object is not followed."""
    if isinstance(target, ast.Tuple | ast.List):
        return list(chain.from_iterable(_targets(one) for one in target.elts))
    if isinstance(target, ast.Starred):
        return _targets(target.value)
    return [target.id] if isinstance(target, ast.Name) else []


def _comes_from_outside(value: ast.expr, outside: set[str]) -> bool:
    return any(
        isinstance(node, ast.Await)
        or (isinstance(node, ast.Name) and node.id in outside)
        or (isinstance(node, ast.Attribute) and node.attr in _PARTS)
        or (isinstance(node, ast.Call) and _READS.match(_called(node.func)) is not None)
        for node in ast.walk(value)
    )


def _called(function: ast.expr) -> str:
    return ast.unparse(function).rpartition(".")[2]


def _names(annotation: ast.expr) -> set[str]:
    return set(re.findall(r"\w+", ast.unparse(annotation)))


def test_no_assert_guards_an_answer_from_outside() -> None:
    rows = row_types()
    assert {"CollectionRow", "RecallRow"} <= rows, "the search knows what a row is"
    keep(
        "No assert guards what comes from outside this process.",
        why="python -O takes asserts out: what the ledger, Redis, a rail or a table must never say would then pass unseen, with"
        " money behind it. An assert is for what this very code has made so.",
        mend="raise what its callers handle: an error that is in doubt where money may have moved (LedgerUnknown, RailUnavailable,"
        " CacheUnavailable), one that refuses, or UnexpectedAnswer (needed(…)), which stops the one item and is logged.",
        breaches=[breach for source in sources(*HOUSE) for breach in guarding_asserts(source, rows)],
    )


@pytest.mark.parametrize(
    "body",
    [
        "    row = await connection.fetchrow(query)\n    assert row is not None",
        "    rows = await connection.fetch(query)\n    for row in rows:\n        assert row['a']",
        "    opened = [one.name for one in await ledger.create_accounts(asked)]\n    names = set(opened)\n    assert names <= known",
        "    if (found := await fetch_status()) is None:\n        return\n    assert found.ok",
        "    first, *rest = orjson.loads(body)\n    assert isinstance(rest, list)",
        "    assert await redis.ping()",
        "    async for line in file:\n        assert line",
        "    status, body = await send()\n    content = body.strip()\n    assert content",
        "    assert given.amount is not None",
        "    assert all(one for one in json.load(file))",
        "    assert request.headers.get('kovra-region')",
    ],
)
def test_an_assert_on_an_answer_is_seen(body: str) -> None:
    planted = Source("cells/x.py", f"async def planted(given: StoredRow | None) -> None:\n{body}\n")
    assert list(guarding_asserts(planted, frozenset({"StoredRow"})))


@pytest.mark.parametrize(
    "body",
    [
        "    assert limit > 0",
        "    chain = link(limit)\n    assert chain",
        "    row = await connection.fetchrow(query)\n    if row is None:\n        raise Missing\n    assert limit > 0",
    ],
)
def test_an_invariant_of_our_own_may_be_asserted(body: str) -> None:
    assert not list(guarding_asserts(Source("cells/x.py", f"async def planted(limit: int) -> None:\n{body}\n")))
