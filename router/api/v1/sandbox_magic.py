"""The sandbox's magic values as one table: what each makes happen, told by the schemes and the screening that go by them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from cells.compliance.magic import SCREENED_NAMES
from cells.kit.money import money
from cells.rails.rail import RailUnavailable
from residency.classes import Public
from residency.wire import Money
from router.api.auth import need_sandbox
from router.api.call import Json, call_of
from router.api.errors import SandboxOnly
from router.api.parts import Parts, parts_of
from router.api.routes import Resource
from router.api.v1.sandbox import console_of


class MagicAmount(BaseModel):
    """`amount`, exactly, makes the rail's scheme do it."""

    rail: Annotated[str, Public]
    amount: Annotated[Money, Public]


class MagicValue(BaseModel):
    """`name` anywhere in the name of the party (capitals or not), or one of the exact `amounts`, leads to what `outcome` says."""

    concerns: Annotated[Literal["payment", "name_check", "screening"], Public]
    name: Annotated[str, Public]
    amounts: Annotated[list[MagicAmount], Public]
    outcome: Annotated[str, Public]


class MagicValues(BaseModel):
    """The one table: made from what the schemes and the screening of this region go by."""

    data: Annotated[list[MagicValue], Public]


async def list_magic_values(request: Request) -> Response:
    """What makes the sandbox do anything but pay at once."""
    parts, call = parts_of(request), call_of(request)
    need_sandbox(parts.spec, call.tenant)
    told = await asyncio.gather(*(_magic_of(parts, rail) for rail in sorted(parts.spec.settings.schemes)))
    return Json({"data": [*_of_payments(told), *_of_names(told), *_of_screening()]})


async def _magic_of(parts: Parts, rail: str) -> Mapping[str, Any]:
    async with console_of(parts, rail) as console:
        return await console.magic()


def _of_payments(told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line for each phrase, with the amount of every rail."""
    lines: dict[str, dict[str, Any]] = {}
    for scheme in told:
        for one in scheme["payments"]:
            line = lines.setdefault(one["phrase"], _line("payment", one["phrase"], one["story"]))
            line["amounts"].append({"rail": scheme["rail"], "amount": money(one["amount_minor"], scheme["currency"])})
    return list(lines.values())


def _of_names(told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    phrases = {one["phrase"]: one["story"] for scheme in told for one in scheme["names"]}
    return [_line("name_check", phrase, story) for phrase, story in phrases.items()]


def _of_screening() -> list[dict[str, Any]]:
    return [_line("screening", one.name, one.story) for one in SCREENED_NAMES]


def _line(concerns: str, name: str, outcome: str) -> dict[str, Any]:
    return {"concerns": concerns, "name": name, "amounts": [], "outcome": outcome}


def add_routes(app: FastAPI) -> None:
    Resource(app, "sandbox", "Sandbox").add(
        "GET", "/v1/sandbox/magic-values", list_magic_values, summary="What makes the sandbox do what", model=MagicValues,
        errors=(SandboxOnly, RailUnavailable),
    )  # fmt: skip
