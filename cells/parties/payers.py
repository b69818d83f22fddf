"""Payers: the partner's customers on whose behalf it pays, kept in the region where the money leaves.

Every function takes a sequence and a connection inside a transaction, and never commits.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.backends.vault import Vault
from cells.compliance.checker import Verdict
from cells.compliance.standing import Standing
from cells.parties import store, store_subjects
from cells.parties.models import Payer, PayerDetails, PayerNew
from cells.parties.sealing import open_payer_details, seal_details, subject_of
from cells.parties.spelling import LettersUnwritable, check_letters
from cells.parties.status import status_of
from cells.parties.store import PayerRow
from cells.rails.rail import Account, Party
from residency.directory import CellEntry
from residency.errors import KovraError
from residency.ids import mint


class UnknownPayer(KovraError):
    code = "unknown-payer"
    status = 422
    title = "There is no such payer"


class Payers:
    """The payers of one cell."""

    def __init__(self, entry: CellEntry, vault: Vault, standing: Standing) -> None:
        assert vault.region == entry.region, "a cell opens its own region's vault only"
        self._entry = entry
        self._vault = vault
        self._standing = standing

    async def create(
        self, connection: Connection, tenant_id: str, requests: Sequence[PayerNew]
    ) -> list[Payer | LettersUnwritable]:
        """Register each; in order, the payer or why it was refused. One who is on a sanctions list is registered too, as
        `blocked`."""
        refusals = [_refusal(one) for one in requests]
        made = iter(await self._register(connection, tenant_id, [
            one for one, refusal in zip(requests, refusals, strict=True) if refusal is None
        ]))  # fmt: skip
        return [refusal or next(made) for refusal in refusals]

    async def _register(self, connection: Connection, tenant_id: str, requests: Sequence[PayerNew]) -> list[Payer]:
        if not requests:
            return []
        now = datetime.now(UTC)
        rows = [PayerRow(mint("pyr", self._entry.name), tenant_id, one.kind, now, None) for one in requests]
        subjects = [subject_of(row.payer_id, one) for row, one in zip(rows, requests, strict=True)]
        verdicts = await self._standing.screen(subjects)
        sealable = [(row.payer_id, one) for row, one in zip(rows, requests, strict=True)]
        await seal_details(connection, self._vault, tenant_id, sealable)
        await store.insert_payers(connection, self._entry.region, rows)
        await self._standing.register(connection, tenant_id, subjects, verdicts)
        return [_view(*one) for one in zip(rows, requests, verdicts, strict=True)]

    async def get(self, connection: Connection, tenant_id: str, payer_ids: Sequence[str]) -> list[Payer]:
        """Those of `payer_ids` that are this tenant's; deleted ones without details."""
        rows = await store.select_payers(connection, self._entry.region, payer_ids)
        return await self._views(connection, [row for row in rows if row.tenant_id == tenant_id])

    async def page(self, connection: Connection, tenant_id: str, after: str = "", limit: int = 50) -> list[Payer]:
        """Up to `limit` of the tenant's payers, oldest first, after the id `after`."""
        rows = await store.page_payers(connection, self._entry.region, tenant_id, after, limit)
        return await self._views(connection, rows)

    async def delete(
        self,
        connection: Connection,
        tenant_id: str,
        payer_ids: Sequence[str],
        kept_until: Mapping[str, datetime],
    ) -> list[str]:
        """Delete, and erase at once all but those a law makes us keep: `kept_until` by id. The ids
        deleted."""
        region = self._entry.region
        deleted = await store.mark_payers_deleted(connection, region, tenant_id, payer_ids)
        kept = [(payer_id, kept_until[payer_id]) for payer_id in deleted if payer_id in kept_until]
        await store_subjects.keep_until(connection, region, kept)
        await store_subjects.erase(connection, region, [one for one in deleted if one not in kept_until])
        return deleted

    async def standing(
        self, connection: Connection, payers: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Verdict | UnknownPayer]:
        """The verdict today on each `(tenant id, payer id)`; UnknownPayer if deleted, erased or another's.

        A batch may hold the same payer under two tenants, only one of whom it belongs to: so the key is the pair.
        """
        rows = await store.select_payers(connection, self._entry.region, [payer_id for _, payer_id in payers])
        live = {(row.tenant_id, row.payer_id) for row in rows if row.deleted_at is None}
        verdicts = await self._standing.standing(connection, sorted(payer_id for _, payer_id in live))
        return {
            pair: (verdicts.get(pair[1]) if pair in live else None) or UnknownPayer(pointer="/payer_id")
            for pair in payers
        }

    async def _views(self, connection: Connection, rows: Sequence[PayerRow]) -> list[Payer]:
        live = [row.payer_id for row in rows if row.deleted_at is None]
        verdicts = await self._standing.standing(connection, live)
        details = await open_payer_details(connection, self._vault, live)
        return [_view(row, details.get(row.payer_id), verdicts.get(row.payer_id)) for row in rows]


async def open_payers(connection: Connection, vault: Vault, payer_ids: Sequence[str]) -> dict[str, PayerDetails]:
    """What the vault says of each payer, by id, to be sealed for a border or told to a rail; a payment that
    was accepted is finished, so a payer deleted since is still opened while the law keeps the record. Raises
    VaultUnreadable."""
    return await open_payer_details(connection, vault, payer_ids)


def payer_party(details: PayerDetails, account: Account | None) -> Party:
    """The rails' debtor of an in-region payment; `account` is the wallet's account number."""
    home = details.address
    if home is None:
        return Party(details.name, account, lei=details.lei or "")
    return Party(
        details.name, account, home.country, home.town, home.street or "", home.post_code or "", home.building_number or "",
        home.sub_division or "", home.lines, details.lei or "",
    )  # fmt: skip


def _refusal(request: PayerNew) -> LettersUnwritable | None:
    try:
        check_letters(request.name, request.address)
    except LettersUnwritable as error:
        return error
    return None


def _view(row: PayerRow, details: PayerDetails | None, verdict: Verdict | None) -> Payer:
    return Payer(
        id=row.payer_id,
        kind=row.kind,
        status=status_of(row.deleted_at, verdict),
        created_at=row.created_at,
        details=details,
    )
