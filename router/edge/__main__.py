"""`python -m router.edge --host 127.0.0.1 --port 7400`: the global router, over the directory in KOVRA_HOME."""

import argparse
import os
from pathlib import Path

import uvicorn

from residency.directory import load_directory
from router.edge.app import Edge


def main() -> None:
    parser = argparse.ArgumentParser(description="Carry each request to the cell it belongs to.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    directory = load_directory(Path(os.environ.get("KOVRA_HOME", ".kovra")).resolve())
    uvicorn.run(
        Edge(directory),
        host=arguments.host,
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        # What a proxy in front claims about the caller is passed on in Forwarded, not believed.
        proxy_headers=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
