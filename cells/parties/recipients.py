"""Recipients: registered in the region of their bank account, screened there, and paid from there.

Every function takes a sequence and a connection inside a transaction, and never commits. What the origin
holds of a recipient is the token alone (cells/parties/token.py).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cells.backends.postgres import Connection
from cells.backends.vault import Vault
from cells.compliance.checker import Verdict
from cells.compliance.standing import Standing
from cells.parties import store, store_subjects
from cells.parties.accounts import account_from_vault, checked_account
from cells.parties.models import NameChecked, Recipient, RecipientDetails, RecipientNew
from cells.parties.sealing import open_recipient_details, seal_details, subject_of
from cells.parties.spelling import check_letters
from cells.parties.status import status_of
from cells.parties.store import RecipientRow
from cells.parties.token import UnknownRecipient, sign_tokens
from cells.rails.accounts import NoRailForCurrency
from cells.rails.modulus import ModulusTables
from cells.rails.profile import RailProfile
from cells.rails.rail import Party
from residency.directory import CellEntry, Directory
from residency.errors import KovraError
from residency.ids import mint


class WrongRegion(KovraError):
    """The account is in another region: its cell must be asked, and this one keeps nothing of what it was
    told."""

    code = "wrong-region"
    status = 421
    title = "This belongs to another region"


class Recipients:
    """The recipients of one cell."""

    def __init__(
        self,
        entry: CellEntry,
        directory: Directory,
        vault: Vault,
        standing: Standing,
        signing_key: Ed25519PrivateKey,
        modulus: ModulusTables | None = None,
        rails: Sequence[RailProfile] = (),
    ) -> None:
        assert vault.region == entry.region, "a cell opens its own region's vault only"
        self._entry = entry
        self._directory = directory
        self._vault = vault
        self._standing = standing
        self._signing_key = signing_key
        self._modulus = modulus
        self._rails = rails

    async def create(
        self, connection: Connection, tenant_id: str, requests: Sequence[RecipientNew]
    ) -> list[Recipient | KovraError]:
        """Register each; in order, the recipient or why it was refused: WrongRegion, LettersUnwritable, or what
        checked_account raises.

        One who is on a sanctions list is registered too, as `blocked`: the cell must be able to show that it
        looked.
        """
        answers: list[Recipient | KovraError] = []
        accepted: list[tuple[RecipientRow, RecipientDetails]] = []
        for request in requests:
            try:
                prepared = self._prepare(tenant_id, request)
            except KovraError as error:
                answers.append(error)
                continue
            accepted.append(prepared)
            answers.append(_view(*prepared, None))
        verdicts = await self._save(connection, tenant_id, accepted)
        return [_with_status(answer, verdicts) if isinstance(answer, Recipient) else answer for answer in answers]

    async def get(self, connection: Connection, tenant_id: str, row_ids: Sequence[str]) -> list[Recipient]:
        """Those of `row_ids` (`rcp_id1_…` without currency and signature) that are this tenant's; deleted
        ones without details."""
        rows = await store.select_recipients(connection, self._entry.region, row_ids)
        return await self._views(connection, [row for row in rows if row.tenant_id == tenant_id])

    async def page(self, connection: Connection, tenant_id: str, after: str = "", limit: int = 50) -> list[Recipient]:
        """Up to `limit` of the tenant's recipients, oldest first, after the row id `after`."""
        rows = await store.page_recipients(connection, self._entry.region, tenant_id, after, limit)
        return await self._views(connection, rows)

    async def record_name_checks(
        self, connection: Connection, tenant_id: str, checks: Sequence[tuple[str, NameChecked]]
    ) -> None:
        """Keep what was said of each name, by row id; another tenant's are left alone."""
        said = [(row_id, one.result, one.checked_at) for row_id, one in checks]
        await store.record_name_checks(connection, self._entry.region, tenant_id, said)

    async def delete(
        self,
        connection: Connection,
        tenant_id: str,
        row_ids: Sequence[str],
        kept_until: Mapping[str, datetime],
    ) -> list[str]:
        """Delete, and erase at once all but those a law makes us keep: `kept_until` by row id. The ids
        deleted."""
        region = self._entry.region
        deleted = await store.mark_recipients_deleted(connection, region, tenant_id, row_ids)
        kept = [(row_id, kept_until[row_id]) for row_id in deleted if row_id in kept_until]
        await store_subjects.keep_until(connection, region, kept)
        await store_subjects.erase(connection, region, [row_id for row_id in deleted if row_id not in kept_until])
        return deleted

    async def standing(
        self, connection: Connection, recipients: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Verdict | UnknownRecipient]:
        """The verdict today on each `(tenant id, row id)`; UnknownRecipient if deleted, erased or another's."""
        row_ids = [row_id for _, row_id in recipients]
        rows = await store.select_recipients(connection, self._entry.region, row_ids)
        live = {(row.tenant_id, row.recipient_id) for row in rows if row.deleted_at is None}
        verdicts = await self._standing.standing(connection, sorted(row_id for _, row_id in live))
        return {
            pair: (verdicts.get(pair[1]) if pair in live else None) or UnknownRecipient(pointer="/recipient_id")
            for pair in recipients
        }

    async def countries(self, connection: Connection, row_ids: Sequence[str]) -> dict[str, str]:
        """Where the bank accounts are (ISO 3166-1 alpha-2), by row id."""
        return await store.countries(connection, self._entry.region, row_ids)

    def _prepare(self, tenant_id: str, request: RecipientNew) -> tuple[RecipientRow, RecipientDetails]:
        self._refuse_if_elsewhere(request.currency)
        check_letters(request.name, request.address)
        account, canonical = checked_account(request, self._modulus, self._rails)
        row_id = mint("rcp", self._entry.name)
        [token] = sign_tokens(self._signing_key, tenant_id, [(row_id, request.currency)])
        row = RecipientRow(
            row_id,
            tenant_id,
            token,
            request.kind,
            request.currency,
            account.country,
            account.bank,
            datetime.now(UTC),
            None,
        )
        details = RecipientDetails(
            kind=request.kind,
            name=request.name,
            account=canonical,
            address=request.address,
            lei=request.lei,
        )
        return row, details

    def _refuse_if_elsewhere(self, currency: str) -> None:
        region = self._directory.region_of_currency.get(currency)
        if region is None:
            raise NoRailForCurrency(f"No region pays accounts in {currency}.", pointer="/currency")
        if region != self._entry.region:
            raise WrongRegion(
                f"Accounts in {currency} are held in {region}; register the recipient there.",
                pointer="/currency",
                region=region,
            )

    async def _save(
        self, connection: Connection, tenant_id: str, items: Sequence[tuple[RecipientRow, RecipientDetails]]
    ) -> dict[str, Verdict]:
        """By token, the verdict on each. Screened before the first write, so that a slow list holds no
        lock."""
        subjects = [subject_of(row.recipient_id, details) for row, details in items]
        verdicts = await self._standing.screen(subjects)
        if items:
            sealable = [(row.recipient_id, details) for row, details in items]
            await seal_details(connection, self._vault, tenant_id, sealable)
            await store.insert_recipients(connection, self._entry.region, [row for row, _ in items])
            await self._standing.register(connection, tenant_id, subjects, verdicts)
        return {row.token: verdict for (row, _), verdict in zip(items, verdicts, strict=True)}

    async def _views(self, connection: Connection, rows: Sequence[RecipientRow]) -> list[Recipient]:
        live = [row.recipient_id for row in rows if row.deleted_at is None]
        verdicts = await self._standing.standing(connection, live)
        details = await open_recipient_details(connection, self._vault, live)
        return [_view(row, details.get(row.recipient_id), verdicts.get(row.recipient_id)) for row in rows]


