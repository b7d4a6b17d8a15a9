"""What Prometheus collects."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_REASONS = {
    401: "key",
    408: "slow",
    413: "size",
    421: "host",
    422: "content",
    429: "busy",
    499: "gone",
    503: "connections",
    504: "timeout",
}


class Metrics:
    """Counts of one app, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("kivuko_requests", "Requests answered.", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "kivuko_request_seconds", "Time to the answer.", ["route"], buckets=_BUCKETS, registry=self.registry
        )
        self.in_flight = Gauge("kivuko_requests_in_flight", "Requests being answered.", registry=self.registry)
        self.rejected = Counter("kivuko_rejected", "Requests refused.", ["reason"], registry=self.registry)
        for reason in _REASONS.values():
            self.rejected.labels(reason)

    def record(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
        if status in _REASONS:
            self.rejected.labels(_REASONS[status]).inc()

    def text(self) -> bytes:
        """Return all counts in Prometheus's text format."""
        return generate_latest(self.registry)
