"""What of screening crosses a border: lists, versions and a result, of a payer whom somebody has cleared."""

from datetime import timedelta

import pytest

from cells.compliance.attest import LISTS_MISSING, MADE_AFTERWARDS, attestation_fault, crossing_attestation
from cells.compliance.checker import Clear, Subject, Verdict
from cells.compliance.list_checker import open_list_checker
from cells.compliance.magic import SCREENED_NAMES
from tests.support.border import instructed


async def verdict_on(name: str) -> Verdict:
    born = next((one.born for one in SCREENED_NAMES if one.name == name), None)
    [verdict] = await open_list_checker().check([Subject("pyr_1", "person", name, born)])
    return verdict


async def test_what_crosses_names_lists_and_no_one() -> None:
    verdict = await verdict_on("Budi Santoso")
    assert isinstance(verdict, Clear)
    told = crossing_attestation(verdict, reviewed=False).model_dump(mode="json")
    assert set(told) == {"lists", "result", "at"}
    assert set(told["lists"]) == {"eu-consolidated", "uk-sanctions-list", "id-dttot"}
    assert told["result"] == "clear"
    assert crossing_attestation(verdict, reviewed=True).result == "reviewed"


async def test_nothing_crosses_that_nobody_has_cleared() -> None:
    for name, reviewed in (
        ("Kovra Sandbox Blocked", False),
        ("Kovra Sandbox Blocked", True),
        ("Kovra Sandbox Review", False),
    ):
        with pytest.raises(ValueError, match="nothing crosses"):
            crossing_attestation(await verdict_on(name), reviewed=reviewed)
    assert crossing_attestation(await verdict_on("Kovra Sandbox Review"), reviewed=True).result == "reviewed"


def test_an_attestation_must_name_the_lists_of_both_regions_and_come_first() -> None:
    message = instructed()
    assert attestation_fault(message, "EU", "ID") is None
    lacking = message.screening.model_copy(update={"lists": {"eu-consolidated": "1", "uk-sanctions-list": "1"}})
    assert attestation_fault(message.model_copy(update={"screening": lacking}), "EU", "ID") == LISTS_MISSING
    assert attestation_fault(message.model_copy(update={"screening": lacking}), "EU", "UK") is None
    late = message.screening.model_copy(update={"at": message.instructed_at + timedelta(minutes=2)})
    assert attestation_fault(message.model_copy(update={"screening": late}), "EU", "ID") == MADE_AFTERWARDS
