"""The way to a bank that speaks SNAP: an access token kept until shortly before its end, and signed requests.

What each ending of a request means, as for ISO 20022 (cells/rails/iso20022/connector.py):
- no connection, no token, or a refusal before the request was looked at (401, 429): the bank took nothing. NotTaken.
- an answer that is no JSON object, one with a member twice, or none at all: unknown.

SNAP's answers carry no signature: that they are the bank's rests on TLS, so the address of a real bank is https (cells/spec.py).
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from cells.rails.connection import SchemeConnection
from cells.rails.rail import utc_now
from cells.rails.snap import codes
from cells.rails.snap.access import SnapAccess
from cells.rails.snap.signatures import sign_token_request, sign_transaction, timestamp
from residency import i_json

CONNECTIONS_MAX = 16
CONNECT_TIME_S = 3.0
TOKEN_TIME_S = 5.0
# Shorter than a gateway keeps an idle connection: a payment must not be written into one that is being closed.
KEEP_ALIVE_S = 15.0
_TOKEN_PATH = "/v1.0/access-token/b2b"  # noqa: S105 - a path
# A token is given up this long before its end, so that it does not end on its way.
_TOKEN_MARGIN_S = 30.0
_ANSWER_BYTES_MAX = 100_000
_UNAUTHORISED = 401


class NotTaken(Exception):
    """The bank has certainly not taken the request."""


class Unknown(Exception):
    """The bank may have taken the request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`code` is the seven-digit response code, "" where there is none."""

    http_status: int
    code: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    ends: float


class SnapDoor:
    """Safe for concurrent use on one event loop; opens its client at the first request."""

    def __init__(self, connection: SchemeConnection, access: SnapAccess, answer_time_s: float) -> None:
        self._connection = connection
        self._access = access
        self._answer_time_s = answer_time_s
        self._client: aiohttp.ClientSession | None = None
        self._token: _Token | None = None
        self._asking = asyncio.Lock()
        self._asked_in_vain = 0

    async def ask(self, path: str, fields: Mapping[str, Any], external_id: str) -> Answer:
        """The bank's answer to one request; asked once more with a new token where the bank does not know the one that it had.

        Raises NotTaken, Unknown.
        """
        body = orjson.dumps(fields)
        token = await self._valid_token(None)
        answer = await self._post(path, body, self._transaction_headers(path, body, token.text, external_id))
        if answer.http_status == _UNAUTHORISED:
            token = await self._valid_token(token)
            answer = await self._post(path, body, self._transaction_headers(path, body, token.text, external_id))
        return answer

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _valid_token(self, refused: _Token | None) -> _Token:
        """A token that is not `refused`. Raises NotTaken: without one nothing is sent."""
        in_vain_before = self._asked_in_vain
        async with self._asking:
            held = self._token
            if held is not None and held is not refused and held.ends > time.monotonic():
                return held
            # Who waited while another asked in vain does not ask again: a silent bank would be waited for once per payment.
            if self._asked_in_vain != in_vain_before:
                raise NotTaken
            try:
                self._token = held = await self._new_token()
            except NotTaken:
                self._asked_in_vain += 1
                raise
            return held

    async def _new_token(self) -> _Token:
        at = timestamp(utc_now())
        access = self._access
        headers = {
            "X-TIMESTAMP": at,
            "X-CLIENT-KEY": access.client_key,
            "X-SIGNATURE": sign_token_request(access.private_key, access.client_key, at, access.form),
        }
        try:
            async with asyncio.timeout(TOKEN_TIME_S):
                answer = await self._post(_TOKEN_PATH, b'{"grantType":"client_credentials"}', headers)
        except (Unknown, TimeoutError) as error:
            raise NotTaken from error
        text, lasts = answer.fields.get("accessToken"), str(answer.fields.get("expiresIn"))
        if not codes.token_given(answer.http_status, answer.code) or not isinstance(text, str) or not lasts.isdecimal():
            raise NotTaken
        return _Token(text, time.monotonic() + max(int(lasts) - _TOKEN_MARGIN_S, int(lasts) / 2))

    def _transaction_headers(self, path: str, body: bytes, token: str, external_id: str) -> dict[str, str]:
        at = timestamp(utc_now())
        access = self._access
        signature = sign_transaction(
            self._connection.secret, "POST", self._whole_path(path), token, body, at, access.form
        )
        return {
            "Authorization": f"Bearer {token}",
            "X-TIMESTAMP": at,
            "X-SIGNATURE": signature,
            "X-PARTNER-ID": access.partner_id,
            "X-EXTERNAL-ID": external_id,
            "CHANNEL-ID": access.channel_id,
        }

    def _whole_path(self, path: str) -> str:
        return urlsplit(self._connection.url).path + path

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        headers = {**headers, "Content-Type": "application/json"}
        try:
            async with self._open_client().post(
                self._connection.url + path, data=body, headers=headers, allow_redirects=False
            ) as answer:
                content = await answer.content.read(_ANSWER_BYTES_MAX + 1)
                while len(content) <= _ANSWER_BYTES_MAX and (more := await answer.content.readany()):
                    content += more
                return _read(answer.status, content)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotTaken from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unknown from error

    def _open_client(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=KEEP_ALIVE_S),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIME_S, sock_read=self._answer_time_s),
            )
        return self._client


def _read(http_status: int, body: bytes) -> Answer:
    if len(body) > _ANSWER_BYTES_MAX:
        raise Unknown
    try:
        fields = i_json.loads(body)
    except i_json.NotIJson as error:
        raise Unknown from error
    if not isinstance(fields, dict):
        raise Unknown
    code = fields.get("responseCode")
    return Answer(http_status, code if isinstance(code, str) else "", fields)
