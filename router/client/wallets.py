"""Wallets: what is in them, what moved, and sub-wallets."""

from collections.abc import Sequence
from datetime import datetime

from router.client.models import Page
from router.client.resources import Noun, given
from router.client.wallet_models import Statement, SubWallet, Wallet, WalletTransfer


class Wallets(Noun):
    async def list(self, *, region: str | None = None) -> Sequence[Wallet]:
        """Your wallets of one region."""
        found = await self._transport.get("/v1/wallets", region=region)
        return [Wallet.model_validate(one) for one in found["data"]]

    async def get(self, wallet_id: str) -> Wallet:
        return Wallet.model_validate(await self._transport.get(f"/v1/wallets/{wallet_id}"))

    async def statement(
        self,
        wallet_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Statement:
        """What moved from `since` to before `until`, oldest first, with the balance after each entry."""
        span = {name: one.isoformat() for name, one in (("from", since), ("to", until)) if one is not None}
        found = await self._transport.get(f"/v1/wallets/{wallet_id}/statement", limit=limit, cursor=cursor, **span)
        return Statement.model_validate(found)

    async def transfer(
        self, wallet_id: str, to_wallet_id: str, value: str, currency: str, *, key: str | None = None
    ) -> WalletTransfer:
        """Move money to another of your wallets of the currency, now."""
        body = {"to_wallet_id": to_wallet_id, "amount": {"value": value, "currency": currency}}
        found = await self._transport.post(f"/v1/wallets/{wallet_id}/transfers", body, key=key)
        return WalletTransfer.model_validate(found)

    async def open_sub_wallet(
        self,
        wallet_id: str,
        name: str,
        *,
        target: tuple[str, str] | None = None,
        locked_until: datetime | None = None,
        key: str | None = None,
    ) -> SubWallet:
        body = given(
            name=name,
            target=None if target is None else {"value": target[0], "currency": target[1]},
            locked_until=None if locked_until is None else locked_until.isoformat(),
        )
        found = await self._transport.post(f"/v1/wallets/{wallet_id}/sub-wallets", body, key=key)
        return SubWallet.model_validate(found)

    async def sub_wallets(self, wallet_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[SubWallet]:
        """Those of a wallet, closed ones too, oldest first."""
        found = await self._transport.get(f"/v1/wallets/{wallet_id}/sub-wallets", limit=limit, cursor=cursor)
        return Page[SubWallet].model_validate(found)

    async def close_sub_wallet(self, wallet_id: str, sub_wallet_id: str, *, key: str | None = None) -> SubWallet:
        """For good; what is in it goes back to its wallet. Raises ProblemError `wallet-locked` before its day."""
        path = f"/v1/wallets/{wallet_id}/sub-wallets/{sub_wallet_id}/close"
        return SubWallet.model_validate(await self._transport.post(path, {}, key=key))
