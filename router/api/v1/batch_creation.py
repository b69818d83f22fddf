"""Taking a batch: read in one of its three forms, and put on record with all its lines in one transaction, once per key."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from actors.wallet import UnknownWallet
from cells.backends.postgres import Connection, tenant_transaction
from cells.batches import store, store_status
from cells.batches.batch import (
    Batch,
    DuplicateFile,
    Fault,
    Format,
    Line,
    LineState,
    NotRepeated,
    UnknownBatch,
)
from cells.journal.entry import Author
from cells.payments import personal
from cells.rails.account_spelling import account_key
from cells.rails.iso20022.uploads import Upload, read_upload
from cells.rails.rail import MessageInvalid
from cells.tenants.store import find_wallets_by_account
from cells.tenants.tenant import Wallet
from residency.errors import KovraError
from residency.ids import mint
from residency.rules import rules_of
from router.api.call import call_of
from router.api.errors import MediaTypeUnsupported, WalletMissing
from router.api.idempotency import Made, created, required_key
from router.api.media import media_type
from router.api.parts import Parts, parts_of
from router.api.region import check_path
from router.api.shapes import IdText, PaymentDate
from router.api.v1.batch_csv import read_csv
from router.api.v1.batch_reading import BatchFileInvalid, BatchNew, ReadLine, Wished, read_head, read_lines
from router.api.v1.batch_shown import (
    shown,
)
from router.api.v1.batch_upload import account_of, execution_of, of_whole, read_uploaded
from router.api.v1.wallets import main_wallet_of

OPERATION = "batches.create"
Option = TypeVar("Option", str, datetime, bool)


class OptionContradicted(KovraError):
    """`extra["parameter"]` names it. Nothing was taken."""

    code = "option-contradicted"
    status = 422
    title = "A parameter and the body of the batch say different things"


class _Taken(NamedTuple):
    """A batch as it was asked for, before it is on record."""

    format: Format
    wallet: Wallet
    scheduled_for: datetime | None
    all_or_nothing: bool
    lines: Sequence[ReadLine]
    upload: Upload | None = None
    file_lines: Sequence[int | None] | None = None


class _Asked(NamedTuple):
    """The parameters. Each holds for every form; None: not given."""

    wallet_id: str | None
    payer_id: str | None
    scheduled_for: datetime | None
    all_or_nothing: bool | None
    repeats: str | None


async def create_batch(
    request: Request,
    source_wallet_id: Annotated[
        IdText | None, Field(description="CSV needs it. JSON and pain.001 may name no other")
    ] = None,
    payer_id: Annotated[
        IdText | None, Field(description="For lines that name none; pain.001 needs it. A JSON body may name no other")
    ] = None,
    scheduled_for: Annotated[
        PaymentDate | None,
        Field(description="Not before; of pain.001 in place of its execution date. A JSON body may name no other"),
    ] = None,
    all_or_nothing: Annotated[
        bool | None,
        Field(
            description="One line that cannot be paid, and none is; false by default. A JSON body may say nothing else"
        ),
    ] = None,
    repeats: Annotated[
        IdText | None,
        Field(
            description="pain.001: the batch that the same file made before, where it is to be paid once more on purpose"
        ),
    ] = None,
) -> Response:
    """Pay up to ten thousand recipients from one wallet. The whole is set aside at once, or nothing is; then each line is a transfer of its
    own, and what they do not spend comes back when the last has ended."""
    required_key(request)
    parts, call = parts_of(request), call_of(request)
    asked = _Asked(source_wallet_id, payer_id, scheduled_for, all_or_nothing, repeats)
    kind, body = media_type(request), await request.body()
    if repeats is not None and "xml" not in kind:
        raise BatchFileInvalid("Only a pain.001 has an id of its own that a batch can repeat: leave repeats out.")
    match kind:
        case "application/json":
            taken = await _json(request, body, asked)
        case "text/csv":
            taken = await _csv(request, body, asked)
        case "application/xml" | "text/xml":
            taken = await _pain(parts, call.tenant_id, await _uploaded(body, parts.region), asked)
        case _:
            raise MediaTypeUnsupported("Send it as application/json, text/csv or application/xml.")

    async def make(connection: Connection) -> Made:
        lines = taken.lines
        file_key = None
        if taken.upload is not None:
            file_key = await _file_key(parts, connection, call.tenant_id, taken.upload, repeats)
            here = frozenset(one.compact for one in parts.spec.directory.regions[parts.region])
            lines = await read_uploaded(
                connection, parts.institution.recipients, taken.upload, taken.wallet, payer_id or "", here
            )
        batch_id = await _keep(parts, connection, taken, lines, file_key, call.author)
        return Made(batch_id, await whole(parts, connection, batch_id))

    async def again(connection: Connection, batch_id: str) -> dict[str, Any]:
        return await whole(parts, connection, batch_id)

    return await created(request, OPERATION, make, again)


async def _json(request: Request, body: bytes, parameters: _Asked) -> _Taken:
    head: BatchNew = await asyncio.to_thread(read_head, body)
    asked = _merged(head, parameters)
    if asked.wallet_id is None:
        raise BatchFileInvalid("Say in source_wallet_id, or by the parameter of that name, which wallet pays.")
    wallet = await _wallet(request, asked.wallet_id)
    lines = await asyncio.to_thread(read_lines, head.lines, wallet.currency, asked.payer_id)
    return _Taken("json", wallet, asked.scheduled_for, asked.all_or_nothing or False, lines)


def _merged(head: BatchNew, parameters: _Asked) -> _Asked:
    """What the body and the parameters ask for together. Raises OptionContradicted."""
    return _Asked(
        _one_of("source_wallet_id", head.source_wallet_id, parameters.wallet_id),
        _one_of("payer_id", head.payer_id, parameters.payer_id),
        _one_of("scheduled_for", head.scheduled_for, parameters.scheduled_for),
        _one_of("all_or_nothing", head.all_or_nothing, parameters.all_or_nothing),
        None,
    )


def _one_of(name: str, in_body: Option | None, in_query: Option | None) -> Option | None:
    if in_body is not None and in_query is not None and in_body != in_query:
        raise OptionContradicted(f"{name}: the body says something else; say it once.", parameter=name)
    return in_query if in_body is None else in_body


async def _csv(request: Request, body: bytes, asked: _Asked) -> _Taken:
    if asked.wallet_id is None:
        raise BatchFileInvalid("Say by the parameter source_wallet_id which wallet pays.")
    wallet = await _wallet(request, asked.wallet_id)
    rows = await asyncio.to_thread(read_csv, body, wallet.currency, asked.payer_id)
    lines, places = [read for _, read in rows], [place for place, _ in rows]
    return _Taken("csv", wallet, asked.scheduled_for, asked.all_or_nothing or False, lines, file_lines=places)


async def _uploaded(body: bytes, region: str) -> Upload:
    """Raises BatchFileInvalid."""
    try:
        return await asyncio.to_thread(read_upload, body, ZoneInfo(rules_of(region).zone))
    except MessageInvalid as error:
        raise of_whole(error) from None


async def _pain(parts: Parts, tenant_id: str, upload: Upload, asked: _Asked) -> _Taken:
    """All but its lines, which are read in the transaction that registers their creditors."""
    if asked.payer_id is None:
        raise BatchFileInvalid("Say by the parameter payer_id on whose behalf you pay.")
    wallet = await _debtor(parts, tenant_id, account_of(upload))
    if asked.wallet_id not in (None, wallet.wallet_id):
        named = "source_wallet_id: the debtor's account in the file is the number of another wallet."
        raise OptionContradicted(named, parameter="source_wallet_id")
    scheduled_for = asked.scheduled_for or execution_of(upload)
    return _Taken("pain.001", wallet, scheduled_for, asked.all_or_nothing or False, (), upload, upload.file_lines)


async def _file_key(
    parts: Parts, connection: Connection, tenant_id: str, upload: Upload, repeats: str | None
) -> str | None:
    """Under what the file is remembered; None for one that has no id, or repeats another on purpose. Raises DuplicateFile, NotRepeated."""
    before = await store.made_of(connection, parts.region, tenant_id, upload.file_key) if upload.file_key else None
    if before != repeats and repeats is not None:
        raise NotRepeated("Name by repeats the batch that the same file made before, or leave it out.")
    if before is not None and repeats is None:
        raise _duplicate(before)
    return None if repeats is not None else upload.file_key or None


def _duplicate(batch_id: str) -> DuplicateFile:
    return DuplicateFile(
        f"It made {batch_id}. To pay it once more on purpose, send it with repeats={batch_id}; else give the new file a MsgId of its own.",
        batch_id=batch_id,
    )


async def _wallet(request: Request, wallet_id: str) -> Wallet:
    """Raises WrongRegion, UnknownWallet, NotAMainWallet."""
    parts = parts_of(request)
    check_path(parts.spec.entry, parts.spec.directory, wallet_id)
    return await main_wallet_of(request, wallet_id, UnknownWallet(pointer="/source_wallet_id"))


async def _debtor(parts: Parts, tenant_id: str, account_number: str) -> Wallet:
    """The wallet whose account number a file names. Raises WalletMissing."""
    async with tenant_transaction(parts.pool, tenant_id) as connection:
        number = account_key(account_number)
        found = await find_wallets_by_account(connection, parts.region, [number])
    wallet = found.get(number)
    if wallet is None or wallet.tenant_id != tenant_id:
        raise WalletMissing("The debtor's account is the number of none of your wallets here.")
    return wallet


async def _keep(
    parts: Parts,
    connection: Connection,
    taken: _Taken,
    read: Sequence[ReadLine],
    file_key: str | None,
    author: Author,
) -> str:
    """Put a batch on record with all its lines, and what is personal of them into the vault. Raises DuplicateFile."""
    tenant_id, cell = taken.wallet.tenant_id, parts.spec.name
    batch = Batch(
        mint("bat", cell), tenant_id, taken.wallet.wallet_id, taken.wallet.currency, taken.format,
        taken.all_or_nothing, len(read), _future(taken.scheduled_for),
        None if taken.upload is None else taken.upload.message_id, None if taken.upload is None else taken.upload.created_at, file_key,
    )  # fmt: skip
    places = taken.file_lines or [None] * len(read)
    lines = [
        replace(_line(number, one, cell), file_line=place)
        for number, (one, place) in enumerate(zip(read, places, strict=True), start=1)
    ]
    if not await store.insert(connection, parts.region, batch, lines, author):
        # The same file was taken while this was being read.
        raise _duplicate(await store.made_of(connection, parts.region, tenant_id, file_key or "") or "another batch")
    texts = [
        (line.transfer_id, one.remittance)
        for line, one in zip(lines, read, strict=True)
        if isinstance(one, Wished) and one.remittance is not None and line.transfer_id is not None
    ]
    vault = parts.institution.vault
    sealed = [(tenant_id, one, personal.seal_remittance(vault, tenant_id, one, said)) for one, said in texts]
    await personal.keep_remittances(connection, parts.region, sealed)
    return batch.batch_id


def _future(at: datetime | None) -> datetime | None:
    return at if at is not None and at > datetime.now(UTC) else None


def _line(number: int, one: ReadLine, cell: str) -> Line:
    if isinstance(one, Fault):
        return Line(number, LineState.INVALID, fault=one)
    return Line(
        number, LineState.RECEIVED, mint("tr", cell), one.recipient_id, one.payer_id, one.side, one.amount_minor,
        one.target_currency, one.metadata, one.deadline,
    )  # fmt: skip


async def find_batch(parts: Parts, connection: Connection, batch_id: str) -> Batch:
    """Raises UnknownBatch."""
    batch = (await store.find(connection, parts.region, [batch_id])).get(batch_id)
    if batch is None:
        raise UnknownBatch
    return batch


async def whole(parts: Parts, connection: Connection, batch_id: str) -> dict[str, Any]:
    """A batch with its progress, as the API writes it. Raises UnknownBatch."""
    batch = await find_batch(parts, connection, batch_id)
    return shown(batch, await store_status.progress(connection, parts.region, batch_id))
