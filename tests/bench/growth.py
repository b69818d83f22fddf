"""Whether cost grows with wallets, and how they are best placed."""

import time
from statistics import median
from typing import Any

from actors.placement import Placement
from tests.bench.partner import Partner, lock_in, new_partner
from tests.bench.rig import Rig

_WALLETS = (1, 10, 100, 1_000)
# An actor to itself is a process: more of them than this say nothing new on two cores.
_FEW = 10
_SPAWNED_WITHIN_S = 60.0
_ROUNDS = 3


async def partners_for_growth(rig: Rig) -> list[Partner]:
    """As many as are measured; they and the actors that the placements need come into being before anything stands still."""
    partners = [rig.partner]
    while len(partners) < max(_WALLETS):
        partners.append(await new_partner(rig.home, rig.origin, rig.destination, rig.wallets))
    for placement in _placements(partners).values():
        rig.wallets.move(placement)
        for one in partners[:_FEW]:
            await lock_in(one, rig.origin, 1)
            await rig.wallets.ask(one.acceptance(rig.origin.spec.name), deadline_s=_SPAWNED_WITHIN_S)
    return partners


async def growth(rig: Rig, partners: list[Partner], payments: int) -> dict[str, Any]:
    """Holds a second with payments spread over wallets, and by how the wallets are placed."""
    found: dict[str, Any] = {}
    for name, placement in _placements(partners).items():
        rig.wallets.move(placement)
        found[f"holds_per_s_{_FEW}_wallets_on_{name}"] = round(await holds(rig, partners[:_FEW], payments))
    rig.wallets.move(Placement(hosting_actors=rig.origin.spec.entry.capacity.hosting_actors))
    for count in _WALLETS:
        found[f"holds_per_s_{count}_wallets"] = round(await holds(rig, partners[:count], max(payments, count)))
    return found


def _placements(partners: list[Partner]) -> dict[str, Placement]:
    own = [one.wallet_id for one in partners[:_FEW]]
    return {
        "1_actor": Placement(hosting_actors=1),
        "2_actors": Placement(hosting_actors=2),
        "own_actors": Placement(hosting_actors=1, wallet_actors_max=_FEW, own=own),
    }


async def holds(rig: Rig, partners: list[Partner], payments: int) -> float:
    """The median rate of a few bursts of `payments`, spread evenly over the partners' wallets."""
    rates = []
    for _ in range(_ROUNDS):
        each = payments // len(partners)
        for one in partners:
            await lock_in(one, rig.origin, each)
        commands = [one.acceptance(rig.origin.spec.name) for one in partners for _ in range(each)]
        started = time.perf_counter()
        replies = await rig.wallets.ask_many(commands, deadline_s=60)
        rates.append(len(commands) / (time.perf_counter() - started))
        assert all(one.status == 202 for one in replies), replies[0]
    return median(rates)
