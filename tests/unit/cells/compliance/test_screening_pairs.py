"""What screening finds of names written anew by rules, and what it finds wrongly: the floor under `make bench-screening`."""

from cells.compliance.lists import load_lists
from tests.bench.screening import screened
from tests.bench.screening_pairs import written_anew


async def test_names_written_anew_are_found_and_strangers_are_not() -> None:
    pairs = [pair for one in load_lists() for pair in written_anew(one.entries)]
    assert len(pairs) > 400
    found = await screened(pairs)
    assert found.recall >= 0.97, found
    assert found.precision >= 0.96, found
