"""Our own processes as parts: a cell's API and host, its scheme simulator, the router.

Each is `python -m <module>` with KOVRA_HOME in its environment, and says by GET /healthz, on its port or its operator's, when it
serves.
"""

import signal
import sys
from functools import partial
from pathlib import Path

from infra.local.child import clean_environment, kovra_environment
from infra.local.home import SHARED, Home
from infra.local.part import Part
from infra.local.probes import answers_http
from infra.local.ray import REPOSITORY, client_environment, kept

API_MODULE = "router.api"
HOST_MODULE = "actors.host"
EDGE_MODULE = "router.edge"
SCHEMES_MODULE = "infra.schemes"


def _python(
    home: Home,
    cell: str,
    name: str,
    port: int,
    *command: str,
    health_port: int | None = None,
    needs: tuple[str, ...] = (),
    token: Path | None = None,
) -> Part:
    environment = clean_environment(**kovra_environment(), PYTHONUNBUFFERED="1", PYTHONPATH=str(REPOSITORY))
    environment["KOVRA_HOME"] = str(home.root)
    if token is not None:
        environment |= client_environment(token)
    return Part(
        cell=cell,
        name=name,
        # Kept: an API has worker processes, which must not outlive it.
        command=kept(sys.executable, "-m", *command),
        environment=environment,
        healthy=partial(answers_http, health_port or port),
        needs=needs,
        port=port,
        cwd=REPOSITORY,
        death_signal=signal.SIGTERM,
    )


def cell_parts(home: Home, cell: str, ports: dict[str, int], servers: tuple[str, ...], token: Path) -> list[Part]:
    """One cell's host (actors and workers), API and scheme simulator. `ports` by part name; `servers` are part keys."""
    return [
        _python(home, cell, "schemes", ports["schemes"], SCHEMES_MODULE, "--cell", cell),
        _python(home, cell, "host", ports["host"], HOST_MODULE, "--cell", cell, needs=servers, token=token),
        _python(
            home,
            cell,
            "api",
            ports["api"],
            API_MODULE,
            "--cell",
            cell,
            health_port=ports["operator"],
            needs=servers,
            token=token,
        ),
    ]


def router_part(home: Home, port: int, operator_port: int) -> Part:
    """The global router. It needs no cell to be up: it answers for those that are."""
    where = ("--port", str(port), "--operator-port", str(operator_port))
    return _python(home, SHARED, "router", port, EDGE_MODULE, *where, health_port=operator_port)