async def open_for_payout(connection: Connection, vault: Vault, row_ids: Sequence[str]) -> dict[str, Party]:
    """The rails' creditor by row id; one that is unknown, deleted or erased is absent. Raises
    VaultUnreadable."""
    rows = await store.select_recipients(connection, vault.region, row_ids)
    payable = {row.recipient_id: row for row in rows if row.deleted_at is None}
    details = await open_recipient_details(connection, vault, list(payable))
    return {row_id: creditor_party(one, payable[row_id].country) for row_id, one in details.items()}


def creditor_party(details: RecipientDetails, bank_country: str) -> Party:
    """The rails' creditor; `bank_country` stands where there is no address."""
    account = account_from_vault(details.account)
    if details.address is None:
        return Party(details.name, account, bank_country, lei=details.lei or "")
    home = details.address
    return Party(
        details.name, account, home.country, home.town, home.street or "", home.post_code or "", home.building_number or "",
        home.sub_division or "", home.lines, details.lei or "",
    )  # fmt: skip


def _view(row: RecipientRow, details: RecipientDetails | None, verdict: Verdict | None) -> Recipient:
    return Recipient(
        id=row.token,
        kind=row.kind,
        currency=row.currency,
        country=row.country,
        bank=row.bank,
        status=status_of(row.deleted_at, verdict),
        created_at=row.created_at,
        name_check=_name_check(row),
        details=details,
    )


def _name_check(row: RecipientRow) -> NameChecked | None:
    if row.name_check is None or row.name_checked_at is None:
        return None
    return NameChecked(result=row.name_check, checked_at=row.name_checked_at)


def _with_status(recipient: Recipient, verdicts: Mapping[str, Verdict]) -> Recipient:
    return recipient.model_copy(update={"status": status_of(None, verdicts.get(recipient.id))})
