"""The check of a webhook's signature, by the Standard Webhooks project's own library.

    event = Webhook(secret).verify(body, headers)      # raises WebhookVerificationError

`secret` is the `whsec_…` that creating the endpoint answered, `body` the raw bytes as they came.
"""

from standardwebhooks import Webhook, WebhookVerificationError

__all__ = ["Webhook", "WebhookVerificationError"]
