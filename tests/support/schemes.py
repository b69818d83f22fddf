"""The scheme simulator as tests run it: the real process, on a free port, all rails in one."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path

from cells.rails.connection import SchemeConnection
from cells.rails.profile import RailProfile, Wire
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import Account, Party, Payout
from cells.rails.registry import connection_to
from cells.rails.remittance import Remittance
from residency.ids import mint
from tests.support.servers import free_port, scratch_directory
from tests.support.snap_keys import BANK_PRIVATE_KEY, PUBLIC_KEY, SNAP_ACCESS

CELL = "eu-1"
CREDITORS = {
    "EUR": Account("iban", "DE89370400440532013000", "COBADEFFXXX"),
    "GBP": Account("uk", "31926819", "601613"),
    "IDR": Account("id", "1234567890", "014"),
}
_BY_FORM = {one.form: one for one in CREDITORS.values()}
_START_S = 20.0


@dataclass
class RunningSchemes:
    """A simulator process. `restart()` kills it hard and starts it again on the same count."""

    home: Path
    port: int
    gateway_port: int
    process: subprocess.Popen[bytes]

    def connection(self, rail: str, answer_time_s: float | None = None, wire: Wire = "iso20022") -> SchemeConnection:
        found = connection_to(rail, 1, f"http://127.0.0.1:{self.port}/{rail}", f"secret of {rail}")
        return replace(found, answer_time_s=answer_time_s, snap=SNAP_ACCESS if wire == "snap" else None)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.process = launched(self.home, self.port)


def start_schemes() -> RunningSchemes:
    """Start one, with a gateway port of its own on which a test may listen as the cell."""
    home = scratch_directory()
    port, gateway_port = free_port(), free_port()
    settings = {
        "listen": {"host": "127.0.0.1", "port": port},
        "cell": {"api": f"http://127.0.0.1:{gateway_port}"},
        "rails": {
            rail: {"secret": f"secret of {rail}"} | _snap_of(profile) for rail, profile in rail_profiles().items()
        },
    }
    (home / CELL).mkdir()
    (home / CELL / "schemes.json").write_text(json.dumps(settings))
    return RunningSchemes(home, port, gateway_port, launched(home, port))


def _snap_of(profile: RailProfile) -> dict[str, dict[str, str]]:
    """What the simulator needs to know of us where it is spoken to by SNAP."""
    if "snap" not in profile.wires:
        return {}
    access = SNAP_ACCESS
    known = {"client_key": access.client_key, "partner_id": access.partner_id, "channel_id": access.channel_id}
    return {"snap": known | {"public_key": PUBLIC_KEY, "notice_key": BANK_PRIVATE_KEY}}


def stop_schemes(running: RunningSchemes) -> None:
    running.kill()
    shutil.rmtree(running.home, ignore_errors=True)


def payout(profile: RailProfile, *, name: str = "Budi Santoso", amount_minor: int | None = None) -> Payout:
    """A new payment that the rail can carry."""
    return Payout(
        transfer_id=mint("tr", CELL),
        amount_minor=max(125_000 * profile.payable_unit_minor, 2 * profile.floor_minor)
        if amount_minor is None
        else amount_minor,
        currency=profile.currency,
        debtor=Party(
            "Jürgen Weiß",
            Account("iban", "LT643999001123456789"),
            country="LT",
            town="Vilnius",
            street="Gedimino 1",
        ),
        creditor=Party(name, _BY_FORM[profile.account_form], country="ID", town="Jakarta"),
        remittance=Remittance(text="Invoice 4711"),
    )


def launched(home: Path, port: int) -> subprocess.Popen[bytes]:
    """A simulator of a home that is laid out, once it answers."""
    process = _launch(home)
    _wait(port, process)
    return process


def _launch(home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "infra.schemes", "--cell", CELL]
    return subprocess.Popen(command, env=os.environ | {"KOVRA_HOME": str(home)})


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1):
                return
        except OSError:
            assert process.poll() is None, "the scheme simulator ended while starting"
            assert time.monotonic() < deadline, f"the scheme simulator did not come up in {_START_S} s"
            time.sleep(0.02)
