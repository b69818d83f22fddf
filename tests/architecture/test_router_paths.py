"""What the router carries, held against what a cell answers: every route of a partner's, and none of an operator's or a scheme's."""

import re
from collections.abc import Iterator

from fastapi import FastAPI
from starlette.routing import Route

from router.api.app import create_app
from router.api.listeners import for_operator, for_partners, for_schemes
from router.edge.paths import NOUNS, WORDS, PathUnknown, check_carried, template
from tests.architecture.tree import keep
from tests.support.border import make_world


def carried(path: str) -> bool:
    try:
        check_carried(path)
    except PathUnknown:
        return False
    return True


def paths(app: FastAPI) -> Iterator[str]:
    yield from (route.path for route in app.routes if isinstance(route, Route))


def strayed(app: FastAPI) -> Iterator[str]:
    for path in paths(app):
        faces = [allowed.__name__ for allowed in (for_operator, for_partners, for_schemes) if allowed(path)]
        if len(faces) != 1:
            yield f"{path}  is served by {faces or 'no listener'}"
        elif carried(path) != (faces == ["for_partners"]):
            yield f"{path}  is for {faces[0][4:]}, and the router {'carries' if carried(path) else 'does not carry'} it"


def test_the_router_carries_what_partners_ask_for_and_nothing_else() -> None:
    app = create_app(make_world().spec("eu-1"))
    unused = NOUNS - {path.split("/")[2] for path in paths(app) if path.startswith("/v1/")}
    keep(
        "Each route belongs to one listener, and the router carries those of partners alone.",
        why="the router stands on the open internet: a route of an operator or of a scheme that it carries is guarded by its key alone.",
        mend="name a new noun of the partners' in router/edge/paths.py, or the listener of the others in router/api/listeners.py.",
        breaches=[*strayed(app), *(f"/v1/{noun}  is no route any more" for noun in sorted(unused))],
    )


def test_the_router_logs_the_template_of_every_route_of_partners() -> None:
    app = create_app(make_world().spec("eu-1"))
    shown = {path: re.sub(r"\{[^}]+\}", "{}", path) for path in paths(app) if for_partners(path)}
    words = {one for path in shown.values() for one in path.split("/")}
    keep(
        "Of a path the router logs the words of the route, and nothing that stands in the place of an id.",
        why="what stands there is the caller's text, and could be anything; without the words nobody can tell the routes apart.",
        mend="name the new word in WORDS of router/edge/paths.py.",
        breaches=[
            *(f"{path}  is logged as {template(path)}" for path, wanted in shown.items() if template(path) != wanted),
            *(f"{one}  is in no path any more" for one in sorted(WORDS - words)),
        ],
    )


def test_a_route_that_strays_is_seen() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for path in ("/v1/secrets", "/debug", "/v1/quotes", "/metrics"):
        app.add_api_route(path, lambda: None)
    assert list(strayed(app)) == [
        "/v1/secrets  is for partners, and the router does not carry it",
        "/debug  is for partners, and the router does not carry it",
    ]
