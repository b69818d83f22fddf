"""The form of a body by its headers: obeyed, or refused by name, whatever is written there."""

import pytest
from starlette.requests import Request

from router.api.errors import MediaTypeUnsupported
from router.api.media import media_type


def of(text: str) -> str:
    return media_type(Request({"type": "http", "headers": [(b"content-type", text.encode("latin-1"))]}))


@pytest.mark.parametrize(
    "text", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8";x=y']
)
def test_what_is_taken(text: str) -> None:
    assert of(text) == "application/json"


@pytest.mark.parametrize(
    "text",
    ["application/json;charset*=utf-8''utf-8", "application/json;a*0*=x", "application/json;a*=utf-8'en'x", "text/csv;header*=us-ascii''absent",
     "application/json;charset=latin-1", "text/csv;header=absent"],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(MediaTypeUnsupported):
        of(text)
