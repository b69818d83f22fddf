"""The background supervisor: `python -m infra.local HOME`. People use `kovra up --detach`."""

import argparse
import asyncio
import sys
from datetime import UTC, datetime

from infra.local.errors import LocalError
from infra.local.record import StackStatus
from infra.local.stack import Stack
from infra.local.supervisor import Event
from residency import log


def _say(event: Event) -> None:
    seconds = f" in {event.seconds:.1f} s" if event.seconds else ""
    detail = f": {event.detail}" if event.detail else ""
    print(f"{datetime.now(UTC).isoformat(timespec='seconds')} {event.part} {event.state}{seconds}{detail}", flush=True)


def _ready(status: StackStatus) -> None:
    print(
        f"{datetime.now(UTC).isoformat(timespec='seconds')} all {len(status.parts)} parts are ready; the router is {status.router_url}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home")
    parser.add_argument("--servers-only", action="store_true", help="without our own processes")
    parser.add_argument(
        "--webhook-port", type=int, action="append", default=[], help="of this machine, that sandboxes send to"
    )
    arguments = parser.parse_args()
    log.configure("supervisor")
    try:
        stack = Stack(arguments.home, servers_only=arguments.servers_only, webhook_ports=arguments.webhook_port)
        asyncio.run(stack.run(_say, _ready))
    except LocalError as error:
        print(f"{error.title}: {error.detail}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
