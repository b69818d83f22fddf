"""Finding the culprit in a page: the others are done, an outage is nobody's fault, and nor is what fails with everything."""

from collections.abc import Sequence

import asyncpg
import pytest

from actors.workers.aside import apart
from cells.backends.postgres import StoreUnavailable


def failing(*bad: int, error: type[Exception] = ValueError):
    asked: list[list[int]] = []

    async def work(items: Sequence[int]) -> list[int]:
        asked.append(list(items))
        if set(items) & set(bad):
            raise error
        return list(items)

    return work, asked


async def test_a_page_without_fault_is_one_piece_of_work() -> None:
    work, asked = failing()
    assert await apart(range(100), work) == ([list(range(100))], [])
    assert len(asked) == 1
    assert await apart([], work) == ([], [])


async def test_the_culprits_stand_alone_and_the_others_are_done_in_order() -> None:
    work, asked = failing(3, 70)
    done, culprits = await apart(range(100), work)
    assert [one for some in done for one in some] == [one for one in range(100) if one not in (3, 70)]
    assert [item for item, _ in culprits] == [3, 70]
    assert len(asked) < 40


@pytest.mark.parametrize("error", [StoreUnavailable, asyncpg.DeadlockDetectedError])
async def test_an_outage_is_no_items_fault(error: type[Exception]) -> None:
    work, asked = failing(3, error=error)
    with pytest.raises(error):
        await apart(range(100), work)
    assert len(asked) == 1


async def test_what_fails_with_everything_is_no_items_fault() -> None:
    work, asked = failing(*range(500))
    with pytest.raises(ValueError):  # noqa: PT011 - the very one
        await apart(range(500), work)
    assert len(asked) < 40
    done, culprits = await apart([1, 2, 3], work)
    assert (done, len(culprits)) == ([], 3)
