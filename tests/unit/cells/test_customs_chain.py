"""The customs chain, pure: any log verifies, and no entry can be changed, dropped, added or moved unseen."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from cells.customs.chain import Crossing, CustomsEntry, chain_name, compare, verify_chain
from cells.kit.hashchain import Head, extend, genesis
from tests.support.border import NOW

CELL = "eu-1"
CROSSINGS = st.builds(
    Crossing,
    direction=st.sampled_from(["exported", "admitted", "refused"]),
    from_cell=st.sampled_from(["eu-1", "id-1", ""]),
    to_cell=st.sampled_from(["eu-1", "id-1"]),
    kind=st.sampled_from(["instructed", "settled", ""]),
    sequence=st.integers(0, 2**63 - 1),
    transfer_id=st.text(max_size=8),
    envelope_sha256=st.binary(min_size=32, max_size=32),
    allow_list=st.integers(0, 3),
    crossed_fields=st.lists(st.sampled_from(["payer.name", "remittance"])).map(tuple),
    reason=st.text(max_size=8),
    at=st.integers(0, 10**12).map(lambda microseconds: NOW + timedelta(microseconds=microseconds)),
)


def log_of(crossings: list[Crossing]) -> list[CustomsEntry]:
    start = genesis(chain_name(CELL))
    heads = [start, *extend(start, [crossing.body() for crossing in crossings])]
    return [
        CustomsEntry(now.sequence, crossing, before.hash, now.hash)
        for crossing, before, now in zip(crossings, heads[:-1], heads[1:], strict=True)
    ]


def head_of(log: list[CustomsEntry]) -> Head:
    return Head(log[-1].position, log[-1].entry_hash)


@given(st.lists(CROSSINGS, max_size=8))
def test_a_log_verifies_and_survives_its_export(crossings: list[Crossing]) -> None:
    log = log_of(crossings)
    assert verify_chain(log, CELL) is None
    assert [CustomsEntry.from_mapping(entry.to_json()) for entry in log] == log


@given(st.lists(CROSSINGS, min_size=1, max_size=8), CROSSINGS, st.data())
def test_no_change_goes_unseen(crossings: list[Crossing], other: Crossing, data: st.DataObject) -> None:
    log = log_of(crossings)
    head = head_of(log)
    place = data.draw(st.integers(0, len(log) - 1))
    changed = [*log[:place], replace(log[place], crossing=other), *log[place + 1 :]]
    if changed != log:
        assert verify_chain(changed, CELL, head) is not None
    assert verify_chain([*log[:place], *log[place + 1 :]], CELL, head) is not None
    assert verify_chain([*log[: place + 1], *log[place:]], CELL, head) is not None
    assert verify_chain(log, "id-1", head) is not None


@given(st.integers(0, 6), st.integers(0, 6))
def test_what_is_on_its_way_is_no_difference(sent: int, arrived: int) -> None:
    arrived = min(sent, arrived)
    exported = [
        Crossing("exported", "eu-1", "id-1", "settled", number, "", bytes([number]) * 32, 1, (), "", NOW)
        for number in range(1, sent + 1)
    ]
    admitted = [replace(crossing, direction="admitted") for crossing in exported[:arrived]]
    comparison = compare(log_of(exported), log_of(admitted), "eu-1", "id-1")
    assert (comparison.differences, comparison.in_flight) == ((), sent - arrived)
