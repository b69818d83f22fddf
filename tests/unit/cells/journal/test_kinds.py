"""The closed list of kinds: no body can be defined that could hold a person, and nothing is written that is on no list."""

from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import ConfigDict, Field

from cells.journal.body import Body
from cells.journal.entry import Author, Draft, Entry, born_of
from cells.journal.kinds import KINDS, UnknownKind, check
from cells.journal.store import document
from residency.classes import Class, Confidential, Personal, Public, classify
from residency.crossing import UnfitForBorder
from residency.ids import MalformedId

ID = "tr_eu1_06h2fs33o9qbb1fct6990vpt4c"


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        (Annotated[str, Personal], "Personal"),
        (str, "unmarked"),
        (Annotated[str, Public], "free text"),
        (Annotated[dict[str, str], Confidential], "free text"),
        (Annotated[Any, Public], "open type"),
        (Annotated[object, Public], "open type"),
        (Annotated[list[Annotated[str, Field(pattern="^[a-z]+$"), Personal]], Public], "Personal"),
    ],
)
def test_a_body_that_could_hold_a_person_cannot_be_defined(annotation: Any, why: str) -> None:
    with pytest.raises(UnfitForBorder, match=why):
        type("Careless", (Body,), {"__annotations__": {"name": annotation}, "__module__": __name__})


def test_a_body_that_takes_more_than_its_fields_cannot_be_defined() -> None:
    with pytest.raises(UnfitForBorder, match="forbid extra"):
        type(
            "Open", (Body,), {"model_config": ConfigDict(extra="allow"), "__annotations__": {}, "__module__": __name__}
        )


def test_every_field_of_every_body_is_classified_and_none_is_personal() -> None:
    for body in set(KINDS.values()):
        assert set(classify(body).values()) <= {Class.PUBLIC, Class.CONFIDENTIAL}, body


@pytest.mark.parametrize(
    ("kind", "facts", "wrong"),
    [
        ("transfer.paid.1", {}, "no kind"),
        ("transfer.held.2", {"state": "FUNDS_HELD"}, "no kind"),
        ("transfer.held.1", {}, "state"),
        ("transfer.held.1", {"state": "FUNDS HELD"}, "state"),
        ("transfer.held.1", {"state": "FUNDS_HELD", "name": "Astrid"}, "name"),
        ("transfer.held.1", {"state": "FUNDS_HELD", "instruction_sha256": "00"}, "instruction_sha256"),
        ("transfer.answered.1", {"answer": {"event": "settled", "at": "2026-11-20T09:30:00Z", "note": "x"}}, "answer.note"),
        ("transfer.doubted.1", {"in_doubt": "Astrid"}, "in_doubt"),
    ],
)  # fmt: skip
def test_what_is_on_no_list_is_not_written(kind: str, facts: dict[str, Any], wrong: str) -> None:
    with pytest.raises(UnknownKind, match=wrong) as refusal:
        check(kind, facts)
    assert "Astrid" not in str(refusal.value)
    with pytest.raises(UnknownKind):
        document(Draft(ID, 2, kind, "ten", Author("key"), facts))


def test_a_stream_lies_in_the_month_of_its_id() -> None:
    assert born_of(ID) == date(2026, 11, 1)
    for edge, month in (("0" * 26, date(1970, 1, 1)), ("v" * 26, date(9999, 12, 1))):
        assert born_of(f"tr_eu1_{edge}") == month
    for odd in ("tr_1", "", "fee_rule_eu", ID.upper()):
        with pytest.raises(MalformedId):
            born_of(odd)


def test_an_entry_says_what_happened_and_who_did_it() -> None:
    entry = Entry(ID, 2, "transfer.held.1", "ten", "component:wallet", "", None, 7, {})  # type: ignore[arg-type]
    assert (entry.event, entry.by) == ("held", "wallet")
