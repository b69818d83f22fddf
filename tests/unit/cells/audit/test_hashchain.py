"""The hash chain under the trail and the customs log."""

import hashlib
from datetime import UTC, datetime

import pytest

from cells.kit.hashchain import Break, Head, canonical, digest, extend, find_break, genesis, next_head

BODIES = [b"one", b"two", b"three"]


def test_the_chain_is_what_its_page_says() -> None:
    start = genesis("x")
    tag = b"kovra-chain-v1\x00"
    assert start == Head(0, hashlib.sha256(tag + b"x").digest())
    body = hashlib.sha256(b"one").digest()
    expected = hashlib.sha256(tag + start.hash + (1).to_bytes(8, "big") + body).digest()
    assert next_head(start, digest(b"one")) == Head(1, expected)


def test_extending_at_once_or_one_by_one_is_the_same() -> None:
    at_once = extend(genesis("x"), BODIES)
    assert extend(at_once[0], BODIES[1:]) == at_once[1:]
    assert extend(genesis("x"), []) == []


def test_a_break_is_found_where_it_is() -> None:
    start = genesis("x")
    links = list(zip(extend(start, BODIES), BODIES, strict=True))
    assert find_break(start, links) is None
    assert find_break(start, [links[0], (links[1][0], b"zwei"), links[2]]) == Break(2, "hash")
    assert find_break(start, [links[0], links[2]]) == Break(2, "sequence")
    assert find_break(genesis("y"), links) == Break(1, "hash")


def test_canonical_bytes_do_not_depend_on_order_and_refuse_what_has_several_forms() -> None:
    assert canonical({"b": 1, "a": ["ü", None, True]}) == '{"a":["ü",null,true],"b":1}'.encode()
    assert canonical({"a": {"y": 1, "x": 2}}) == canonical({"a": {"x": 2, "y": 1}})
    for value in (1.0, datetime.now(UTC), b"x", {1: "x"}, [0.5]):
        with pytest.raises(TypeError):
            canonical({"a": value})
