"""Batches: a file of payments sent whole, and what became of its lines."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from residency.classes import Confidential, Public
from residency.wire import Money
from router.client.models import Answer
from router.client.resources import Noun

KINDS = {".json": "application/json", ".csv": "text/csv", ".xml": "application/xml"}
"""The media type of each form, by the suffix of a file of it."""

_PAGE = 1_000


class FieldFault(Answer):
    """One field of a line, and what is wrong with it."""

    detail: Annotated[str, Public]
    pointer: Annotated[str | None, Public] = None


class BatchFault(Answer):
    """Why a line, or the whole, is not paid."""

    code: Annotated[str, Public]
    detail: Annotated[str, Public]
    pointer: Annotated[str | None, Public] = None
    errors: Annotated[list[FieldFault] | None, Public] = None


class Progress(Answer):
    status: Annotated[str, Public]
    lines: Annotated[int, Public]
    source: Annotated[Money, Confidential]


class Batch(Answer):
    id: Annotated[str, Public]
    status: Annotated[str, Public]
    format: Annotated[str, Public]
    source_wallet_id: Annotated[str, Public]
    lines: Annotated[int, Public]
    scheduled_for: Annotated[datetime | None, Public] = None
    message_id: Annotated[str | None, Confidential] = None
    funding: Annotated[Money | None, Confidential] = None
    remainder: Annotated[Money | None, Confidential] = None
    error: Annotated[BatchFault | None, Public] = None
    progress: Annotated[list[Progress], Confidential] = Field(default_factory=list)


class BatchLine(Answer):
    line: Annotated[int, Public]
    file_line: Annotated[int | None, Public] = None
    status: Annotated[str, Public]
    transfer_id: Annotated[str | None, Public] = None
    source: Annotated[Money | None, Confidential] = None
    target: Annotated[Money | None, Confidential] = None
    reason_code: Annotated[str | None, Public] = None
    error: Annotated[BatchFault | None, Public] = None


class Batches(Noun):
    async def submit(
        self, content: bytes, kind: str, *, key: str, region: str | None = None, **parameters: Any
    ) -> Batch:
        """Send a file of the media type `kind`. `parameters`: as POST /v1/batches has them."""
        return Batch.model_validate(
            await self._transport.upload("/v1/batches", content, kind, key=key, region=region, **parameters)
        )

    async def get(self, batch_id: str) -> Batch:
        return Batch.model_validate(await self._transport.get(f"/v1/batches/{batch_id}"))

    async def cancel(self, batch_id: str) -> Batch:
        return Batch.model_validate(await self._transport.post(f"/v1/batches/{batch_id}/cancel", {}))

    async def lines(self, batch_id: str, *, status: str | None = None) -> AsyncIterator[BatchLine]:
        """Every line, or those of one status, page by page."""
        cursor: str | None = None
        while True:
            found = await self._transport.get(
                f"/v1/batches/{batch_id}/lines", status=status, cursor=cursor, limit=_PAGE
            )
            for one in found["data"]:
                yield BatchLine.model_validate(one)
            cursor = found["next_cursor"]
            if cursor is None:
                return
