"""The wallet actor against a handler whose journal is a dictionary of epochs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import asyncpg
import pytest

from actors.deployment import Deployment
from actors.in_process import InProcess
from actors.runtime import ActorFailed
from actors.wallet import UnknownWallet, WalletActor
from cells.backends.postgres import StoreUnavailable
from cells.kit.command import Command, Journaled, RailDoor, Reply, StaleEpoch
from residency.errors import KovraError
from tests.support.actor_doubles import Refused
from tests.support.waiting import until

Answer = Callable[[Command], Reply]


class Journal:
    """What all copies share: epochs, and who wrote what under which."""

    def __init__(self) -> None:
        self.epochs: dict[str, int] = {}
        self.written: list[tuple[str, int]] = []
        self.unknown: set[str] = set()


class Handler:
    def __init__(self, journal: Journal, answer: Answer) -> None:
        self.journal = journal
        self.answer = answer
        self.batches: list[list[str]] = []
        self.passivated: list[str] = []
        self.closed = False

    async def activate(self, wallet_ids: Sequence[str]) -> Mapping[str, int]:
        for wallet_id in set(wallet_ids) - self.journal.unknown:
            self.journal.epochs[wallet_id] = self.journal.epochs.get(wallet_id, 0) + 1
        return {one: self.journal.epochs[one] for one in wallet_ids if one not in self.journal.unknown}

    async def run(self, batch: Sequence[Command], epochs: Mapping[str, int], journaled: Journaled) -> Sequence[Reply]:
        self.batches.append([command.command_id for command in batch])
        replies: list[Reply] = []
        for command in batch:
            if self.journal.epochs[command.wallet_id] != epochs[command.wallet_id]:
                replies.append(StaleEpoch())
                continue
            reply = self.answer(command)
            if not isinstance(reply, KovraError):
                self.journal.written.append((command.command_id, epochs[command.wallet_id]))
            replies.append(reply)
        return replies

    def counts(self) -> Mapping[str, int]:
        return {}

    async def passivate(self, wallet_ids: Sequence[str]) -> None:
        self.passivated.extend(wallet_ids)

    async def close(self) -> None:
        self.closed = True


_OPEN: list[Handler] = []


async def open_handler(cell: str, rails: RailDoor) -> Handler:
    return _OPEN.pop()


def done(command: Command) -> Reply:
    return f"done {command.command_id}"


async def started(journal: Journal | None = None, answer: Answer = done, **bounds: Any) -> tuple[WalletActor, Handler]:
    handler = Handler(journal or Journal(), answer)
    _OPEN.append(handler)
    actor = WalletActor(Deployment("eu-1", handler=f"{__name__}:open_handler"), **bounds)
    await actor.start(InProcess())
    return actor, handler


def command(number: int | str, wallet: str = "a", name: str = "do") -> Command:
    return Command(f"c{number}", wallet, name)


async def test_first_use_activates_a_wallet_once() -> None:
    actor, handler = await started()
    assert await actor.ask_many([command(1, "a"), command(2, "b"), command(3, "a")]) == [
        "done c1",
        "done c2",
        "done c3",
    ]
    await actor.ask_many([command(4, "a")])
    assert handler.journal.epochs == {"a": 1, "b": 1}
    assert actor.describe()["activations"] == 2
    assert actor.describe()["wallets"]["a"]["epoch"] == 1
    await actor.stop()
    assert handler.closed


async def test_a_wallet_that_does_not_exist_is_refused_beside_those_that_do() -> None:
    journal = Journal()
    journal.unknown.add("x")
    actor, _ = await started(journal)
    replies = await actor.ask_many([command(1, "a"), command(2, "x"), command(3, "b")])
    assert replies[0] == "done c1"
    assert replies[2] == "done c3"
    assert isinstance(replies[1], UnknownWallet)
    await actor.stop()


async def test_idle_wallets_are_passivated_and_come_back() -> None:
    actor, handler = await started(idle_after_s=0.02)
    await actor.ask_many([command(1, "a"), command(2, "b")])
    await until(lambda: not actor.describe()["active"])
    await until(lambda: sorted(handler.passivated) == ["a", "b"])
    assert await actor.ask_many([command(3, "a")]) == ["done c3"]
    assert handler.journal.epochs == {"a": 2, "b": 1}
    await actor.stop()


async def test_no_more_wallets_stay_active_than_the_bound_and_the_oldest_leave() -> None:
    actor, handler = await started(wallets_max=2, idle_after_s=2.0)
    for wallet in ("a", "b", "a", "c"):
        await actor.ask_many([Command(f"{wallet}{len(handler.batches)}", wallet, "do")])
    assert set(actor.describe()["wallets"]) == {"a", "c"}
    await until(lambda: handler.passivated == ["b"])
    await actor.stop()


async def test_of_two_live_copies_the_stale_one_writes_nothing_under_its_old_epoch() -> None:
    journal = Journal()
    first, _ = await started(journal)
    second, _ = await started(journal)
    await first.ask_many([command(1)])
    await second.ask_many([command(2)])
    assert await first.ask_many([command(3)]) == ["done c3"]
    assert journal.written == [("c1", 1), ("c2", 2), ("c3", 3)]
    assert first.describe()["stale"] == 1
    await first.stop()
    await second.stop()


async def test_a_copy_that_is_stale_twice_over_gives_the_wallet_up() -> None:
    actor, handler = await started(answer=lambda _: StaleEpoch())
    (reply,) = await actor.ask_many([command(1)])
    assert isinstance(reply, StaleEpoch)
    assert reply.retryable
    assert handler.batches == [["c1"], ["c1"]]
    assert actor.describe()["active"] == 0
    await actor.stop()


@pytest.mark.parametrize(
    "bug",
    [ValueError("a bug"), FileNotFoundError("lists.csv"), asyncpg.DataError("no int64"), TimeoutError(), OSError()],
)
async def test_a_command_that_trips_the_handler_fails_alone(bug: Exception) -> None:
    def answer(one: Command) -> Reply:
        if one.name == "trip":
            raise bug
        return done(one)

    actor, handler = await started(answer=answer)
    batch = [command(number, f"w{number}", "trip" if number == 50 else "do") for number in range(100)]
    replies = await actor.ask_many(batch)
    assert [isinstance(reply, ActorFailed) for reply in replies] == [number == 50 for number in range(100)]
    assert replies[50].code == "internal"
    assert [reply for reply in replies if reply != replies[50]] == [done(one) for one in batch if one.name == "do"]
    assert len(handler.batches) <= 1 + 2 * 7
    await actor.stop()


@pytest.mark.parametrize("outage", [StoreUnavailable(), asyncpg.DeadlockDetectedError("a deadlock")])
async def test_an_outage_leaves_the_batch_unknown_at_once(outage: Exception) -> None:
    def answer(_: Command) -> Reply:
        raise outage

    actor, handler = await started(answer=answer)
    replies = await actor.ask_many([command(number) for number in range(8)])
    assert all(reply.retryable for reply in replies)
    assert len(handler.batches) == 1
    await actor.stop()


async def test_a_refusal_raised_by_one_command_is_not_its_neighbours_answer() -> None:
    def answer(one: Command) -> Reply:
        if one.name == "refuse":
            raise Refused()
        return done(one)

    actor, _ = await started(answer=answer)
    replies = await actor.ask_many([command(1), command(2, name="refuse"), command(3)])
    assert replies[0] == "done c1"
    assert replies[2] == "done c3"
    assert isinstance(replies[1], Refused)
    await actor.stop()
