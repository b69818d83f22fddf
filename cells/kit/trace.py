"""One payment's trace, joined across cells by its id alone: nothing crosses a border for it.

The trace id of a payment is the 128 bits of its transfer id's uuid, and every span id is derived from what the span is about. So
each cell writes its own spans to its own collector, knowing nothing of the other's, and they join wherever both may be seen:

    origin          the payment at its first cell, from acceptance to rest
    ├ accept, hold, export, …     one span for each step of its timeline, as long as the stay that the step ended
    └ destination   the same at the other cell
      ├ admit, take, rail, …

A step is taken once, so its span is made once, however often a room runs again. Spans hold ids, states and rooms; no amount, no name.

Made for OTLP only where OTEL_EXPORTER_OTLP_ENDPOINT is set in the process's environment (OTEL_TRACES_SAMPLER_ARG: which share of
the payments, the same ones in every cell); elsewhere the SDK is not even imported, and a batch costs one look at a variable.
"""

import atexit
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from residency.ids import number

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

ENDPOINT_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
SHARE_VARIABLE = "OTEL_TRACES_SAMPLER_ARG"
# Of a uuid of version 7 only the end is random: its generator counts within a millisecond in the bits before (RFC 9562, 6.2). The 64
# bits that OpenTelemetry's own ratio sampler looks at even begin with the uuid's variant, which would sample all or nothing.
_RANDOM_BITS = 32
_ORIGINS = ("origin", "in_region")
_WHOLE: Final = 0


@dataclass(frozen=True, slots=True)
class Stay:
    """What one span tells. `version`: the leg's version that ended the stay; 0 for the whole life of the leg. `failed`: a refusal."""

    transfer_id: str
    leg: str
    version: int
    name: str
    began: datetime
    ended: datetime
    attributes: Mapping[str, str | int | bool]
    failed: bool = False


def trace_id(transfer_id: str) -> int:
    """The 128 bits that every cell finds from the id. Raises MalformedId."""
    return number(transfer_id)


def span_id(payment: int, leg: str, version: int) -> int:
    """The 64 bits of one span, never zero."""
    digest = blake2b(f"{leg}|{version}".encode(), digest_size=8, key=payment.to_bytes(16)).digest()
    return int.from_bytes(digest) or 1


def parent_of(payment: int, leg: str, version: int) -> int | None:
    """A step belongs to its leg, and a destination leg to the origin's."""
    if version != _WHOLE:
        return span_id(payment, leg, _WHOLE)
    return None if leg in _ORIGINS else span_id(payment, "origin", _WHOLE)


class Spans:
    """Turns stays into spans and hands them to `processor`, which sends them in a thread of its own."""

    def __init__(self, processor: "SpanProcessor", resource: Mapping[str, str | int], share: float = 1.0) -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only where traces are asked for
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415 - likewise

        assert 0.0 <= share <= 1.0, share
        self._processor = processor
        self._resource = Resource.create(dict(resource))
        self._scope = InstrumentationScope("kovra")
        self._below = int(share * (1 << _RANDOM_BITS))

    def chosen(self, payment: int) -> bool:
        """Whether this payment is in the share that is traced."""
        return payment & ((1 << _RANDOM_BITS) - 1) < self._below

    def write(self, stays: Sequence[Stay]) -> None:
        for stay in stays:
            payment = trace_id(stay.transfer_id)
            if self.chosen(payment):
                self._write(payment, stay)

    def _write(self, payment: int, stay: Stay) -> None:
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415 - only where traces are asked for
        from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags  # noqa: PLC0415 - likewise

        def context(of: int) -> SpanContext:
            return SpanContext(payment, of, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

        parent = parent_of(payment, stay.leg, stay.version)
        self._processor.on_end(
            ReadableSpan(
                name=stay.name,
                context=context(span_id(payment, stay.leg, stay.version)),
                parent=None if parent is None else context(parent),
                resource=self._resource,
                attributes={"kovra.transfer_id": stay.transfer_id, "kovra.leg": stay.leg, **stay.attributes},
                status=Status(StatusCode.ERROR if stay.failed else StatusCode.UNSET),
                start_time=_nanoseconds(min(stay.began, stay.ended)),
                end_time=_nanoseconds(stay.ended),
                instrumentation_scope=self._scope,
            )
        )


_current: Spans | None = None


def current() -> Spans | None:
    """Where this process writes its spans; None: nowhere, and then nobody should take the trouble to make any."""
    return _current


def use(spans: Spans | None) -> None:
    """Write the spans of this process there from now on."""
    global _current  # noqa: PLW0603 - one per process, like its loggers
    _current = spans


def configure(process: str, cell: str = "") -> None:
    """Once per process, beside log.configure. What is waiting is sent when the process ends by itself."""
    if not os.environ.get(ENDPOINT_VARIABLE):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see the module
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - likewise

    processor = BatchSpanProcessor(OTLPSpanExporter())
    atexit.register(processor.shutdown)
    resource = {"service.name": f"kovra-{process}", "service.instance.id": str(os.getpid())}
    use(Spans(processor, {**resource, "kovra.cell": cell} if cell else resource, _share()))


def _share() -> float:
    try:
        share = os.environ.get(SHARE_VARIABLE, "1")
        return min(max(float(share), 0.0), 1.0)
    except ValueError:
        return 1.0


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1_000
