"""`python -m router.api --cell eu-1`: one cell's API on the address that its settings name, until SIGTERM or SIGINT."""

import argparse
import logging
import os

import structlog
import uvicorn
from fastapi import FastAPI

from cells.spec import load_spec
from router.api.app import create_app
from router.api.parts import WORKERS_VARIABLE

_CELL_VARIABLE = "KOVRA_CELL"
_GRACE_S = 10


def application() -> FastAPI:
    """The application of the cell that the environment names: what each worker process builds."""
    _log_plainly()
    return create_app(load_spec(os.environ[_CELL_VARIABLE]))


def _log_plainly() -> None:
    """JSON lines, and no request in them: paths and bodies may name people, and what must be known is on the audit trail."""
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
        foreign_pre_chain=[
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the API of one cell.")
    parser.add_argument("--cell", required=True, help="the cell's name, such as eu-1")
    parser.add_argument("--workers", type=int, default=1, help="how many processes serve (default 1)")
    arguments = parser.parse_args()
    os.environ[_CELL_VARIABLE] = arguments.cell
    os.environ[WORKERS_VARIABLE] = str(arguments.workers)
    listen = load_spec(arguments.cell).settings.api
    uvicorn.run(
        "router.api.__main__:application",
        factory=True,
        host=listen.host,
        port=listen.port,
        workers=arguments.workers,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


if __name__ == "__main__":
    main()
