"""`python -m router.api --cell eu-1`: one cell's API on the addresses that its settings name, until SIGTERM or SIGINT."""

import argparse
import os

from cells.spec import load_spec
from residency import log
from router.api.app import create_app
from router.api.listeners import faces
from router.api.parts import WORKERS_VARIABLE
from router.serving import App, Bounds, Listener, serve

_CELL_VARIABLE = "KOVRA_CELL"


def application() -> App:
    """The application of the cell that the environment names: what each worker process builds."""
    log.configure("api", os.environ[_CELL_VARIABLE])
    with log.refusing_to_start():
        spec = load_spec(os.environ[_CELL_VARIABLE])
    return faces(create_app(spec), spec.settings)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the API of one cell.")
    parser.add_argument("--cell", required=True, help="the cell's name, such as eu-1")
    parser.add_argument("--workers", type=int, default=1, help="how many processes serve (default 1)")
    arguments = parser.parse_args()
    os.environ[_CELL_VARIABLE] = arguments.cell
    os.environ[WORKERS_VARIABLE] = str(arguments.workers)
    log.configure("api", arguments.cell)
    with log.refusing_to_start():
        settings = load_spec(arguments.cell).settings
    listeners = [Listener(one.host, one.port) for one in (settings.api, settings.operator, settings.inbound)]
    serve("router.api.__main__:application", listeners, Bounds(), workers=arguments.workers)


if __name__ == "__main__":
    main()
