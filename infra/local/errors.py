"""What can go wrong on the laptop, said so that the reader knows what to do."""

from residency.errors import KovraError


class LocalError(KovraError):
    """A part cannot be installed, started or stopped; the detail says which and what mends it."""

    code = "local-stack"
    title = "The local stack could not do that"
    status = 500
    retryable = False
