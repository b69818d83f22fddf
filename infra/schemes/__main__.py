"""`python -m infra.schemes --cell eu-1`: serve the simulated schemes of one cell's region until stopped."""

import argparse
import os
from pathlib import Path

import uvicorn

from infra.schemes.app import create_app
from infra.schemes.config import count_file, read_config
from residency import log

# Longer than any participant keeps an idle connection open, so that it is the participant who closes it.
_KEEP_ALIVE_S = 75


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--cell", required=True)
    cell = arguments.parse_args().cell
    log.configure("schemes", cell)
    home = Path(os.environ.get("KOVRA_HOME", ".kovra")).resolve()
    with log.refusing_to_start():
        config = read_config(home, cell)
    uvicorn.run(
        create_app(cell, config, count_file(home, cell)),
        host=config.listen.host,
        port=config.listen.port,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
