"""What an attacker on the brokers' network may try, and what he sees of it."""

import asyncio
import json
from dataclasses import dataclass, field

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from cells.backends.nats import Bus, Outgoing
from residency.links import Corridor
from tests.support.links import links
from tests.support.waiting import until

CELLS = ["eu1", "id1", "uk1"]
EU_ID, EU_UK = Corridor("eu1", "id1"), Corridor("eu1", "uk1")
ID_EU, UK_EU = Corridor("id1", "eu1"), Corridor("uk1", "eu1")

API = [
    "INFO",
    "ACCOUNT.PURGE.CELL",
    "STREAM.NAMES",
    "STREAM.LIST",
    *(
        f"STREAM.{verb}.{stream}"
        for verb in (
            "INFO",
            "CREATE",
            "UPDATE",
            "DELETE",
            "PURGE",
            "MSG.GET",
            "MSG.DELETE",
            "SNAPSHOT",
            "RESTORE",
        )
        for stream in (EU_ID.stream, EU_UK.stream)
    ),
    f"DIRECT.GET.{EU_UK.stream}",
    *(
        f"CONSUMER.{verb}.{corridor.stream}{tail}"
        for corridor in (EU_ID, EU_UK)
        for verb, tail in (
            ("CREATE", ""),
            ("CREATE", ".thief"),
            ("DURABLE.CREATE", ".thief"),
            ("NAMES", ""),
            ("LIST", ""),
            ("INFO", f".{corridor.consumer}"),
            ("DELETE", f".{corridor.consumer}"),
            ("PAUSE", f".{corridor.consumer}"),
            ("RESET", f".{corridor.consumer}"),
            ("MSG.NEXT", f".{corridor.consumer}"),
        )
    ),
]
PREFIXES = ["$JS.API", "$JS.eu1.API", "link.eu1.id1.api"]


def message(corridor: Corridor, number: int) -> Outgoing:
    return Outgoing(
        corridor.subject("instructed"),
        f"{corridor.destination}-{number}",
        f"to {corridor.destination}".encode(),
    )


@dataclass
class Spy:
    """Everything a client ever saw, by subject."""

    client: Client
    seen: list[Msg] = field(default_factory=list)

    async def listen(self, *subjects: str) -> "Spy":
        for subject in subjects:
            await self.client.subscribe(subject, cb=self._see)
        await self.client.flush()
        return self

    async def _see(self, message: Msg) -> None:
        self.seen.append(message)

    def bodies(self) -> set[bytes]:
        return {message.data for message in self.seen if message.data}

    async def sees(self, body: bytes) -> None:
        async def check() -> bool:
            return body in self.bodies()

        await until(check, f"the spy sees {body!r}")


async def linked(bus: Bus, destination: str) -> None:
    async def check() -> bool:
        return any(
            link.listening
            for link in await links(bus, "eu1", ["id1", "uk1"])
            if link.corridor.destination == destination
        )

    await until(check, f"{destination} is listening")


async def counts(client: Client) -> dict[str, int]:
    """Messages by stream of the EU cell, and its consumers, asked from inside."""
    answer = json.loads((await client.request("$JS.API.STREAM.LIST", b"{}", timeout=5)).data)
    found = {stream["config"]["name"]: stream["state"]["messages"] for stream in answer["streams"]}
    for stream in list(found):
        names = json.loads((await client.request(f"$JS.API.CONSUMER.NAMES.{stream}", b"{}", timeout=5)).data)
        found[f"consumers of {stream}"] = len(names["consumers"])
    return found


EXPECTED = {
    EU_ID.stream: 3,
    EU_UK.stream: 3,
    f"consumers of {EU_ID.stream}": 1,
    f"consumers of {EU_UK.stream}": 1,
}


async def try_api(attacker: Client, body: bytes = b"{}") -> list[str]:
    """Ask for everything; return what was answered."""

    async def ask(subject: str) -> str | None:
        try:
            await attacker.request(subject, body, timeout=1)
        except (nats.errors.NoRespondersError, nats.errors.TimeoutError):
            return None
        return subject

    subjects = [f"{prefix}.{call}" for prefix in PREFIXES for call in API]
    return [subject for subject in await asyncio.gather(*map(ask, subjects)) if subject]
