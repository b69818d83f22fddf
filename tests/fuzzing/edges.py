"""A fuzzer that knows what a request must not do: say a thing twice, or say it where it is passed over. Each finding is told with what was sent."""

import asyncio
from datetime import datetime
from itertools import islice
from random import Random

import httpx

from tests.fuzzing import batch_forms
from tests.fuzzing.mutants import Mutant, Mutants
from tests.integration.api.test_tenant_matrix import everything_of
from tests.support.api_cell import ApiCell
from tests.support.batch_api import open_worker
from tests.support.tenant_matrix import attempts
from tests.support.whole_document import whole_document

# What was let in is looked at again after so many requests, so that one which poisons a list is found near it.
_LOOKED_AFTER = 40
_ANSWERED_WITHIN_S = 30.0


async def mutated(cell: ApiCell, seed: int, requests: int) -> list[str]:
    """What so many mutants found."""
    own = await everything_of(cell, cell.client, cell.tenant, "own")
    mutants = Mutants(whole_document(cell.app), own, f"Bearer {await cell.operator_key()}", Random(seed))
    found: list[str] = []
    for number, one in enumerate(islice(mutants.drawn(), requests), start=1):
        answer = await _sent(cell, one)
        fault = _fault(one, answer)
        if fault:
            found.append(f"{one}\n    {fault}")
        if number % _LOOKED_AFTER == 0 or number == requests:
            found += [f"after {number} requests, the last {one}:\n    {fault}" for fault in await unreadable(cell, own)]
    return found


async def _sent(cell: ApiCell, one: Mutant) -> httpx.Response:
    async with asyncio.timeout(_ANSWERED_WITHIN_S):
        return await cell.client.request(
            one.method, one.path, headers=_headers(cell, one), params=one.query, content=one.content
        )


def _headers(cell: ApiCell, one: Mutant) -> list[tuple[str, str]]:
    """With the client's key only where the mutant has none: the client would merge the two."""
    names = {name.lower() for name, _ in one.headers}
    return (
        one.headers
        if "authorization" in names
        else [*one.headers, ("Authorization", cell.client.headers["Authorization"])]
    )


def _fault(one: Mutant, answer: httpx.Response) -> str:
    if answer.status_code >= 500 and answer.json().get("code") != "scheme-unreachable":
        return f"{answer.status_code} {answer.text}"
    code = answer.json().get("code") if answer.status_code >= 400 else ""
    if one.refused and code not in one.refused:
        return f"answered {answer.status_code} {answer.text[:300]}, and not with {', '.join(one.refused)}"
    return ""


async def unreadable(cell: ApiCell, own: dict[str, str]) -> list[str]:
    """What of the caller's own can no longer be read, and whether a worker can go on."""
    found = []
    for one in {(one.method, one.path): one for one in attempts(whole_document(cell.app), own, own)}.values():
        if one.method == "GET" and not one.path.endswith("/events") and "/admin/" not in one.path:
            answer = await cell.client.get(one.path)
            if answer.status_code >= 500:
                found.append(f"GET {one.path}: {answer.status_code} {answer.text}")
    async with open_worker(cell) as worker:
        try:
            await worker.round()
        except Exception as error:  # noqa: BLE001 - whatever it is, the finding is that the worker stops for everybody
            found.append(f"the worker of batches stops: {error!r}")
    return found


async def submitted(cell: ApiCell, seed: int, requests: int) -> list[str]:
    """What so many batches found, each of some form with some options."""
    own, random, found = await everything_of(cell, cell.client, cell.tenant, "own"), Random(seed), []
    for number in range(requests):
        one = batch_forms.drawn(own, cell, random)
        headers = {"Content-Type": one.kind, "Idempotency-Key": f"form-{number}"}
        answer = await cell.client.post("/v1/batches", content=one.content, headers=headers, params=one.parameters)
        if one.shown is None:
            if not 400 <= answer.status_code < 500:
                found.append(f"{one}\n    taken: {answer.text}")
        elif answer.status_code != 201:
            found.append(f"{one}\n    {answer.status_code} {answer.text}")
        else:
            shown = answer.json()
            at = shown["scheduled_for"]
            told = {name: shown[name] for name in one.shown} | {"scheduled_for": at and datetime.fromisoformat(at)}
            if told != one.shown:
                found.append(f"{one}\n    shows {told}")
    return found
