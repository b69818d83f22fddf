"""A rail's profile as it is written: every fact with its source, and what is miswritten named by its file and key."""

import tomllib
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from cells.rails.profile import RailProfile
from cells.rails.profile_files import facts_of, rail_profiles, read_profile
from residency import rails
from residency.rails import RailsInvalid, rail_documents

Document = dict[str, Any]
EVERY_PROFILE = pytest.mark.parametrize("profile", rail_profiles().values(), ids=lambda one: one.name)


def fact(value: object, source: str = "ours: an example") -> Document:
    return {"value": value, "source": source}


@EVERY_PROFILE
def test_every_fact_is_shown_with_a_source_in_full(profile: RailProfile) -> None:
    shown = {path: source for path, _, source in facts_of(profile)}
    plain = {"name", "title", "ledger_number", "sources"}
    assert {path.partition(".")[0] for path in shown} >= RailProfile.model_fields.keys() - plain - {"snap", "hours"}
    documents = rail_documents()[profile.name]["documents"]
    for path, source in shown.items():
        assert source.startswith((*documents.values(), "ours: ", "unconfirmed: ")), (path, source)


@EVERY_PROFILE
def test_every_document_is_cited(profile: RailProfile) -> None:
    document = rail_documents()[profile.name]
    cited = " ".join(profile.sources.values())
    assert [name for name, text in document["documents"].items() if text not in cited] == []


def with_(**facts: object) -> Callable[[Document], None]:
    return lambda document: document.update(facts)


def without(name: str) -> Callable[[Document], object]:
    return lambda document: document.pop(name)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without("ceiling_minor"), r"ceiling_minor: Field required"),
        (with_(ceiling_minor=5), r"ceiling_minor: write it \{ value = …, source = \"…\" \}"),
        (with_(ceiling_minor={"value": 5}), r"ceiling_minor: write it"),
        (with_(ceiling_minor={"value": 5, "source": "ours: x", "note": ""}), r"ceiling_minor: write it"),
        (with_(ceiling_minor=fact("1.00")), r"ceiling_minor: Input should be a valid integer"),
        (with_(ceiling_minor=fact(1.5)), r"ceiling_minor: Input should be a valid integer"),
        (with_(ceiling_minor=fact(True)), r"ceiling_minor: Input should be a valid integer"),
        (with_(floor_minor=fact(-1)), r"floor_minor: .*greater than or equal to 0"),
        (with_(floor_minor=fact("none")), r"floor_minor: Input should be a valid integer"),
        (with_(ceiling=fact(5)), r"ceiling: Extra inputs are not permitted"),
        (with_(currency=fact("euro")), r"currency: String should match"),
        (with_(currency=fact("IDR")), r"floor_minor: not payable in that currency"),
        (
            with_(floor_minor=fact(1, "rulbook")),
            r"floor_minor: its source begins with one of rulebook, .*ours, unconfirmed",
        ),
        (with_(floor_minor=fact(1, "ours")), r"floor_minor: its source begins with one of"),
        (with_(floor_minor=fact(1, "rulebook + ours: x")), r"floor_minor: its source begins with one of"),
        (with_(floor_minor=fact(1, "")), r"floor_minor: its source begins with one of"),
        (with_(floor_minor=fact(1, 7)), r"floor_minor: its source begins with one of"),  # type: ignore[arg-type]
        (with_(zone=fact("Europe/Atlantis")), r"zone: .*no time zone of the IANA database"),
        (with_(countries=fact("EEA")), r"countries: .*name an area of areas\.toml: SEPA"),
        (with_(countries=fact([])), r"countries: .*at least 1"),
        (with_(calendar=fact("MARS")), r"calendar: Input should be 'TARGET', 'GB' or 'ID'"),
        (with_(calendar=fact("none")), r"calendar: a scheme that closes has one"),
        (with_(reasons=fact(["AC04", "ZZ99"])), r"reasons: .*ZZ99 has no words in reason_words\.toml"),
        (with_(reasons=fact(["AC04", "AM05"])), r"reasons: a duplicate ends no payment"),
        (with_(not_found_code=fact("AC04")), r"reasons: what the scheme does not know may be on its way"),
        (with_(answer_time_s=fact(301)), r"answer_time_s: .*less than or equal to 300"),
        (with_(answer_time_s=fact(0)), r"answer_time_s: .*greater than 0"),
        (with_(wires=fact(["iso8583"])), r"wires\.0: Input should be 'iso20022' or 'snap'"),
        (with_(wires=fact(["snap"])), r"snap: the wire of that name needs it"),
        (with_(unmatched=fact("keep")), r"unmatched: Input should be 'suspend' or 'refuse'"),
        (with_(carries=fact(["lei"])), r"carries\.0: Input should be"),
        (with_(ledger_number=0), r"ledger_number: .*greater than 0"),
        (with_(ledger_number=fact(1)), r"ledger_number: Input should be a valid integer"),
        (with_(title=fact("x")), r"title: Input should be a valid string"),
        (lambda one: one["text"].update(signs=5), r"text\.signs: write it"),
        (lambda one: one["text"].pop("name_length"), r"text\.name_length: Field required"),
        (lambda one: one["text"].update(sign=fact("x")), r"text\.sign: Extra inputs"),
        (lambda one: one["hours"].update(opens=fact("07:00")), r"hours\.opens: Input should be a valid time"),
        (
            lambda one: one["hours"].update(opens=one["hours"]["closes"]),
            r"hours: .*opens is before cut_off, and cut_off not after closes",
        ),
        (lambda one: one["messages"].update(payment=fact("pacs.008")), r"messages\.payment: String should match"),
        (lambda one: one["documents"].pop("rulebook"), r"currency: its source begins with one of guidelines, "),
    ],
)
def test_what_is_miswritten_is_named(spoil: Callable[[Document], object], said: str) -> None:
    document = deepcopy(dict(rail_documents()["sepa_credit_transfer"]))
    spoil(document)
    with pytest.raises(RailsInvalid, match=r"cells/rails/profiles/pigeon\.toml: " + said):
        read_profile("pigeon", document)


def test_every_fault_of_every_file_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chaps, rtgs = (deepcopy(dict(rail_documents()[name])) for name in ("chaps", "bi_rtgs"))
    chaps["floor_minor"], chaps["zone"] = fact("x"), fact("Mars")
    monkeypatch.setattr(
        "cells.rails.profile_files.rail_documents", lambda: {"chaps": chaps, "bi_rtgs": rtgs, "bi_two": rtgs}
    )
    with pytest.raises(RailsInvalid) as caught:
        rail_profiles.__wrapped__()
    assert [one.partition(": ")[2].partition(":")[0] for one in caught.value.faults] == [
        "floor_minor",
        "zone",
        "ledger_number",
    ]
    assert "bi_two.toml: ledger_number: 6 is bi_rtgs's" in caught.value.detail


@pytest.mark.parametrize("text", [b"title = ", b"title = 1\ntitle = 2", b"\xff"])
def test_a_file_that_is_no_toml_is_named(text: bytes, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pigeon.toml").write_bytes(text)
    monkeypatch.setattr(rails, "_PROFILES", tmp_path)
    with pytest.raises(RailsInvalid, match=r"profiles/pigeon\.toml: cannot be read"):
        rail_documents.__wrapped__()


def test_none_is_written_out() -> None:
    assert tomllib.loads('x = { value = "none", source = "ours: x" }')
    assert rail_profiles()["chaps"].ceiling_minor is None
    assert rail_profiles()["sepa_instant"].hours is None
