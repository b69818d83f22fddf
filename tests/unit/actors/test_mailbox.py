"""Batches come from waiting: one at rest, many under load; bounded, in order, and no command run twice."""

import asyncio
from collections.abc import Sequence

import pytest

from actors.mailbox import MailboxFull, MailboxLoop
from actors.runtime import ActorFailed, ActorUnavailable
from cells.kit.command import Command, Journaled, Reply
from tests.support.actor_doubles import Refused
from tests.support.waiting import until


class Gate:
    """Carries batches out one by one, each when it is let through."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.entered = asyncio.Semaphore(0)
        self.open = asyncio.Semaphore(0)
        self.answers: dict[str, Reply] = {}

    async def run(self, batch: Sequence[Command], journaled: Journaled) -> Sequence[Reply]:
        self.batches.append([command.command_id for command in batch])
        self.entered.release()
        await self.open.acquire()
        return [self.answers.get(command.command_id, command.body) for command in batch]

    def let_through(self, batches: int) -> None:
        for _ in range(batches):
            self.open.release()


def command(number: int | str, wallet: str = "w") -> Command:
    return Command(f"c{number}", wallet, "do", f"body {number}")


async def test_at_rest_a_batch_is_one() -> None:
    gate = Gate()
    gate.let_through(3)
    loop = MailboxLoop(gate.run)
    for number in range(3):
        assert await loop.ask(command(number)) == f"body {number}"
    assert gate.batches == [["c0"], ["c1"], ["c2"]]
    assert loop.stats.shown()["mean_batch"] == 1


async def test_the_next_batch_begins_when_the_one_before_it_is_journaled_and_a_third_waits() -> None:
    begun: list[list[str]] = []
    journaled: list[Journaled] = []
    ledger = asyncio.Event()

    async def run(batch: Sequence[Command], now_journaled: Journaled) -> Sequence[Reply]:
        begun.append([one.command_id for one in batch])
        journaled.append(now_journaled)
        await ledger.wait()
        return [one.body for one in batch]

    loop = MailboxLoop(run)
    asked = [asyncio.create_task(loop.ask(command(0)))]
    await until(lambda: len(begun) == 1)
    asked += [asyncio.create_task(loop.ask(command(number))) for number in (1, 2)]
    await until(lambda: loop.stats.depth == 2)
    assert begun == [["c0"]]
    journaled[0]()
    await until(lambda: len(begun) == 2)
    assert begun[1] == ["c1", "c2"]
    journaled[1]()
    asked.append(asyncio.create_task(loop.ask(command(3))))
    await until(lambda: loop.stats.depth == 1)
    assert len(begun) == 2, "two batches are under way at most"
    idle = asyncio.create_task(loop.between_batches(lambda: asyncio.sleep(0)))
    ledger.set()
    assert await asyncio.gather(*asked) == [f"body {number}" for number in range(4)]
    await idle


async def test_what_arrives_while_a_batch_is_in_flight_is_the_next_batch() -> None:
    gate = Gate()
    loop = MailboxLoop(gate.run)
    first = asyncio.create_task(loop.ask(command(0)))
    await gate.entered.acquire()
    rest = [asyncio.create_task(loop.ask(command(number))) for number in range(1, 6)]
    await asyncio.sleep(0)
    assert loop.stats.depth == 5
    gate.let_through(2)
    assert await asyncio.gather(first, *rest) == [f"body {number}" for number in range(6)]
    assert gate.batches == [["c0"], ["c1", "c2", "c3", "c4", "c5"]]
    assert loop.stats.last_batch == 5


async def test_a_full_mailbox_refuses_and_its_neighbour_does_not() -> None:
    gate = Gate()
    loop = MailboxLoop(gate.run, mailbox_bound=2)
    first = asyncio.create_task(loop.ask(command(0, "a")))
    await gate.entered.acquire()
    waiting = asyncio.create_task(loop.ask_many([command(number, "a") for number in (1, 2, 3)]))
    neighbour = asyncio.create_task(loop.ask(command(4, "b")))
    await asyncio.sleep(0)
    gate.let_through(2)
    replies = await waiting
    assert replies[:2] == ["body 1", "body 2"]
    assert isinstance(replies[2], MailboxFull)
    assert replies[2].retryable
    assert replies[2].status == 503
    assert replies[2].extra["retry_after_s"] > 0
    assert await neighbour == "body 4"
    await first


async def test_a_batch_takes_from_every_mailbox_when_not_all_fits() -> None:
    gate = Gate()
    loop = MailboxLoop(gate.run, batch_limit=4)
    first = asyncio.create_task(loop.ask(command("first", "z")))
    await gate.entered.acquire()
    crowd = asyncio.create_task(loop.ask_many([command(f"a{number}", "a") for number in range(9)]))
    quiet = asyncio.create_task(loop.ask_many([command(f"b{number}", "b") for number in range(2)]))
    await asyncio.sleep(0)
    gate.let_through(9)
    await asyncio.gather(first, crowd, quiet)
    assert gate.batches[1] == ["ca0", "ca1", "cb0", "cb1"]
    assert [one for batch in gate.batches for one in batch if one.startswith("ca")] == [
        f"ca{number}" for number in range(9)
    ]
    assert max(len(batch) for batch in gate.batches) == 4


async def test_a_command_in_flight_or_done_is_not_run_again() -> None:
    gate = Gate()
    loop = MailboxLoop(gate.run)
    first = asyncio.create_task(loop.ask(command(0)))
    await gate.entered.acquire()
    again = asyncio.create_task(loop.ask(command(0)))
    await asyncio.sleep(0)
    gate.let_through(1)
    assert await first == await again == "body 0"
    assert await loop.ask(command(0)) == "body 0"
    assert gate.batches == [["c0"]]


async def test_a_retryable_failure_is_asked_again_and_a_final_one_is_remembered() -> None:
    gate = Gate()
    gate.let_through(9)
    loop = MailboxLoop(gate.run)
    gate.answers = {"c0": ActorUnavailable(), "c1": Refused()}
    assert isinstance(await loop.ask(command(0)), ActorUnavailable)
    assert isinstance(await loop.ask(command(1)), Refused)
    gate.answers = {}
    assert await loop.ask(command(0)) == "body 0"
    assert isinstance(await loop.ask(command(1)), Refused)


async def test_a_batch_that_breaks_is_unknown_and_its_ids_may_be_asked_again() -> None:
    broken = True

    async def run(batch: Sequence[Command], journaled: Journaled) -> Sequence[Reply]:
        if broken:
            raise ValueError
        return [one.body for one in batch]

    loop = MailboxLoop(run)
    assert isinstance(await loop.ask(command(0)), ActorUnavailable)
    broken = False
    assert await loop.ask(command(0)) == "body 0"


async def test_memory_of_what_is_done_is_bounded() -> None:
    gate = Gate()
    gate.let_through(9)
    loop = MailboxLoop(gate.run, remembered=1)
    await loop.ask(command(0))
    await loop.ask(command(1))
    await loop.ask(command(0))
    assert gate.batches == [["c0"], ["c1"], ["c0"]]


async def test_a_caller_that_gives_up_does_not_stop_the_work() -> None:
    gate = Gate()
    loop = MailboxLoop(gate.run)
    impatient = asyncio.create_task(loop.ask(command(0)))
    await gate.entered.acquire()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    gate.let_through(1)
    assert await loop.ask(command(0)) == "body 0"
    assert gate.batches == [["c0"]]


async def test_closing_finishes_the_batch_in_flight_and_answers_the_rest() -> None:
    gate = Gate()
    loop = MailboxLoop(gate.run)
    first = asyncio.create_task(loop.ask(command(0)))
    await gate.entered.acquire()
    waiting = asyncio.create_task(loop.ask(command(1)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(loop.close(ActorUnavailable()))
    gate.let_through(1)
    await closing
    assert await first == "body 0"
    assert isinstance(await waiting, ActorUnavailable)
    assert isinstance(await loop.ask(command(2)), MailboxFull)


async def test_who_waits_gets_an_answer_when_the_batch_under_way_is_cancelled() -> None:
    gate = Gate()
    loop = MailboxLoop(gate.run)
    first = asyncio.create_task(loop.ask(command(1)))
    await gate.entered.acquire()
    second = asyncio.create_task(loop.ask(command(2)))
    await until(lambda: loop.stats.depth == 1)
    for task in list(loop._under_way):
        task.cancel()
    gate.let_through(2)
    assert isinstance(await first, ActorUnavailable)
    assert await second == "body 2"
    assert await loop.ask(command(1)) == "body 1"


@pytest.mark.parametrize("times", [1, 5])
async def test_who_waits_gets_an_answer_when_the_loop_itself_dies(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    loop = MailboxLoop(gate.run)

    def stumble() -> list[Command]:
        raise RuntimeError("a bug in the loop")

    with monkeypatch.context() as patched:
        patched.setattr(loop, "_gather", stumble)
        for _ in range(times):
            replies = await loop.ask_many([command(1, "a"), command(2, "b")])
            assert [type(reply) for reply in replies] == [ActorUnavailable] * 2
    gate.let_through(2)
    assert await loop.ask_many([command(1, "a"), command(2, "b")]) == ["body 1", "body 2"]


async def test_who_waits_gets_an_answer_when_the_loop_is_cancelled() -> None:
    gate = Gate()
    loop = MailboxLoop(gate.run)
    first = asyncio.create_task(loop.ask(command(1)))
    await gate.entered.acquire()
    second = asyncio.create_task(loop.ask(command(2)))
    await until(lambda: loop.stats.depth == 1)
    assert loop._worker is not None
    loop._worker.cancel()
    assert isinstance(await second, ActorUnavailable)
    gate.let_through(1)
    assert await first == "body 1"


async def test_fewer_replies_than_commands_answer_nobody_with_anothers() -> None:
    async def run(batch: Sequence[Command], journaled: Journaled) -> Sequence[Reply]:
        return [one.body for one in batch][1:]

    replies = await MailboxLoop(run).ask_many([command(1), command(2)])
    assert [type(reply) for reply in replies] == [ActorUnavailable] * 2


async def test_a_bug_is_not_remembered_as_the_answer() -> None:
    gate = Gate()
    gate.let_through(2)
    loop = MailboxLoop(gate.run)
    gate.answers["c1"] = ActorFailed()
    assert isinstance(await loop.ask(command(1)), ActorFailed)
    del gate.answers["c1"]
    assert await loop.ask(command(1)) == "body 1"
