"""The load: a process of its own that sends prepared requests over keep-alive connections and times each answer.

Closed loop: every connection sends its next request as soon as it has the answer to the last. Open loop: requests leave at the
instants that a rate gives them, whatever became of those before, and a latency counts from the intended start; a request
that finds every connection busy waits for one, and that wait is counted. Speaks just enough HTTP/1.1 to be faster than what it measures.

    python -m tests.bench.load result.pickle < job.pickle
"""

import asyncio
import pickle
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from typing import cast

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True)
class Job:
    """`requests`: complete HTTP/1.1 requests. `rate_per_s` None: closed loop. `warm`: how many leave before the clock starts.
    `keep`: bring the answers back whole."""

    host: str
    port: int
    requests: list[bytes]
    connections: int
    rate_per_s: float | None = None
    warm: int = 0
    keep: bool = False


@dataclass(slots=True)
class Result:
    """Latencies in seconds, in the order of the answers; `wall_s` from the first request after `warm` to the last answer."""

    latencies_s: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    wall_s: float = 0.0
    client_cpu_s: float = 0.0
    samples: dict[int, bytes] = field(default_factory=dict)
    answers: list[bytes] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        return len(self.latencies_s) / self.wall_s


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._buffer = b""
        self._since = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def send(self, request: bytes, since: float) -> None:
        self._since = since
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        head = buffer.find(_HEAD_END)
        if head < 0:
            return
        at = buffer.find(_LENGTH, 0, head)
        assert at >= 0, "every answer of ours announces its length"
        length = int(buffer[at + len(_LENGTH) : buffer.index(b"\r", at)])
        if len(buffer) < head + len(_HEAD_END) + length:
            return
        self._buffer = b""
        self._load.answered(self, int(buffer[9:12]), buffer, self._since)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(exc)


class _Load:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._left = iter(job.requests)
        self._result = Result()
        self._idle: deque[_Connection] = deque()
        self._late: deque[tuple[bytes, float]] = deque()
        self._seen = 0
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._started = 0.0

    async def run(self) -> Result:
        job, loop = self._job, asyncio.get_running_loop()
        connections = []
        for _ in range(job.connections):
            _, one = await loop.create_connection(lambda: _Connection(self), job.host, job.port)
            connections.append(one)
        self._started = time.perf_counter()
        cpu = time.process_time()
        if job.rate_per_s is None:
            for one in connections:
                self._next(one)
        else:
            self._idle.extend(connections)
            await self._on_time(job.rate_per_s)
        await self._over
        self._result.wall_s = time.perf_counter() - self._started
        self._result.client_cpu_s = time.process_time() - cpu
        return self._result

    async def _on_time(self, rate_per_s: float) -> None:
        start = time.perf_counter()
        for place, request in enumerate(self._left):
            due = start + place / rate_per_s
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            if self._idle:
                self._idle.popleft().send(request, due)
            else:
                self._late.append((request, due))

    def answered(self, connection: _Connection, status: int, answer: bytes, since: float) -> None:
        now = time.perf_counter()
        self._seen += 1
        result = self._result
        if self._seen > self._job.warm:
            result.latencies_s.append(now - since)
            result.statuses[status] = result.statuses.get(status, 0) + 1
        elif self._seen == self._job.warm:
            self._started = now
        if status not in result.samples:
            result.samples[status] = answer
        if self._job.keep:
            result.answers.append(answer)
        if self._seen == len(self._job.requests):
            self._over.set_result(None)
        elif self._late:
            connection.send(*self._late.popleft())
        elif self._job.rate_per_s is None:
            self._next(connection)
        else:
            self._idle.append(connection)

    def lost(self, error: Exception | None) -> None:
        if not self._over.done():
            self._over.set_exception(error or ConnectionError("the server closed a connection"))

    def _next(self, connection: _Connection) -> None:
        request = next(self._left, None)
        if request is not None:
            connection.send(request, time.perf_counter())


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A complete HTTP/1.1 request; `headers` with underscores for dashes."""
    lines = [f"{method} {path} HTTP/1.1", "host: bench", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + _HEAD_END + body


async def carry_out(job: Job) -> Result:
    """Run a job in a process of its own."""
    with tempfile.NamedTemporaryFile() as file:
        command = [sys.executable, "-m", "tests.bench.load", file.name]
        await asyncio.to_thread(subprocess.run, command, input=pickle.dumps(job), check=True)
        result: Result = pickle.load(file)
    return result


async def serve(job: Job) -> Result:
    """Run a job in this process."""
    return await _Load(job).run()
