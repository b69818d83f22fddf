"""The block of loopback ports that one home uses: chosen once, remembered, and a clash named.

Invariant: a part keeps its port for the life of the home, so that addresses shown to people stay true. The block
is the first free one from 7400 on (7400, 7500, …), or the one that KOVRA_PORT_BASE asks for.
"""

import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import psutil

from infra.local.errors import LocalError
from infra.local.home import Home, write_file

_FIRST_BASE = 7400
_BLOCK = 100
_LAST_BASE = 32_000
"""Beyond, the kernel hands ports out to outgoing connections, and they come and go."""


class PortTaken(LocalError):
    """A port of this home is in use by somebody else."""

    code = "port-taken"
    title = "A port that this stack needs is taken"


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now (connections in TIME_WAIT do not count)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """Who listens on `port`, for an error message: a pid with its command, as far as we may see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            # The address of a connection that is just ending is an empty tuple, without a port.
            ours = connection.status == psutil.CONN_LISTEN and getattr(connection.laddr, "port", None) == port
            if ours and connection.pid:
                return f"process {connection.pid} ({' '.join(psutil.Process(connection.pid).cmdline())[:80]})"
    except psutil.Error:
        pass
    return "another process"


class Ports:
    """Ports by part key (`eu-1/postgres`)."""

    def __init__(self, base: int, offsets: dict[str, int]) -> None:
        self.base = base
        self._offsets = offsets

    def __getitem__(self, key: str) -> int:
        return self.base + self._offsets[key]

    def items(self) -> list[tuple[str, int]]:
        return [(key, self.base + offset) for key, offset in self._offsets.items()]

    def check_free(self) -> None:
        """Raises PortTaken, naming the port, the part that needs it, who has it, and the way out."""
        for key, port in self.items():
            if not is_free(port):
                raise PortTaken(
                    f"port {port}, which {key} needs, is taken by {holder_of(port)}. End that process, or choose "
                    f"another block with KOVRA_PORT_BASE (for instance KOVRA_PORT_BASE={self.base + 10 * _BLOCK})"
                )


def _file(home: Home) -> Path:
    return home.root / "ports.json"


def remembered(home: Home) -> Ports | None:
    """The ports of this home, None before its first start."""
    if not _file(home).exists():
        return None
    data = json.loads(_file(home).read_text())
    return Ports(data["base"], data["offsets"])


def allocate(home: Home, keys: Sequence[str]) -> Ports:
    """The ports of this home, chosen now if need be; a key that is new to it gets the next offset.

    Raises PortTaken when the block asked for is not free, LocalError when none is.
    """
    known = remembered(home)
    offsets = dict(known._offsets) if known else {}
    for key in keys:
        offsets.setdefault(key, len(offsets))
    asked = os.environ.get("KOVRA_PORT_BASE")
    if asked is not None:
        if not asked.isdigit() or not 1024 <= int(asked) <= 65535 - len(offsets):
            raise LocalError(f"KOVRA_PORT_BASE is {asked!r}, which is no port number to start a block at")
        base = int(asked)
    elif known is not None:
        base = known.base
    else:
        base = _first_free_block(len(offsets))
    ports = Ports(base, offsets)
    ports.check_free()
    write_file(_file(home), json.dumps({"base": base, "offsets": offsets}, indent=2))
    return ports


def _first_free_block(size: int) -> int:
    for base in range(_FIRST_BASE, _LAST_BASE - size, _BLOCK):
        if all(is_free(base + offset) for offset in range(size)):
            return base
    raise LocalError(f"no block of {size} free ports between {_FIRST_BASE} and {_LAST_BASE}; set KOVRA_PORT_BASE")
