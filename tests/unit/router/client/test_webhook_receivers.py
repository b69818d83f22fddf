"""Whoever receives webhooks as it is documented meets one exception, whatever comes: the client's, the webhook page's, the partner page's."""

import base64
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from hypothesis import example, given
from hypothesis import strategies as st

from infra.local.ports import is_free
from router.client import Webhook, WebhookVerificationError
from tests.architecture.tree import ROOT
from tests.support.servers import free_port
from tests.support.waiting import until

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
BODY = b'{"id": "evt_1", "type": "webhook.test", "data": {}}'
PAGE: dict[str, Any] = {}
exec(
    re.search(r"```python\n(from standardwebhooks.*?)```", (ROOT / "router" / "WEBHOOKS.md").read_text(), re.DOTALL)[1],
    PAGE,
)  # type: ignore[index]


def signed(body: bytes = BODY) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = standardwebhooks.Webhook(SECRET).sign("evt_1", now, body.decode())
    return {"webhook-id": "evt_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def received(body: bytes, headers: Mapping[str, str]) -> list[Any]:
    """What each documented receiver makes of it: the event, or the one exception."""
    found = []
    for receive in (Webhook(SECRET).verify, lambda body, headers: PAGE["received"](body, dict(headers), SECRET)):
        try:
            found.append(receive(body, headers))
        except WebhookVerificationError:
            found.append(None)
    return found


def test_what_is_signed_is_the_event() -> None:
    assert received(BODY, signed()) == [json.loads(BODY)] * 2
    headers = signed()
    headers["webhook-signature"] = f"v1a,x {headers['webhook-signature']}"
    assert received(BODY, headers) == [json.loads(BODY)] * 2


_NAMES = st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "Webhook-Id", "x"])
_VALUES = (
    st.text(max_size=60)
    | st.text("v1a,= +/AZ09.\ud800\x00é", max_size=60)
    | st.sampled_from(
        [
            "",
            "nan",
            "inf",
            "-1",
            "9" * 400,
            "1e400",
            "v1",
            "v1,",
            ",",
            "v1,é",
            "v1,A",
            "v1,AAAA,AAAA",
            "v1a,!",
            "v1,\ud800",
        ]
    )
)


@given(st.dictionaries(_NAMES, _VALUES, max_size=4), st.binary(max_size=80) | st.just(BODY))
@example({"webhook-signature": "v1"}, BODY)
@example({"webhook-signature": "v1,A"}, BODY)
@example({"webhook-signature": "v1,\u00e9"}, BODY)
@example({"webhook-id": "\ud800"}, BODY)
@example({"webhook-timestamp": "9" * 5_000}, BODY)
@example({}, b"\xff")
def test_whatever_is_malformed_raises_that_one_exception(changed: dict[str, str], body: bytes) -> None:
    events = received(body, {**signed(), **changed})
    # Some changes say nothing to a receiver, as another header's do.
    assert events in ([None, None], [json.loads(BODY)] * 2)
    assert body == BODY or events == [None, None]


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"nonsense", b'{"a": NaN', b"1" * 10_000])
def test_a_body_that_is_signed_and_no_json_raises_it_too(body: bytes) -> None:
    assert received(body, signed(body)) == [None, None]


def posted(port: int, headers: Mapping[str, str]) -> int:
    """The status that the body with these headers is answered with."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("POST", "/hook")
    for name, value in {"Content-Length": str(len(BODY)), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(BODY)
    with contextlib.closing(connection):
        return connection.getresponse().status


async def test_the_listener_of_the_partner_page_outlives_whatever_comes(tmp_path: Path) -> None:
    page = (ROOT / "router" / "PARTNERS.md").read_text()
    [text] = re.findall(r"<!-- file: listener\.py -->\n```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "listener.py").write_text(text)
    port = free_port()
    command = [sys.executable, str(tmp_path / "listener.py"), str(port), SECRET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listener:  # noqa: ASYNC220 - it is short
        try:
            await until(lambda: not is_free(port), "the listener")
            for headers in (
                {"Content-Length": "x"}, {"Content-Length": "-1"}, {"Content-Length": "9" * 5_000}, {"webhook-signature": "v1"},
                {**signed(), "webhook-signature": "v1,A"}, {**signed(), "webhook-timestamp": "nan"},
            ):  # fmt: skip
                assert posted(port, headers) == 400, headers
            assert posted(port, signed()) == 204
        finally:
            listener.terminate()
        out, err = listener.communicate(timeout=20)
    assert (out, err) == ("verified webhook.test \n", "")
