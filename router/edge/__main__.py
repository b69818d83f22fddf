"""`python -m router.edge --port 7400 --operator-port 7401`: the global router, over the directory and settings in KOVRA_HOME."""

import argparse
import os
from pathlib import Path

from residency import log
from residency.directory import load_directory
from router.edge.app import Edge
from router.edge.settings import load_secrets
from router.serving import Bounds, Listener, by_port, serve

_CONNECTIONS_PER_ADDRESS_MAX = 1_024


def main() -> None:
    parser = argparse.ArgumentParser(description="Carry each request to the cell it belongs to.")
    parser.add_argument("--host", default="127.0.0.1", help="where partners call (default 127.0.0.1)")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--operator-host", default="127.0.0.1", help="where /healthz and /metrics are (default 127.0.0.1)"
    )
    parser.add_argument("--operator-port", type=int, required=True)
    parser.add_argument(
        "--connections-per-address", type=int, default=_CONNECTIONS_PER_ADDRESS_MAX,
        help=f"how many one address may have open (default {_CONNECTIONS_PER_ADDRESS_MAX}); behind a balancer that is one address, all",
    )  # fmt: skip
    arguments = parser.parse_args()
    log.configure("router")
    home = Path(os.environ.get("KOVRA_HOME", ".kovra")).resolve()
    with log.refusing_to_start():
        directory = load_directory(home)
        edge = Edge(directory, load_secrets(home, directory))
    partners, operator = (
        Listener(arguments.host, arguments.port),
        Listener(arguments.operator_host, arguments.operator_port),
    )
    serve(
        by_port({partners.port: edge, operator.port: edge.operator}, edge),
        [partners, operator],
        Bounds(connections_per_address_max=arguments.connections_per_address),
    )


if __name__ == "__main__":
    main()
