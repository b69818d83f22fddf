"""JSON from outside, read as I-JSON (RFC 7493): two readers of one text must not take it for two different things.

Refused beside what is no JSON (RFC 8259): an object with a member twice (section 2.3), surrogates without their other half and
noncharacters of Unicode (2.1), NaN and Infinity, any encoding but UTF-8, and objects nested deeper than 200. Numbers (2.2) are left to
the models: each of their number fields has its bounds.

The parser is jiter, which pydantic has inside: the one of ours that sees doubled members.
"""

import re
from typing import Any

import jiter

_PLACE = re.compile(r"(?P<what>.*) at (?P<place>line [0-9]+ column [0-9]+)", re.DOTALL)
_DOUBLED = "Detected duplicate key"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# U+FDD0 to U+FDEF and the last two of each plane. Their bytes in UTF-8 have one of these in them, and most texts have none.
_NONCHARACTERS = re.compile(
    "[\ufdd0-\ufdef"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)
_RAW = (b"\xef\xb7", b"\xbf\xbe", b"\xbf\xbf")
# Written as escapes, they begin so.
_ESCAPED = re.compile(rb"\\u(?:fd[de]|fff[ef]|d[89ab][37bf]f\\udff[ef])", re.IGNORECASE)


class NotIJson(ValueError):
    """`str` of it says what is wrong and where, and nothing of what the text holds."""


def loads(text: bytes) -> Any:
    """The value. Raises NotIJson."""
    try:
        # No values in the parser's cache: it would keep names and account numbers beyond the request.
        value = jiter.from_json(text, allow_inf_nan=False, cache_mode="keys", catch_duplicate_keys=True)
    except ValueError as error:
        raise NotIJson(_words(text, str(error))) from None
    if _may_hold_noncharacter(text) and _has_noncharacter(value):
        raise NotIJson("It holds a noncharacter of Unicode, such as U+FFFF.")
    return value


def _words(text: bytes, said: str) -> str:
    if text.startswith(_BYTE_ORDER_MARK):
        return "It begins with a byte order mark; send UTF-8 without one."
    found = _PLACE.fullmatch(said)
    what, place = (found["what"], found["place"].replace(" column", ", column")) if found else (said, "")
    if what.startswith(_DOUBLED):
        # The parser quotes the name, which is the sender's own text.
        return f"A member of an object is there twice: see {place}."
    return f"{place.capitalize()}: {what}." if place else "It cannot be read."


def _may_hold_noncharacter(text: bytes) -> bool:
    first, second, third = _RAW
    return first in text or second in text or third in text or (b"\\u" in text and _ESCAPED.search(text) is not None)


def _has_noncharacter(value: Any) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if _NONCHARACTERS.search(one):
                return True
        elif isinstance(one, dict):
            waiting += one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return False
