"""The single path, POST /v1/transfers with every check on, beside an empty FastAPI route under the same server and client."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

from tests.bench.client import Job, Result, carry_out, request
from tests.bench.partner import lock_in_by_api
from tests.bench.rig import Rig
from tests.support.servers import free_port
from tests.support.waiting import until

CLIENTS = (32, 128, 256)
_ROUNDS = 3
_WARM = 200
_SLOW = 300


async def single_path(rig: Rig, requests: int) -> dict[str, Any]:
    """Accepted a second and the empty route's, at each number of clients; then latency at a tenth and at half of the peak, open loop."""
    listen = rig.origin.spec.settings.api
    found: dict[str, Any] = {}
    best = (0.0, 0.0)
    async with empty_route() as port:
        for clients in CLIENTS:
            ours, empty = [], []
            # Each quote lives for minutes, so they are locked when they are needed.
            await lock_in_by_api(rig.partner, (listen.host, listen.port), requests * _ROUNDS)
            for _ in range(_ROUNDS):
                empty.append(await empty_per_s(port, rig.partner.key, requests, clients))
                ours.append((await _pay(rig, requests, clients)).per_s)
            accepted, baseline = median(ours), median(empty)
            found[f"accepted_per_s_{clients}"] = round(accepted)
            found[f"empty_route_per_s_{clients}"] = round(baseline)
            best = max(best, (accepted, baseline))
    accepted, baseline = best
    found |= {"accepted_per_s": round(accepted), "accepted_ratio": round(accepted / baseline, 3)}
    await lock_in_by_api(rig.partner, (listen.host, listen.port), requests + _SLOW)
    for share, name, count in ((10, "accept_tenth", _SLOW), (2, "accept", requests)):
        rate = accepted / share
        paced = await _pay(rig, count, max(CLIENTS), rate_per_s=rate)
        shown = percentiles(paced.latencies_s)
        found |= {f"{name}_rate_per_s": round(rate), **{f"{name}_{which}": value for which, value in shown.items()}}
    return found


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds."""
    ordered = sorted(seconds)
    return {
        f"p{share}_ms": round(ordered[min(int(len(ordered) * share / 100), len(ordered) - 1)] * 1e3, 1)
        for share in (50, 95, 99)
    }


async def _pay(rig: Rig, requests: int, clients: int, *, rate_per_s: float | None = None) -> Result:
    listen = rig.origin.spec.settings.api
    prepared = [rig.partner.payment() for _ in range(requests)]
    warm = _WARM if rate_per_s is None else 0
    result = await carry_out(Job(listen.host, listen.port, prepared, clients, rate_per_s=rate_per_s, warm=warm))
    refused = {status: answer for status, answer in result.samples.items() if status != 202}
    assert not refused, f"a payment was refused: {refused}"
    return result


async def empty_per_s(port: int, key: str, requests: int, clients: int) -> float:
    """What the empty route answers a second."""
    return (await _empty(port, key, requests, clients)).per_s


async def _empty(port: int, key: str, requests: int, clients: int) -> Result:
    one = request("POST", "/v1/empty", b"{}", authorization=f"Bearer {key}", content_type="application/json")
    return await carry_out(Job("127.0.0.1", port, [one] * (requests + _WARM), clients, warm=_WARM))


@asynccontextmanager
async def empty_route() -> AsyncIterator[int]:
    """The empty route in a process of its own; its port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.empty", str(port))

    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await until(answers, timeout_s=30)
        yield port
    finally:
        process.terminate()
        await process.wait()
