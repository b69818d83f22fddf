"""One request, sent until it is answered or the time is up.

What may have been carried out is sent again only with the Idempotency-Key of its first sending. Retried are: no answer, and
problems that say `retryable`; the pause is what Retry-After asks, else it doubles, with jitter.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx

from residency.retry import Backoff, retried
from router.client.errors import NotAsked, Problem, ProblemError, Unreachable

_REGION = "Kovra-Region"
_BACKOFF = Backoff(0.1, 5.0)
WRONG_REGION = 421


class Transport:
    """`retry_s` bounds how long a call is repeated; 0 sends it once."""

    def __init__(self, base_url: str, api_key: str, *, retry_s: float, timeout_s: float) -> None:
        self._retry_s = retry_s
        try:
            self._http = httpx.AsyncClient(
                base_url=base_url.rstrip("/"),
                headers={"Authorization": f"Bearer {api_key}"},
                timeout=timeout_s,
                limits=httpx.Limits(max_connections=64, max_keepalive_connections=64, keepalive_expiry=3.0),
            )
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise NotAsked("The address is none of an API, or the key no API key.") from error

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, *, region: str | None = None, **query: Any) -> Any:
        """The answer's JSON. Raises ProblemError, Unreachable."""
        asked = {name: value for name, value in query.items() if value is not None}
        return await self._repeated("GET", path, _headers(region), params=asked)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        region: str | None = None,
        key: str | None = None,
        follow: bool = False,
    ) -> Any:
        """The answer's JSON. `key`: the Idempotency-Key, a fresh one by default.

        `follow`: when the cell says that this belongs to another region (421), send it there; only for what holds nothing
        personal. Raises ProblemError, Unreachable.
        """
        headers = {**_headers(region), "Idempotency-Key": key or str(uuid4())}
        try:
            return await self._repeated("POST", path, headers, json=body)
        except ProblemError as error:
            elsewhere = (error.problem.model_extra or {}).get("region")
            if not follow or region is not None or error.problem.status != WRONG_REGION or not elsewhere:
                raise
            return await self._repeated("POST", path, {**headers, _REGION: str(elsewhere)}, json=body)

    async def upload(
        self, path: str, content: bytes, kind: str, *, key: str, region: str | None = None, **query: Any
    ) -> Any:
        """The answer's JSON to a body of that media type. Raises ProblemError, Unreachable."""
        headers = {**_headers(region), "Idempotency-Key": key, "Content-Type": kind}
        return await self._repeated("POST", path, headers, content=content, params=query)

    async def delete(self, path: str, *, region: str | None = None) -> None:
        """Raises ProblemError, Unreachable."""
        await self._repeated("DELETE", path, _headers(region))

    async def _repeated(self, method: str, path: str, headers: Mapping[str, str], **more: Any) -> Any:
        return await retried(
            lambda: self._once(method, path, headers, **more),
            _BACKOFF,
            when=_worth_repeating,
            within_s=self._retry_s,
            asked_s=lambda error: error.retry_after_s if isinstance(error, ProblemError) else None,
        )

    async def _once(self, method: str, path: str, headers: Mapping[str, str], **more: Any) -> Any:
        try:
            answer = await self._http.request(method, path, headers=headers, **more)
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as error:
            # The words of the second would show the key.
            raise NotAsked(f"{self._http.base_url} is no address of an API, or the key no API key.") from error
        except httpx.RequestError as error:
            raise Unreachable(f"{self._http.base_url} did not answer ({type(error).__name__}).") from error
        if answer.is_success:
            return _json(answer)
        replayed = answer.headers.get("idempotent-replayed") == "true"
        raise ProblemError(_problem(answer), _seconds(answer.headers.get("retry-after")), replayed=replayed)


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        raise Unreachable(f"{answer.url.host} answered, and not in JSON: is it Kovra's API?") from None


def _headers(region: str | None) -> dict[str, str]:
    return {} if region is None else {_REGION: region}


def _problem(answer: httpx.Response) -> Problem:
    try:
        return Problem.model_validate({"status": answer.status_code, **answer.json()})
    except ValueError:
        # Something between us and the API answered, and not in its language.
        busy = answer.status_code in (429, 502, 503, 504)
        return Problem(
            title=answer.reason_phrase, status=answer.status_code, code="not-a-problem-document", retryable=busy
        )


def _worth_repeating(error: BaseException) -> bool:
    if isinstance(error, ProblemError):
        return error.problem.retryable or error.problem.status == 429
    return isinstance(error, Unreachable)


def _seconds(seconds: str | None) -> float | None:
    return float(seconds) if seconds is not None and seconds.isdigit() else None
