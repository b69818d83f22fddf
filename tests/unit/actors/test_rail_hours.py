"""A rail that is closed, or whose circuit is open: payments wait on the record, leave at the opening, or by another rail."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cells.kit.breaker import Breaker
from cells.rails.rail import RailUnavailable
from cells.rails.registry import profile_of
from tests.support.rail_room import OTHER_RAIL, Clock, silence, transfers, world
from tests.support.waiting import until

FRIDAY_EVENING = datetime(2026, 11, 20, 17, 40, tzinfo=UTC)
MONDAY_MORNING = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


async def test_a_closed_rail_leaves_payments_queued_and_submits_at_the_opening(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.scheme.profile = profile_of("chaps")
        Clock.at = FRIDAY_EVENING
        ids = transfers(3)
        await one.submit(*ids)

        async def waiting() -> bool:
            return (await one.stats()).get("waiting_for_opening") == 3

        await until(waiting)
        stats = await one.stats()
        assert (stats["open"], stats["next_opening"], stats["depth"]) == (False, "2026-11-23T06:00:00+00:00", 3)
        assert [row.state for row in one.record.rows.values()] == ["queued"] * 3
        Clock.at = MONDAY_MORNING - timedelta(seconds=1)
        await until(waiting)
        assert one.scheme.submitted == []
        Clock.at = MONDAY_MORNING
        await until(lambda: sorted(one.record.acknowledged) == sorted(ids))
        assert sorted(one.scheme.submitted) == sorted(ids)
        assert (await one.stats())["waiting_for_opening"] == 0


async def test_the_wait_for_the_opening_survives_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.scheme.profile = profile_of("bi_rtgs")
        Clock.at = datetime(2026, 12, 24, 3, 0, tzinfo=UTC)  # joint leave in Indonesia
        ids = transfers(2)
        await one.submit(*ids)
        await one.restart()

        async def waiting() -> bool:
            return (await one.stats()).get("waiting_for_opening") == 2

        await until(waiting)
        assert one.scheme.submitted == []
        Clock.at = datetime(2026, 12, 27, 23, 30, tzinfo=UTC)
        await until(lambda: sorted(one.record.acknowledged) == sorted(ids))


async def test_an_open_circuit_gives_what_was_never_asked_to_another_rail(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        *asked, queued = transfers(6)
        one.scheme.on_submit = one.scheme.on_inquire = lambda _: silence()
        await one.submit(*asked)
        await until(lambda: "open" in one.record.breakers)
        one.record.falls_back_to = OTHER_RAIL
        await one.submit(queued)
        await until(lambda: queued in one.other.submitted)
        assert sorted(one.scheme.submitted) == sorted(asked), "what the scheme was asked stays, however silent it is"
        assert one.other.submitted == [queued]
        assert list(one.record.rows) == asked


async def test_the_circuit_is_on_record_as_it_opens_and_closes(tmp_path: Path) -> None:
    async with world(tmp_path, breaker=Breaker(threshold=1, open_s=0.01, open_max_s=0.01)) as one:
        down = True

        async def unreachable(_: str) -> None:
            if down:
                raise RailUnavailable()

        one.scheme.before_submit = unreachable
        (transfer,) = transfers(1)
        await one.submit(transfer)
        await until(lambda: "half_open" in one.record.breakers)
        down = False
        await until(lambda: one.record.breakers[-1] == "closed")
        assert one.record.breakers[:2] == ["closed", "open"]
