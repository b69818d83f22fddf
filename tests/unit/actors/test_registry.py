"""A host that is back before its servers waits for them."""

import pytest

from actors.workers.registry import once_there
from cells.backends.postgres import StoreUnavailable
from residency.errors import KovraError


class Door:
    """Fails so many times, then opens."""

    def __init__(self, failure: KovraError, times: int) -> None:
        self.failure, self.times, self.tried = failure, times, 0

    async def open(self) -> str:
        self.tried += 1
        if self.tried <= self.times:
            raise self.failure
        return "open"


async def test_what_is_not_there_yet_is_tried_again() -> None:
    door = Door(StoreUnavailable(), 2)
    assert await once_there(door.open) == "open"
    assert door.tried == 3


async def test_not_for_ever() -> None:
    door = Door(StoreUnavailable(), 10**6)
    with pytest.raises(StoreUnavailable):
        await once_there(door.open, within_s=0.3)
    assert door.tried > 1


async def test_what_time_does_not_mend_is_told_at_once() -> None:
    door = Door(KovraError("wrong keys"), 1)
    with pytest.raises(KovraError, match="wrong keys"):
        await once_there(door.open)
    assert door.tried == 1
