"""What the edge of a cell itself refuses. The rooms' own failures are theirs."""

from residency.errors import KovraError


class RouteUnknown(KovraError):
    code = "not-found"
    status = 404
    title = "There is nothing at this address"


class MethodNotAllowed(KovraError):
    code = "method-not-allowed"
    status = 405
    title = "This address does not take that method"


class BodyTooLarge(KovraError):
    code = "body-too-large"
    status = 413
    title = "The request body is larger than this address takes"


class MediaTypeUnsupported(KovraError):
    code = "unsupported-media-type"
    status = 415
    title = "The body is in a form that this address does not take"


class BodyNotJson(KovraError):
    code = "body-not-json"
    status = 400
    title = "The request body is not JSON that every reader takes alike"


class InvalidRequest(KovraError):
    """`extra["errors"]` lists every field at fault, by JSON pointer or by the name of the parameter."""

    code = "invalid-request"
    status = 422
    title = "The request does not have the form that this address takes"


class ParameterRepeated(KovraError):
    """`extra["errors"]` names each of them."""

    code = "parameter-repeated"
    status = 400
    title = "A parameter that may be there once is there twice"


class ScopeMissing(KovraError):
    code = "scope-missing"
    status = 403
    title = "Your key may not do this"


class TooManyFailures(KovraError):
    """Keys, tokens or signatures from this address, or in this key's name, were wrong too often. Those that were good a moment ago go on
    working, and so does a key that others guess at."""

    code = "too-many-failures"
    status = 429
    retryable = True
    title = "Too many failed attempts from this address, or with this key"


class RegionRequired(KovraError):
    code = "region-required"
    status = 400
    title = "Name the region of this request"


class IdempotencyKeyMissing(KovraError):
    code = "idempotency-key-missing"
    status = 400
    title = "Send an Idempotency-Key header, so that a repeated request pays once"


class IdempotencyKeyInvalid(KovraError):
    code = "idempotency-key-invalid"
    status = 400
    title = "An Idempotency-Key has 1 to 255 visible ASCII characters"


class WalletMissing(KovraError):
    code = "wallet-missing"
    status = 422
    title = "You have no wallet in that currency here"


class SandboxOnly(KovraError):
    code = "sandbox-only"
    status = 403
    title = "Only a sandbox key in a sandbox cell can do this"


class NotAtTheScheme(KovraError):
    code = "not-at-the-scheme"
    status = 409
    retryable = True
    title = "No simulated scheme of this cell has been asked for that payment yet"


class LiveOnly(KovraError):
    code = "live-only"
    status = 403
    title = "A sandbox key opens nothing in a live cell"


class UnknownEndpoint(KovraError):
    code = "unknown-webhook-endpoint"
    status = 404
    title = "There is no such webhook endpoint"


class UnknownEvent(KovraError):
    code = "unknown-event"
    status = 404
    title = "There is no such event"


class UnknownDelivery(KovraError):
    """An event goes to the endpoints that were listening when it happened; a replay sends it to others."""

    code = "unknown-webhook-delivery"
    status = 404
    title = "That event was not sent to that endpoint"


class EndpointDisabled(KovraError):
    """Enable it first: `PATCH /v1/webhooks/{id}` with `{"status": "enabled"}`."""

    code = "webhook-endpoint-disabled"
    status = 409
    title = "The webhook endpoint is disabled"


class UnknownReason(KovraError):
    code = "unknown-reason"
    status = 404
    title = "There is no such reason code"


class UnknownProblem(KovraError):
    code = "unknown-problem"
    status = 404
    title = "There is no such kind of problem"
