"""What of JSON is refused because two readers could take it for two things (RFC 7493)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residency.i_json import NotIJson, loads

_TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cn"), exclude_characters="\x00"), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"b":2,"a":3}',
        b'{"a":1,"\\u0061":2}',
        '{"ü":1,"\\u00fc":2}'.encode(),
        b'[{"x":{"a":{"b":1,"b":2}}}]',
        b'{"":1,"":2}',
        b'{"__proto__":1,"__proto__":2}',
    ],
)
def test_a_member_twice_is_refused_at_any_depth(text: bytes) -> None:
    with pytest.raises(NotIJson, match=r"^A member of an object is there twice: see line 1, column [0-9]+\.$"):
        loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b'"\\ud800"', b'"\\udc00"', b'"\\udc00\\ud800"', b'{"\\ud83d":1}', b'"\xed\xa0\x80"',  # surrogates
        b'"\\ufdd0"', b'"\\uffff"', b'"\xef\xb7\xaf"', b'"\xef\xbf\xbe"', b'"\\ud83f\\udfff"', b'"\xf0\xaf\xbf\xbe"',
        b'{"\\uffff":1}', b'[[["\xf4\x8f\xbf\xbf"]]]',  # noncharacters
        b"NaN", b"Infinity", b"-Infinity", b'{"a":NaN}',
        b"", b" ", b"{", b'{"a":1,}', b"[1,]", b"{} {}", b"01", b"+1", b"1.", b"'a'", b'{a:1}', b'"\t"', b"// x\n1", b"\x00",
        b"\xef\xbb\xbf{}", b'"\xff"', '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-16-le"),
        b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"9" * 10_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_i_json_is_refused_and_not_quoted(text: bytes) -> None:
    with pytest.raises(NotIJson) as refused:
        loads(text)
    said = str(refused.value)
    assert said.endswith(".")
    assert '"' not in said


def test_names_that_repeat_in_different_objects_are_read() -> None:
    text = b'{"a":{"a":[{"a":1},{"a":"\\ud83d\\ude00 \xc3\xbc \\u00fc \xef\xbf\xbd \xf0\x9f\xbf\xbd"}]}}'
    assert loads(text) == json.loads(text)


@given(_VALUES, st.booleans())
def test_whatever_a_library_writes_is_read_as_it_was(value: object, escaped: bool) -> None:
    assert loads(json.dumps(value, ensure_ascii=escaped).encode()) == value


@given(st.dictionaries(_TEXTS, _VALUES, min_size=1, max_size=5), st.data())
def test_a_member_said_again_anywhere_is_seen(members: dict[str, object], data: st.DataObject) -> None:
    written = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in members.items()]
    again = json.dumps(data.draw(st.sampled_from(sorted(members))), ensure_ascii=data.draw(st.booleans()))
    written.insert(data.draw(st.integers(0, len(written))), f"{again}:null")
    with pytest.raises(NotIJson):
        loads(("{" + ",".join(written) + "}").encode())
