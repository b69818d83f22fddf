"""Every kind of problem that a route declares has its page, and every page a kind that can be met."""

import importlib
import pkgutil
from collections.abc import Iterator

import router.edge
from residency.errors import KovraError
from router.api.app import create_app
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
