"""The partner's side: a Python client of the API, and the check of webhooks.

Invariants: a payment is sent under one Idempotency-Key however often it has to be sent, so that an answer that was lost
never becomes a second payment; personal data goes only to the region that the caller names.
"""

from router.client.client import KovraClient
from router.client.errors import Problem, ProblemError, Unreachable
from router.client.webhooks import Webhook, WebhookVerificationError

__all__ = ["KovraClient", "Problem", "ProblemError", "Unreachable", "Webhook", "WebhookVerificationError"]
