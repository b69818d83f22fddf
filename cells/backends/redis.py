"""The cell's own Redis: counters that may be lost at any moment, never a lock and nothing that guards money. The only driver import.

One script does all that the edge asks of it, for a whole batch in one round trip and as one step: nothing comes between reading a
counter and writing it. The clock is Redis's own, so that processes whose clocks differ count alike.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from typing import NamedTuple

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from cells.kit.gcra import PERIOD_US, Grant, interval_us
from residency.errors import KovraError

# Longer than any pause of a healthy server, shorter than what a partner would notice.
ANSWER_S = 0.25
_CONNECTIONS = 4


class CacheUnavailable(KovraError):
    """Redis did not answer, or not in time. What was counted may have been counted."""

    code = "cache-unavailable"
    status = 503
    retryable = True
    title = "This cell's counters are not reachable just now"


class Wanted(NamedTuple):
    """So many requests by `name`, which may make `quota` a minute."""

    name: str
    quota: int
    number: int


# GCRA, as in cells/kit/gcra.py, for each key: ARGV has its interval in microseconds and how many are wanted. A time is written whole,
# because Lua would shorten it to fourteen digits, and rounded up, so that no rounding lets one more through.
_METER = f"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local period, told = {PERIOD_US}, {{}}
for place, key in ipairs(KEYS) do
    local interval, wanted = tonumber(ARGV[2 * place - 1]), tonumber(ARGV[2 * place])
    local arrival = math.max(tonumber(redis.call('GET', key) or 0), now)
    local room = math.floor((now + period - arrival) / interval + 1e-6)
    local admitted = math.max(0, math.min(wanted, room))
    if admitted > 0 then
        arrival = math.ceil(arrival + admitted * interval)
        redis.call('SET', key, string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000))
    end
    told[2 * place - 1], told[2 * place] = admitted, math.ceil(arrival - now)
end
return told
"""

# Which of the keys had not been there; each is there until its second of ARGV.
_FIRST = """
local told = {}
for place, key in ipairs(KEYS) do
    told[place] = redis.call('SET', key, '', 'NX', 'EXAT', ARGV[place]) and 1 or 0
end
return told
"""


class _Script:
    """A script, and the name that Redis gives it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.name = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Counters:
    """One process's connection to the cell's Redis, opened at first use and again after every loss."""

    def __init__(self, url: str) -> None:
        self._meter = _Script(_METER)
        self._first = _Script(_FIRST)
        self._client = redis.asyncio.from_url(
            url,
            max_connections=_CONNECTIONS,
            # The older protocol and no timers of the driver's own (`_ask` has one) take a third of its time.
            protocol=2,
            socket_timeout=None,
            socket_connect_timeout=ANSWER_S,
            # Once more: a pooled connection of a server that was restarted fails at its first use.
            retry=Retry(NoBackoff(), 1),
        )

    async def take(self, wanted: Sequence[Wanted]) -> list[Grant]:
        """Let each through as often as it may, in order; names are distinct. Raises CacheUnavailable."""
        keys = [f"rate:{one.name}" for one in wanted]
        arguments = [text for one in wanted for text in (repr(interval_us(one.quota)), str(one.number))]
        told = await self._run(self._meter, keys, arguments, 2 * len(keys))
        return [Grant(told[place], told[place + 1]) for place in range(0, len(told), 2)]

    async def first(self, names: Sequence[tuple[str, int]]) -> list[bool]:
        """Whether each name is new; it is known from then on, until its Unix second. Raises CacheUnavailable."""
        keys, arguments = [f"once:{name}" for name, _ in names], [str(until) for _, until in names]
        return [one == 1 for one in await self._run(self._first, keys, arguments, len(keys))]

    async def ping(self) -> None:
        """Raises CacheUnavailable."""
        await self._ask(self._client.ping())

    async def close(self) -> None:
        await self._client.aclose()

    async def _run(self, script: _Script, keys: Sequence[str], arguments: Sequence[str], answers: int) -> list[int]:
        """So many whole numbers as `answers` says. Raises CacheUnavailable, also when Redis answers with anything else."""
        try:
            told = await self._ask(self._client.evalsha(script.name, len(keys), *keys, *arguments))
        except NoScriptError:
            told = await self._ask(self._client.eval(script.text, len(keys), *keys, *arguments))
        if not isinstance(told, list) or len(told) != answers or not all(type(one) is int for one in told):
            raise CacheUnavailable("Redis answered with something else than its script says.")
        return told

    async def _ask(self, answer: Awaitable[object]) -> object:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except NoScriptError:
            raise
        except (RedisError, OSError, TimeoutError) as error:
            raise CacheUnavailable(type(error).__name__) from error
