"""The profiles of the rails, read from `profiles/<rail>.toml`, where each fact stands beside its source.

A fact is written `name = { value = …, source = "…" }`; the value "none" is none. A source begins with a document of the file
(`documents.rulebook`, so `rulebook: EUR 0.01`; several with a plus between them), with `ours` for what is ours to decide, or with
`unconfirmed`, and may go on after a colon. Invariant: one profile that does not hold together, and none is served.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from cells.rails.profile import RailProfile
from residency.faults import faults_of
from residency.rails import FOLDER, RailsInvalid, rail_documents

_PLAIN = frozenset({"title", "ledger_number"})
_FACT = frozenset({"value", "source"})
_NONE = "none"
_SOURCE = re.compile(r"(?P<documents>[a-z0-9_]+(?: \+ [a-z0-9_]+)*)(?P<rest>: .+)?", re.DOTALL)
_UNSOURCED = frozenset({"ours", "unconfirmed"})


@cache
def rail_profiles() -> Mapping[str, RailProfile]:
    """Every rail there is, by name. Raises RailsInvalid with each fault of each file."""
    found: dict[str, RailProfile] = {}
    faults: list[str] = []
    numbers: dict[int, str] = {}
    for name, document in rail_documents().items():
        try:
            found[name] = one = read_profile(name, document)
        except RailsInvalid as error:
            faults += error.faults
            continue
        if (first := numbers.setdefault(one.ledger_number, name)) != name:
            faults.append(
                f"{FOLDER}/{name}.toml: ledger_number: {one.ledger_number} is {first}'s; take one never used."
            )
    if faults:
        raise RailsInvalid.of(faults)
    return MappingProxyType(found)


def read_profile(name: str, document: Mapping[str, Any]) -> RailProfile:
    """The profile in a document as TOML has it. Raises RailsInvalid."""
    place = f"{FOLDER}/{name}.toml"
    documents = document.get("documents", {})
    given = {key: one for key, one in document.items() if key != "documents"}
    sources: dict[str, str] = {}
    faults: list[str] = []
    values = _split(given, documents, sources, faults)
    if faults:
        raise RailsInvalid.of([f"{place}: {one}." for one in faults])
    try:
        return RailProfile.model_validate({**values, "name": name, "sources": sources})
    except ValidationError as error:
        raise RailsInvalid.of([f"{place}: {one}." for one in faults_of(error)]) from error


def _split(
    given: Mapping[str, Any], documents: Mapping[str, str], sources: dict[str, str], faults: list[str], under: str = ""
) -> dict[str, Any]:
    """The values by name; their sources, written out, go to `sources` by path (`text.signs`), and what has none to `faults`."""
    values: dict[str, Any] = {}
    for name, one in given.items():
        path = under + name
        if not under and name in _PLAIN:
            values[name] = one
        elif not isinstance(one, dict) or (one.keys() & _FACT and one.keys() != _FACT):
            faults.append(f'{path}: write it {{ value = …, source = "…" }}')
        elif one.keys() != _FACT:
            values[name] = _split(one, documents, sources, faults, f"{path}.")
        else:
            values[name] = None if one["value"] == _NONE else one["value"]
            written = _source(one["source"], documents)
            if written is None:
                known = ", ".join([*documents, *sorted(_UNSOURCED)])
                faults.append(f"{path}: its source begins with one of {known}, and a colon before what else it says")
            else:
                sources[path] = written
    return values


def _source(given: Any, documents: Mapping[str, str]) -> str | None:
    """A source with its documents in full; None where it names none."""
    found = _SOURCE.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        return None
    names, rest = found["documents"].split(" + "), found["rest"] or ""
    if names[0] in _UNSOURCED:
        return given if rest and len(names) == 1 else None
    if not documents.keys() >= set(names):
        return None
    return " and ".join(documents[one] for one in names) + rest


def facts_of(profile: RailProfile) -> Iterator[tuple[str, Any, str]]:
    """Each fact as (path, value, source), in the order of the file."""
    for path, source in profile.sources.items():
        value: Any = profile
        for part in path.split("."):
            value = getattr(value, part)
        yield path, value, source
