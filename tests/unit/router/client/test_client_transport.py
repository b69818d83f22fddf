"""When a call is sent again, and under which key: against a real little server."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import orjson
import pytest

from router.client import KovraClient, ProblemError, Unreachable
from tests.support.edge_cells import serve

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Script:
    """Answers (status, body, headers) in turn; `seen` has the headers of each request."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        self.seen: list[dict[str, str]] = []

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Send
    ) -> None:
        self.seen.append({name.decode(): value.decode() for name, value in scope["headers"]})
        while (await receive()).get("more_body", False):
            pass
        status, body, headers = self.answers.pop(0)
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": orjson.dumps(body)})


@pytest.fixture
async def api() -> AsyncIterator[tuple[Script, KovraClient]]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    script = Script()
    server, serving = await serve(script, listener)
    async with KovraClient(f"http://127.0.0.1:{listener.getsockname()[1]}", "kv_test", retry_s=5.0) as client:
        yield script, client
    server.should_exit = True
    await serving


_DEPOSIT = {"wallet_id": "w", "amount": {"value": "1.00", "currency": "EUR"}, "rail": "r", "scheme_reference": "s"}
_WALLET = "wal_eu1_06gvn209d9r8936uvbpfirvh48"


def _problem(status: int, *, retryable: bool, **more: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    return status, {"code": "c", "title": "t", "detail": "d", "retryable": retryable, **more}, {"retry-after": "0"}


async def test_a_retryable_problem_is_sent_again_under_the_same_key(api: tuple[Script, KovraClient]) -> None:
    script, client = api
    script.answers = [_problem(503, retryable=True), _problem(504, retryable=True), (202, _DEPOSIT, {})]
    done = await client.sandbox.deposit(_WALLET, "1.00", "EUR")
    assert done.rail == "r"
    keys = [one["idempotency-key"] for one in script.seen]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert {one["kovra-region"] for one in script.seen} == {"eu-1"}


async def test_a_final_refusal_is_told_at_once(api: tuple[Script, KovraClient]) -> None:
    script, client = api
    script.answers = [_problem(422, retryable=False, pointer="/amount")]
    with pytest.raises(ProblemError) as refused:
        await client.sandbox.deposit(_WALLET, "1.00", "EUR")
    assert (refused.value.problem.status, refused.value.problem.pointer, refused.value.replayed) == (
        422,
        "/amount",
        False,
    )
    assert len(script.seen) == 1


async def test_a_refusal_given_again_is_known_as_such(api: tuple[Script, KovraClient]) -> None:
    script, client = api
    status, body, headers = _problem(422, retryable=False)
    script.answers = [(status, body, {**headers, "idempotent-replayed": "true"})]
    with pytest.raises(ProblemError) as refused:
        await client.sandbox.deposit(_WALLET, "1.00", "EUR", key="mine")
    assert refused.value.replayed
    assert script.seen[0]["idempotency-key"] == "mine"


async def test_the_wrong_region_is_followed_only_where_nothing_personal_is_sent(
    api: tuple[Script, KovraClient],
) -> None:
    script, client = api
    wrong = _problem(421, retryable=False, region="ID")
    script.answers = [wrong, _problem(422, retryable=False)]
    with pytest.raises(ProblemError):
        await client.quotes.create(source=("1.00", "IDR"), target_currency="EUR")
    assert [one.get("kovra-region") for one in script.seen] == [None, "ID"]
    script.answers = [wrong]
    with pytest.raises(ProblemError) as refused:
        await client.recipients.create(region="EU", currency="IDR", name="n", account={})
    assert refused.value.problem.status == 421
    assert len(script.seen) == 3


async def test_no_answer_is_unreachable() -> None:
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    async with KovraClient(f"http://127.0.0.1:{closed.getsockname()[1]}", "kv_test", retry_s=0.0) as client:
        with pytest.raises(Unreachable):
            await client.wallets.list()
    closed.close()
