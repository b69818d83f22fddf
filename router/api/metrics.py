"""What the API measures: how long each route takes, and how many requests are under way."""

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from starlette.responses import Response

# The targets are 15 ms and 50 ms at acceptance: fine steps around them.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

LATENCY = Histogram("kovra_api_request_seconds", "Time to answer", ["method", "route", "status"], buckets=_BUCKETS)
IN_FLIGHT = Gauge("kovra_api_requests_in_flight", "Requests under way")
AUDIT = Histogram("kovra_api_audit_seconds", "Time to put a call on the audit trail", buckets=_BUCKETS)
COUNTED_ALONE = Gauge("kovra_api_rates_counted_alone", "1 while this process counts requests without Redis")
ROUTER_UNPROVEN = Counter(
    "kovra_api_router_unproven",
    "Requests whose Kovra-Router does not hold: a router with another secret or clock, or a forgery",
)
TURNED_AWAY = Counter("kovra_api_turned_away", "Requests answered 429", ["reason"])


def exposition() -> Response:
    """The figures as Prometheus reads them."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
