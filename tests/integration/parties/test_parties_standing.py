"""Verdicts that are remembered, and made anew when a list changes, on a real database."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from cells.backends.postgres import tenant_transaction, transaction
from cells.compliance.checker import UNAVAILABLE, Block, Clear, Review, Subject, Verdict
from cells.compliance.identity import births_in
from cells.compliance.list_checker import ListChecker, open_list_checker
from cells.compliance.lists import Entry, SanctionsList, load_lists
from cells.compliance.magic import SCREENED_NAMES
from cells.compliance.rules import load_rules
from cells.compliance.standing import Standing
from cells.parties.sealing import name_reader
from tests.support.party_room import PartyRoom, open_party_room, payer
from tests.support.servers import CellDatabase

# Of those whose names block only with it.
BORN = {one.name: one.born.isoformat() for one in SCREENED_NAMES if one.born}
Databases = Callable[[str], CellDatabase]


class CountingChecker:
    """The real lists, with a count of the names that were put to them, and that can be made silent."""

    def __init__(self) -> None:
        self.lists = open_list_checker()
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    def versions(self) -> Mapping[str, str]:
        return self.lists.versions()

    async def check(self, subjects: Sequence[Subject]) -> Sequence[Verdict]:
        self.asked += len(subjects)
        await self.answers.wait()
        return await self.lists.check(subjects)

    def add_to_the_lists(self, name: str) -> None:
        """A new version of the EU list, with one more person on it."""
        eu, *others = load_lists()
        entry = Entry(eu.name, "SYNTHETIC.EU.1", name, "person", births=births_in("1988-03-14"))
        changed = SanctionsList(eu.name, eu.region, "2026-12-01.0", (*eu.entries, entry))
        self.lists = ListChecker([changed, *others], load_rules())


async def registered(room: PartyRoom, *names: str) -> list[str]:
    async with tenant_transaction(room.api, room.tenant.tenant_id) as connection:
        made = await room.payers.create(
            connection, room.tenant.tenant_id, [payer(name, BORN.get(name, "1988-03-14")) for name in names]
        )
    return [one.id for one in made]


async def standing(room: PartyRoom, ids: Sequence[str]) -> dict[str, Verdict]:
    async with transaction(room.writer) as connection:
        return await room.standing.standing(connection, ids)


async def test_a_verdict_is_read_back_and_not_made_again(cell_database: Databases) -> None:
    checker = CountingChecker()
    async with open_party_room(cell_database("EU"), "eu-1", checker) as room:
        ids = await registered(room, "Annika Lindqvist", "Kovra Sandbox Review", "Kovra Sandbox Blocked")
        assert checker.asked == 3
        verdicts = await standing(room, [*ids, "pyr_unknown"])
        assert [type(verdicts[one]) for one in ids] == [Clear, Review, Block]
        assert "pyr_unknown" not in verdicts
        assert checker.asked == 3
        blocked = verdicts[ids[2]]
        assert isinstance(blocked, Block)
        assert blocked.version == checker.versions()[blocked.list]


async def test_a_changed_list_screens_everyone_again_when_next_used(cell_database: Databases) -> None:
    checker = CountingChecker()
    async with open_party_room(cell_database("EU"), "eu-1", checker) as room:
        listed, other = await registered(room, "Annika Lindqvist", "Matteo Ricciardi")
        checker.add_to_the_lists("LINDQVIST, Annika")
        verdicts = await standing(room, [listed, other])
        assert (type(verdicts[listed]), type(verdicts[other])) == (Block, Clear)
        assert verdicts[other].attestation.lists["eu-consolidated"] == "2026-12-01.0"
        assert checker.asked == 4
        assert {one: type(verdict) for one, verdict in (await standing(room, [listed, other])).items()} == {
            listed: Block,
            other: Clear,
        }
        assert checker.asked == 4
        async with transaction(room.writer) as connection:
            assert await connection.fetchval("select count(*) from screenings") == 4


async def test_a_check_that_is_late_is_a_review_until_it_answers(cell_database: Databases) -> None:
    checker = CountingChecker()
    checker.answers.clear()
    async with open_party_room(cell_database("EU"), "eu-1", checker) as room:
        hasty = Standing(room.region, checker, name_reader(room.vault), deadline_s=0.05)
        verdict = (await hasty.screen([Subject("pyr_1", "person", "Annika Lindqvist")]))[0]
        assert isinstance(verdict, Review)
        assert verdict.reason == UNAVAILABLE
        # The deadline that holds when none is given is the half second that is promised.
        [late] = await registered(room, "Annika Lindqvist")
        async with tenant_transaction(room.api, room.tenant.tenant_id) as connection:
            [shown] = await room.payers.get(connection, room.tenant.tenant_id, [late])
            assert shown.status == "in_review"
        checker.answers.set()
        assert isinstance((await standing(room, [late]))[late], Clear)


async def test_what_an_officer_clears_holds_for_those_lists_and_a_block_for_all(cell_database: Databases) -> None:
    checker = CountingChecker()
    async with open_party_room(cell_database("EU"), "eu-1", checker) as room:
        review, clear = await registered(room, "Kovra Sandbox Review", "Annika Lindqvist")
        tenant_id = room.tenant.tenant_id
        async with transaction(room.writer) as connection:
            await room.standing.decide(connection, tenant_id, review, "officer-7", blocks=False)
            await room.standing.decide(connection, tenant_id, clear, "officer-7", blocks=True)
        verdicts = await standing(room, [review, clear])
        released, blocked = verdicts[review], verdicts[clear]
        assert isinstance(released, Clear)
        assert (released.attestation.result, released.by) == ("reviewed", "officer-7")
        assert isinstance(blocked, Block)
        checker.add_to_the_lists("Somebody Else Altogether")
        verdicts = await standing(room, [review, clear])
        assert isinstance(verdicts[review], Review)
        assert isinstance(verdicts[clear], Block)


async def test_an_erased_payer_has_no_standing_under_new_lists(cell_database: Databases) -> None:
    checker = CountingChecker()
    async with open_party_room(cell_database("EU"), "eu-1", checker) as room:
        [gone] = await registered(room, "Annika Lindqvist")
        tenant_id = room.tenant.tenant_id
        async with tenant_transaction(room.api, tenant_id) as connection:
            assert await room.payers.delete(connection, tenant_id, [gone], {}) == [gone]
        checker.add_to_the_lists("Somebody Else Altogether")
        assert await standing(room, [gone]) == {}
