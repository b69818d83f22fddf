"""Which Ray actor hosts a wallet: one to itself (own), or one of the cell's few hosting actors (shared).

Shared wallets are spread by rendezvous hashing: every process of the cell finds the same host with no coordination,
and a change in the number of hosts moves only the wallets that must move (Thaler and Ravishankar, 1998).

Own places are dealt in the order the caller gives (the order in which they were granted), up to `wallet_actors_max`: that too is the same
in every process. Processes that disagree for a moment are slow, not wrong: the epoch fences.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from itertools import islice

OWN_PREFIX = "wallet-"
SHARED_PREFIX = "wallets-"


class Placement:
    """Where each wallet lives, given how many hosting actors there are and whose wallets have one to themselves."""

    def __init__(self, *, hosting_actors: int, wallet_actors_max: int = 0, own: Iterable[str] = ()) -> None:
        assert hosting_actors >= 1, hosting_actors
        self._hosts = [f"{SHARED_PREFIX}{number}" for number in range(hosting_actors)]
        self._own = frozenset(islice(dict.fromkeys(own), wallet_actors_max))
        self._shared_host = lru_cache(maxsize=100_000)(self._highest)

    @property
    def hosting_actors(self) -> list[str]:
        return list(self._hosts)

    def host_of(self, wallet_id: str) -> str:
        """The name of the actor that hosts the wallet."""
        if wallet_id in self._own:
            return OWN_PREFIX + wallet_id
        return self._shared_host(wallet_id)

    def _highest(self, wallet_id: str) -> str:
        return max(self._hosts, key=lambda host: _weight(host, wallet_id))


def _weight(host: str, wallet_id: str) -> bytes:
    return blake2b(f"{host}|{wallet_id}".encode(), digest_size=8).digest()
