"""Every parser in the tree stands behind a door with a size limit and a budget (tests/support/doors.py), or says here whose bytes it reads."""

import ast
from collections.abc import Iterable, Iterator

from tests.architecture.tree import Function, Source, keep, sources
from tests.support.doors import DOORS

# What turns bytes into structure: the last part of a call's name, and with a module before it where the name alone says too little.
_PARSERS = frozenset({
    "json.loads", "orjson.loads", "i_json.loads", "jiter.from_json", "pickle.loads", "model_validate_json", "validate_json", "csv.reader",
    "read_rows", "etree.fromstring", "etree.iterparse", "etree.parse", "etree.XML", "XMLParser", "b64decode", "urlsafe_b64decode",
    "fromhex", "parse_qsl", "parse_qs", "Message", "jwt.decode", "deserialize_compact", "yaml.safe_load",
    "request.form", "request.json", "self.json",
})  # fmt: skip
# Bytes of our own: what this cell, its operator or the release has written, or what was sealed under this cell's keys.
_OURS = {
    "actors/hosted.py": "between actors of one cluster, which its token keeps closed",
    "cells/audit/__main__.py::main": "the auditor's own files, on the auditor's machine",
    "cells/audit/verify.py": "an export, on the auditor's machine",
    "cells/backends/postgres.py": "jsonb out of the cell's own database",
    "cells/customs": "hashes of an envelope whose signature holds",
    "cells/parties/sealing.py": "opened under this cell's keys",
    "cells/parties/token.py::_keys_at": "keys of the directory",
    "cells/rails/console.py::_ask": "the simulated scheme, in a sandbox alone",
    "cells/spec.py::load_spec": "cell.json",
    "cells/tenants/tokens.py::public_jwk": "keys of the directory",
    "cells/payments/personal.py": "opened under this cell's keys",
    "cells/webhooks/signing.py": "keys of the cell's own making",
    "infra/local": "what the stack has written into its home",
    "infra/schemes": "the simulated schemes: a sandbox's part, which hears its own cell",
    "residency/directory.py": "the declared cells and their overlay",
    "residency/log.py::_read": "what this process is about to log",
    "residency/envelope.py::_sealing_key": "keys of the directory",
    "residency/envelope.py::_signing_key": "keys of the directory",
    "residency/envelope.py::unseal": "sealed for this cell, in an envelope whose signature holds, of ENVELOPE_BYTES_MAX at most",
    "router/cli/demo_listener.py": "the demo's own listener, for the demo's own cells",
    "router/cli/sandbox.py": "what this command has written",
    "router/cli/trace_causes.py": "lines of the stack's own logs",
    "router/edge/settings.py": "router.json",
}


def parsers(found: Iterable[Source]) -> Iterator[str]:
    """`file::function` of each call of a parser."""
    for source in found:
        yield from (f"{source.path}::{name}" for name in _within(source.tree, ""))


def _within(node: ast.AST, function: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and _is_parser(ast.unparse(child.func)):
            yield function
        yield from _within(child, child.name if isinstance(child, Function) else function)


def _is_parser(called: str) -> bool:
    return any(called == one or called.endswith(f".{one}") for one in _PARSERS)


def doorless(found: Iterable[str]) -> Iterator[str]:
    behind = frozenset().union(*(door.reads for door in DOORS))
    for place in found:
        if place not in behind and not any(place == one or place.startswith((f"{one}/", f"{one}::")) for one in _OURS):
            yield place


def test_every_parser_is_behind_a_door() -> None:
    found = set(parsers(sources("actors", "cells", "infra", "residency", "router")))
    keep(
        "What parses bytes is behind a door of tests/support/doors.py, or named in _OURS with whose bytes they are.",
        why="a parser without a size limit and a test of its worst case is how a few kilobytes of a stranger's cost everybody seconds.",
        mend="add the function to `reads` of its door, or a door with its limit, its budget and its worst texts; or name it in _OURS.",
        breaches=doorless(found),
    )
    behind = frozenset().union(*(door.reads for door in DOORS))
    assert behind <= found, f"take what is gone out of tests/support/doors.py: {sorted(behind - found)}"
    for one in _OURS:
        assert any(place == one or place.startswith((f"{one}/", f"{one}::")) for place in found), (
            f"take {one} out of _OURS"
        )


def test_a_parser_without_a_door_is_seen() -> None:
    source = Source("router/x.py", "import orjson\ndef take(body):\n    return orjson.loads(body)\n")
    assert list(doorless(parsers([source]))) == ["router/x.py::take"]


def test_every_door_has_its_own_name_limit_and_budget() -> None:
    assert len({one.name for one in DOORS}) == len(DOORS)
    assert all(one.size_max > 0 and one.budget > 0 and one.worst for one in DOORS)
