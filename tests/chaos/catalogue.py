"""Every fault by name, in the order of the first round."""

from tests.chaos.faults import (
    RAIL_ACTOR,
    WALLET_ACTOR,
    Fault,
    away,
    cell_away,
    cell_paused,
    flood,
    kill,
    kill_actor,
    pause,
    pause_actor,
    two_copies,
    wipe_jetstream,
)
from tests.chaos.faults_storage import STORAGE_FAULTS
from tests.chaos.stack import SHARED


def catalogue() -> dict[str, Fault]:
    """Every fault, in the order of the first round."""
    faults = [
        Fault("kill-wallet-actor", kill_actor(WALLET_ACTOR)),
        Fault("kill-api", kill("api")),
        Fault("kill-postgres", kill("postgres")),
        Fault("cut-transit", pause("transit"), where="transit"),
        Fault("wipe-jetstream", wipe_jetstream),
        Fault("pause-wallet-actor", pause_actor(WALLET_ACTOR)),
        Fault("kill-rail-actor", kill_actor(RAIL_ACTOR)),
        Fault("pause-rail-actor", pause_actor(RAIL_ACTOR)),
        Fault("pause-api", pause("api")),
        Fault("kill-host", kill("host")),
        Fault("kill-ray", kill("ray")),
        Fault("pause-postgres", pause("postgres")),
        Fault("kill-nats", kill("nats")),
        Fault("pause-nats", pause("nats")),
        Fault("kill-redis", kill("redis")),
        Fault("kill-ledger", kill("tigerbeetle"), parts=("tigerbeetle",)),
        Fault("pause-ledger", pause("tigerbeetle"), parts=("tigerbeetle",)),
        Fault("transit-away", away("transit"), where="transit"),
        Fault("kill-router", kill("router"), where="router"),
        Fault("flood-wallet", flood),
        Fault("two-actors", two_copies),
        *STORAGE_FAULTS,
        Fault("cell-paused", cell_paused),
        Fault("cell-away", cell_away),
    ]
    return {fault.name: fault for fault in faults}


def cell_of(fault: Fault, drawn: str) -> str:
    """Where the fault's parts are."""
    return drawn if fault.where == "cell" else SHARED
