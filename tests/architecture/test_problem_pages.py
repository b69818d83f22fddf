"""Every kind of problem that a route declares has its page, and every page a kind that can be met."""

import ast
import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import router.edge
from residency.errors import KovraError
from router.api.app import create_app
from router.api.problems import Problems
from router.api.registry import kinds, registry, written
from tests.architecture.tree import keep
from tests.support.border import make_world
from tests.support.documented import documented
from tests.support.whole_document import whole_document

# What the framework answers where there is no route, or not by that method: no operation can declare it.
_NO_ROUTE = {"not-found", "method-not-allowed"}


def of_the_router() -> dict[str, type[KovraError]]:
    for found in pkgutil.walk_packages(router.edge.__path__, "router.edge."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    return {
        code: kind
        for code, kind in kinds().items()
        # What keeps the router from starting is met by nobody who asks it for something.
        if kind.__module__.startswith(("router.edge.", "router.serving")) and kind.status != KovraError.status
    }


def declared() -> set[str]:
    document = whole_document(create_app(make_world().spec("eu-1")))
    return {code for codes in documented(document).values() for code in codes}


def test_pages_and_problems_are_one_list() -> None:
    met, pages = declared() | set(of_the_router()) | _NO_ROUTE, set(written())
    keep(
        "Every kind of problem that a route declares, or the router answers with, is written down in router/api/problems.toml.",
        why="its `type` is the address of that page: a partner who meets the problem is sent there, to learn what to do.",
        mend="add an entry with its meaning and remedy there, or take out what nothing answers with any more.",
        breaches=[f"{code}  has no entry" for code in met - pages]
        + [f"{code}  nothing answers with it" for code in pages - met],
    )


def test_an_entry_says_what_it_means_and_what_to_do() -> None:
    for code, kind in registry().items():
        assert kind.meaning.endswith(".") and kind.remedy.endswith("."), code  # noqa: PT018
        assert kind.type == f"/problems/{code}" == kind.example["type"]


def test_the_router_s_own_kinds_are_told_as_they_are() -> None:
    for code, kind in of_the_router().items():
        told = registry()[code]
        assert (told.title, told.status, told.retryable) == (kind.title, kind.status, kind.retryable), code


def classes(kind: type[KovraError] = KovraError) -> Iterator[type[KovraError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from classes(one)


def test_two_classes_of_one_code_say_the_same() -> None:
    """The page of a code speaks for all its classes; one below another may word its title more closely."""
    of_the_router()
    said: dict[str, tuple[str, int, bool]] = {}
    for kind in classes():
        if kind.__module__.startswith("tests.") or kind.status == KovraError.status:
            continue
        above = kind.__mro__[1]
        title = above.title if getattr(above, "code", "") == kind.code else kind.title
        told = (title, kind.status, kind.retryable)
        assert said.setdefault(kind.code, told) == told, f"{kind.__module__}.{kind.__name__}"


def test_no_detail_is_the_title_again() -> None:
    """Whatever raised it: a failure without words of its own is answered with what to do."""
    for code, kind in kinds().items():
        if code not in written():
            continue
        body = _answered(kind)
        assert body["detail"] != body["title"], code
        assert registry()[code].example["detail"] == registry()[code].remedy


def _answered(kind: type[KovraError]) -> dict[str, str]:
    error = kind.__new__(kind)
    KovraError.__init__(error)
    found: dict[str, str] = json.loads(bytes(Problems().of_error(error, "req_x").body))
    return found


def test_the_router_raises_nothing_without_words() -> None:
    """It does not read problems.toml, so each of its failures says at its place what to do."""
    of_the_router()
    names = {one.__name__ for one in classes()}
    silent = []
    for path in [*Path("router/edge").glob("*.py"), Path("router/serving.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
            bare = isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) and node.exc.id in names
            if bare or (made and not node.args):
                silent.append(f"{path}:{node.lineno}")
    assert silent == []
