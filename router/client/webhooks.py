"""The check of a webhook's signature, by the Standard Webhooks project's own library.

    event = Webhook(secret).verify(body, headers)      # raises WebhookVerificationError

`secret` is the `whsec_…` that creating the endpoint answered, `body` the raw bytes as they came.
"""

from collections.abc import Mapping
from typing import Any

import standardwebhooks
from standardwebhooks import WebhookVerificationError

__all__ = ["Webhook", "WebhookVerificationError"]


class Webhook(standardwebhooks.Webhook):
    """One endpoint's secret."""

    def verify(self, data: bytes | str, headers: Mapping[str, str], *, json_parse: bool = True) -> Any:
        """The event, None without `json_parse`. Raises WebhookVerificationError, whatever is wrong: the library itself raises that, and of
        what it cannot read (base64, UTF-8, JSON, nesting) whatever it meets."""
        try:
            return super().verify(data, dict(headers), json_parse=json_parse)
        except WebhookVerificationError:
            raise
        except Exception as error:
            raise WebhookVerificationError("The delivery is malformed") from error
