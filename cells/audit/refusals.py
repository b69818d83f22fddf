"""Refused access, counted for the trail: who was turned away how often, in entries that no attacker can multiply.

Invariants: of one caller, status and hour there are two entries at most from one process, one soon after the first refusal and one with the
whole count after the hour; of strangers so many are told apart in an hour, and the rest are one; no address is kept. A stranger's address
is replaced by a keyed digest, whose key is drawn each day in memory and never stored: nobody can find the address again, nor follow it
from one day to the next, or from one process to another.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address

from cells.audit.entry import Entry

ACTION = "access.refused"
REFUSED = frozenset({401, 403, 429})
STRANGERS_MAX = 200
OTHERS = "stranger:others"
# A host has a whole network of IPv6 addresses, and may use a new one for each request.
_NETWORK_BITS = 64


@dataclass(slots=True)
class _Count:
    first: datetime
    last: datetime
    count: int = 0
    recorded: int = 0


_Key = tuple[datetime, str, str, int]


class Refusals:
    """The counts of one process that are not on the trail yet."""

    def __init__(self) -> None:
        self._counts: dict[_Key, _Count] = {}
        self._strangers: set[str] = set()
        self._hour: datetime | None = None
        self._day = -1
        self._salt = b""

    def count(self, status: int, at: datetime, *, key_id: str = "", tenant_id: str = "", address: str = "") -> None:
        """One refusal, answered with `status` at `at` (UTC): of a caller that is known, or of whoever is at `address`."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        if hour != self._hour:
            self._hour, self._strangers = hour, set()
        actor = key_id or self._stranger(address, at)
        found = self._counts.setdefault((hour, actor, tenant_id, status), _Count(at, at))
        found.count += 1
        found.last = at

    def due(self, now: datetime, *, ending: bool = False) -> list[Entry]:
        """What belongs on the trail now: of every new count what it is so far, and of every hour that is over the whole. `ending`: this
        process counts no further."""
        entries = []
        for key, one in list(self._counts.items()):
            hour, actor, tenant_id, status = key
            over = ending or (now - hour).total_seconds() >= 3600
            if one.count > one.recorded and (over or not one.recorded):
                entries.append(
                    Entry(
                        one.last,
                        actor,
                        tenant_id,
                        ACTION,
                        f"{one.first:%Y-%m-%dT%H:%M:%SZ}",
                        f"{status}:{one.count}",
                        "",
                    )
                )
                one.recorded = one.count
            if over:
                del self._counts[key]
        return entries

    def again(self, entries: list[Entry]) -> None:
        """These could not be recorded: they are due again."""
        for entry in entries:
            status, count = (int(part) for part in entry.outcome.split(":"))
            first = datetime.strptime(entry.resource_id, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            key = (first.replace(minute=0, second=0), entry.actor, entry.tenant_id, status)
            found = self._counts.setdefault(key, _Count(first, entry.at, count))
            found.recorded = 0

    def _stranger(self, address: str, at: datetime) -> str:
        if at.toordinal() != self._day:
            self._day, self._salt = at.toordinal(), secrets.token_bytes(16)
        name = f"stranger:{hashlib.blake2b(_network(address), key=self._salt, digest_size=8).hexdigest()}"
        if name not in self._strangers:
            if len(self._strangers) >= STRANGERS_MAX:
                return OTHERS
            self._strangers.add(name)
        return name


def _network(address: str) -> bytes:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address.encode()
    if isinstance(found, IPv6Address):
        return found.ipv4_mapped.packed if found.ipv4_mapped else found.packed[: _NETWORK_BITS // 8]
    return found.packed
