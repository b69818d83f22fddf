"""Requests that are wrong in one way each, made of right ones: something said twice, a text that is no I-JSON, a time or a number at the
edge of what can be held. Drawn from the OpenAPI document by a seed. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from cells.kit.headers import SINGLE
from tests.support.tenant_matrix import Attempt, attempts

INSTANTS: tuple[Any, ...] = (
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "0001-01-01T00:00:00+14:00", "0000-12-31T23:59:59Z", "0001-01-01T00:00:00-23:59",
    "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:59.999999-12:00", "9999-12-31T23:59:59.9999999999Z",
    "9999-12-31T23:59:59+23:59", "9999-12-31T24:00:00Z", "10000-01-01T00:00:00Z", "+010000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z",
    "2026-02-29T00:00:00Z", "2026-06-30T23:59:60Z", "2026-11-21T24:00:00Z", "2026-11-21T10:00:00+24:00", "2026-11-21T10:00:00+23:60",
    "2026-11-21T10:00:00-00:00", "2026-11-21t10:00:00z", "2026-11-21 10:00:00Z", "2026-11-21T10:00Z", "2026-11-21T10:00:00", "2026-11-21",
    "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "2038-01-19T03:14:08Z", "2262-04-11T23:47:16.854775808Z", "1677-09-21T00:12:43Z",
    "1582-10-10T00:00:00Z", "294277-01-01T00:00:00Z", "2026-11-21T10:00:00.1234567890123456789Z", "２０２６-11-21T10:00:00Z",
    "infinity", "-infinity", "now", "epoch", "", "Z", " 2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z\u0000", "0" * 5_000, "2026-11-21T10:00:00Z" * 50,
)  # fmt: skip
NO_TEXTS: tuple[Any, ...] = (0, -1, 1795245139, 10**18, 1.5, True, [], {}, None)
NUMBERS = (
    "0", "-0", "-1", "1.0", "1.5", "1e0", "1e2", "1e400", "-1e400", "1e-400", str(2**31), str(2**53 + 1), str(2**63), str(-(2**63) - 1), str(2**64),
    "9" * 400, "0." + "3" * 400, "true", "null", '"1"', '"１"', "[1]",
)  # fmt: skip
# Each stands for a value, as it is written.
NO_I_JSON = (
    '"\\ud800"', '"\\udc00\\ud800"', '"\\uffff"', '"\\ufdd0"', '"\\ud83f\\udffe"', "NaN", "Infinity", "-Infinity", '"\t"', "01", "1.", "'a'", "[1,]",
    "{\"a\":1,}", '"\\x41"', "[" * 1_000, '{"a":1,"\\u0061":2}', "nul",
)  # fmt: skip
_LEFT_TO_THE_SERVER = {b"content-length", b"host", b"transfer-encoding"}
# The clock of the simulated schemes goes one way, for all tests.
_NO_TIMES = {"/v1/sandbox/time"}
# A place in a body, or (outside) a parameter of the query.
Place = tuple[Any, ...]


@dataclass(frozen=True)
class Mutant:
    """One request. `refused`: the codes of which it must be answered with one; empty for whatever is no failure of ours."""

    kind: str
    method: str
    path: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    query: list[tuple[str, str]] = field(default_factory=list)
    content: bytes | None = None
    refused: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.kind}: {self.method} {self.path} {self.query} {self.headers} {(self.content or b'')[:500]!r}"


class Mutants:
    """`own`: ids by the name under which they are asked for. `operator`: the `Authorization` of administration."""

    def __init__(self, document: Mapping[str, Any], own: Mapping[str, str], operator: str, random: Random) -> None:
        self._document = document
        self._random = random
        self._operator = operator
        # Deleting, revoking and cancelling are left to mutants that are refused.
        self._base = list({(one.method, one.path): one for one in attempts(document, own, own)}.values())
        self._numbers = 0

    def drawn(self) -> Iterator[Mutant]:
        """For ever, each way as often as the others."""
        ways = [
            self._headers, self._parameters, self._unknown_parameters, self._members, self._texts, self._bodies, self._instants, self._numbers_of
        ]  # fmt: skip
        while True:
            for way in ways:
                made = way()
                if made is not None:
                    yield made

    def _headers(self) -> Mutant:
        base = self._random.choice(self._base)
        name = self._random.choice(sorted(SINGLE - _LEFT_TO_THE_SERVER)).decode()
        values = self._random.choice([("EU", "EU"), ("EU", "ID"), ("", "EU"), ("a" * 300, "b")])
        spelt = [self._random.choice([name, name.upper(), name.title()]) for _ in values]
        return self._mutant(
            "a header twice", base, headers=list(zip(spelt, values, strict=True)), refused="header-repeated"
        )

    def _parameters(self) -> Mutant | None:
        base = self._random.choice(self._base)
        known = [one for one in self._query_of(base) if one["schema"].get("type") != "array"]
        if not known:
            return None
        name = self._random.choice(known)["name"]
        query = [*base.query.items(), (name, "1"), (name, self._random.choice(["1", "2"]))]
        return self._mutant("a parameter twice", base, query=query, refused="parameter-repeated")

    def _unknown_parameters(self) -> Mutant:
        base = self._random.choice(self._base)
        names = [
            "scheduled_for",
            "all_or_nothing",
            "dry_run",
            "source_wallet_id",
            "limit[]",
            "Limit",
            "idempotency_key",
            "",
        ]
        known = {one["name"] for one in self._query_of(base)}
        name = self._random.choice([one for one in names if one not in known])
        return self._mutant(
            "an unknown parameter", base, query=[*base.query.items(), (name, "1")], refused="invalid-request"
        )

    def _members(self) -> Mutant | None:
        base = self._with_body()
        place = self._random.choice([at for at, value in _places(base.body) if isinstance(value, dict) and value])
        return self._mutant(
            "a member twice", base, content=_written(base.body, self._again, at=place), refused="body-not-json"
        )

    def _texts(self) -> Mutant | None:
        base = self._with_body()
        place = self._random.choice([at for at, value in _places(base.body) if not isinstance(value, (dict, list))])
        text = self._random.choice(NO_I_JSON)
        return self._mutant(
            "no I-JSON", base, content=_written(base.body, lambda _: text, at=place), refused="body-not-json"
        )

    def _bodies(self) -> Mutant:
        """A body where none is taken."""
        base = self._random.choice([one for one in self._base if one.body is None])
        said = self._random.choice([b'{"status":"COMPLETED"}', b"[]", b"x", b"null", b'{"a":1,"a":2}'])
        return self._mutant("a body for nobody", base, content=said, refused="invalid-request")

    def _instants(self) -> Mutant | None:
        return self._at_the_edge(
            "a time", "date-time", lambda: json.dumps(self._random.choice([*INSTANTS, *INSTANTS, *NO_TEXTS]))
        )

    def _numbers_of(self) -> Mutant | None:
        return self._at_the_edge("a number", "integer", lambda: self._random.choice(NUMBERS))

    def _at_the_edge(self, kind: str, wanted: str, text: Any) -> Mutant | None:
        found: list[tuple[Attempt, Place, bool]] = []
        for base in self._base:
            if base.path in _NO_TIMES:
                continue
            found += [(base, (one["name"],), False) for one in self._query_of(base) if _is(one["schema"], wanted)]
            if base.body is not None:
                found += [(base, place, True) for place in self._fields_of(base, wanted)]
        base, place, in_body = self._random.choice(found)
        if not in_body:
            value = json.loads(text()) if wanted == "date-time" else text()
            return self._mutant(kind, base, query=[*base.query.items(), (str(place[0]), str(value))])
        body = json.loads(json.dumps(base.body))
        inside = body
        for step in place[:-1]:
            inside = inside[step]
        inside[place[-1]] = None
        return self._mutant(kind, base, content=_written(body, lambda _: text(), at=place))

    def _with_body(self) -> Attempt:
        return self._random.choice([one for one in self._base if one.body is not None])

    def _query_of(self, base: Attempt) -> list[Mapping[str, Any]]:
        operation = self._document["paths"][base.template][base.method.lower()]
        return [one for one in operation.get("parameters", ()) if one["in"] == "query"]

    def _fields_of(self, base: Attempt, wanted: str) -> Iterator[Place]:
        """Where in a body a value of that type may stand. A batch's lines have their schema beside, since each is checked by itself."""
        content = self._document["paths"][base.template][base.method.lower()]["requestBody"]["content"]
        yield from self._within(content["application/json"]["schema"], wanted, ())
        if base.template == "/v1/batches":
            yield from self._within({"$ref": "#/components/schemas/BatchLineNew"}, wanted, ("lines", 0))

    def _within(self, schema: Mapping[str, Any], wanted: str, at: Place) -> Iterator[Place]:
        if "$ref" in schema:
            schema = self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for name, one in schema.get("properties", {}).items():
            if _is(one, wanted):
                yield (*at, name)

    def _again(self, value: Any) -> str:
        """An object with one member said again, in either order, its name spelt as it may be."""
        members = [(json.dumps(name), json.dumps(one)) for name, one in value.items()]
        name = self._random.choice(sorted(value))
        spelt = self._random.choice([json.dumps(name), '"' + "".join(f"\\u{ord(sign):04X}" for sign in name) + '"'])
        again = self._random.choice([json.dumps(value[name]), "null", '"other"', "[]", "{}"])
        members.insert(self._random.randint(0, len(members)), (spelt, again))
        return "{" + ",".join(f"{first}:{second}" for first, second in members) + "}"

    def _mutant(
        self, kind: str, base: Attempt, *, headers: list[tuple[str, str]] | None = None, query: list[tuple[str, str]] | None = None,
        content: bytes | None = None, refused: str = "",
    ) -> Mutant:  # fmt: skip
        self._numbers += 1
        if content is None and base.body is not None:
            content = json.dumps(base.body).encode()
        doubled = {name.lower() for name, _ in headers or ()}
        usual = [("Idempotency-Key", f"mutant-{self._numbers}"), ("Kovra-Region", "EU")]
        usual += [("Content-Type", "application/json")] if content is not None else []
        usual += [("Authorization", self._operator)] if "/admin/" in base.template else []
        return Mutant(
            kind, base.method, base.path, [*(one for one in usual if one[0].lower() not in doubled), *(headers or ())],
            list(base.query.items()) if query is None else query, content, frozenset({refused} - {""}),
        )  # fmt: skip


def _places(value: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    yield at, value
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, one in inside:
        yield from _places(one, (*at, step))


def _written(value: Any, write: Any, *, at: Place) -> bytes:
    """The value as JSON, but what stands `at` a place as `write` says."""

    def text(one: Any, here: Place) -> str:
        if here == at:
            return str(write(one))
        if isinstance(one, dict):
            return (
                "{" + ",".join(f"{json.dumps(name)}:{text(inner, (*here, name))}" for name, inner in one.items()) + "}"
            )
        if isinstance(one, list):
            return "[" + ",".join(text(inner, (*here, number)) for number, inner in enumerate(one)) + "]"
        return json.dumps(one)

    return text(value, ()).encode()


def _is(schema: Mapping[str, Any], wanted: str) -> bool:
    return wanted in (schema.get("format"), schema.get("type")) or any(
        _is(one, wanted) for one in schema.get("anyOf", ())
    )
