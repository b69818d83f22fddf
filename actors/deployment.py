"""How the actors of one cell are laid out: which services there are, where each wallet lives, and who builds what inside.

A Deployment is plain data and travels with every service, so that an actor finds the other actors of its cell as any
other process does.
"""

from dataclasses import dataclass, replace
from typing import Any

from actors.placement import Placement
from actors.rails import Rails
from actors.runtime import Runtime, ServiceSpec
from actors.wallets import Wallets
from cells.spec import CellSpec

HANDLER = "cells.cell:open_wallet_handler"
DESK = "cells.cell:open_rail_desk"
CLOCK = "cells.rails.rail:utc_now"
RAIL_PREFIX = "rail-"


@dataclass(frozen=True, slots=True)
class Deployment:
    """`own` lists the wallets that were granted an actor to themselves, in the order of the grants.

    `handler` and `desk` are import paths of `async (cell, rail_door) -> WalletHandler` and `async (cell, rail) -> RailDesk`.
    `clock` is the import path of the rails' clock, `() -> datetime`. `wallet_bounds` and `rail_bounds` are keyword arguments of WalletActor and RailActor, as sorted pairs.
    """

    cell: str
    hosting_actors: int = 1
    wallet_actors_max: int = 0
    rail_names: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    handler: str = HANDLER
    desk: str = DESK
    clock: str = CLOCK
    wallet_bounds: tuple[tuple[str, Any], ...] = ()
    rail_bounds: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, spec: CellSpec, own: tuple[str, ...] = ()) -> "Deployment":
        """As the cell declares it."""
        capacity = spec.entry.capacity
        return cls(
            cell=spec.name,
            hosting_actors=capacity.hosting_actors,
            wallet_actors_max=capacity.wallet_actors_max,
            rail_names=spec.entry.rails,
            own=own,
        )

    @property
    def placement(self) -> Placement:
        return Placement(hosting_actors=self.hosting_actors, wallet_actors_max=self.wallet_actors_max, own=self.own)

    def wallet_service(self, name: str) -> ServiceSpec:
        """The service that hosts wallets under `name`."""
        # Whose wallets are elsewhere does not concern a host of wallets, and would make each host's arguments differ in time.
        arguments = {"deployment": replace(self, own=()), **dict(self.wallet_bounds)}
        return ServiceSpec(name, "actors.wallet:WalletActor", arguments)

    def rail_service(self, rail: str) -> ServiceSpec:
        arguments = {"deployment": self, "rail": rail, **dict(self.rail_bounds)}
        return ServiceSpec(RAIL_PREFIX + rail, "actors.rail:RailActor", arguments)

    def wallets(self, runtime: Runtime) -> Wallets:
        """A door to the wallets for this process."""
        return Wallets(runtime, self.placement, self.wallet_service)

    def rails(self, runtime: Runtime) -> Rails:
        """A door to the rails for this process."""
        return Rails(runtime, self.rail_service)

    async def ensure(self, runtime: Runtime) -> None:
        """Spawn the hosting and rail actors that are not there yet. Raises ActorUnavailable."""
        for name in self.placement.hosting_actors:
            await runtime.spawn(self.wallet_service(name))
        for rail in self.rail_names:
            await runtime.spawn(self.rail_service(rail))
