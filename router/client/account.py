"""Your own company, as a region knows it: profile, keys, limits, fees."""

from collections.abc import Sequence

from router.client.account_models import FeeRule, Key, Limit, Profile
from router.client.resources import Noun


class Account(Noun):
    async def profile(self, *, region: str | None = None) -> Profile:
        """Who you are there, and what this key may do."""
        return Profile.model_validate(await self._transport.get("/v1/me", region=region))

    async def keys(self, *, region: str | None = None) -> Sequence[Key]:
        found = await self._transport.get("/v1/keys", region=region)
        return [Key.model_validate(one) for one in found["data"]]

    async def limits(
        self, *, wallet_id: str | None = None, payer_id: str | None = None, region: str | None = None
    ) -> Sequence[Limit]:
        """What you may send, and what is used of it; of one wallet, and for one payer, where they are named."""
        found = await self._transport.get("/v1/limits", region=region, wallet_id=wallet_id, payer_id=payer_id)
        return [Limit.model_validate(one) for one in found["data"]]

    async def fees(self, *, region: str | None = None) -> Sequence[FeeRule]:
        """The rules that your payments are priced by now."""
        found = await self._transport.get("/v1/fees", region=region)
        return [FeeRule.model_validate(one) for one in found["data"]]
