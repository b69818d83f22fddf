"""What every process of a cell measures beside prometheus_client's own kinds: histograms that cost little and can travel.

A Spread is a histogram whose counts are plain lists: to observe is one bisect, with no lock, since a process here has one thread
that measures. Its `snapshot` is small and picklable, so that an actor's process, which nobody can scrape, hands its figures to the
host with its description, and the host shows them under the actor's name (`exposition`).

Names: `kovra_<what>_<unit>`. No label holds an id of a payment, a wallet or a tenant: figures are for many, a trace is for one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
# From a ledger's answer to a scheme's working day. The targets are 15 and 50 ms at acceptance and 400 ms end to end.
SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86400.0,
)  # fmt: skip
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)

Snapshot = Mapping[str, Mapping[tuple[str, ...], tuple[Sequence[int], float]]]
"""Of each Spread by name, and each combination of labels: how many fell into each bucket (not cumulated), and their sum."""

_SPREADS: "dict[str, Spread]" = {}


class Spread(Collector):
    """A histogram of this process, by name. Make it once, at import. `bounds` are upper bounds, inclusive; +Inf is added."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        assert name.startswith("kovra_"), name
        assert name not in _SPREADS, f"{name} is measured twice"
        self.name = name
        self.labels = tuple(labels)
        self._documentation = documentation
        self._bounds = tuple(bounds)
        self._edges = [*(f"{bound:.15g}" for bound in bounds), "+Inf"]
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        _SPREADS[name] = self
        REGISTRY.register(self)

    def observe(self, value: float, *labels: str) -> None:
        """Count one value. A clock that another machine set may run ahead of ours: a negative time counts as none."""
        counts = self._counts.get(labels)
        if counts is None:
            assert len(labels) == len(self.labels), (labels, self.labels)
            counts = self._counts[labels] = [0] * len(self._edges)
            self._sums[labels] = 0.0
        value = max(value, 0.0)
        counts[bisect_left(self._bounds, value)] += 1
        self._sums[labels] += value

    def count(self, *labels: str) -> int:
        """How many values were observed under these labels."""
        return sum(self._counts.get(labels, ()))

    def snapshot(self) -> dict[tuple[str, ...], tuple[Sequence[int], float]]:
        return {labels: (tuple(counts), self._sums[labels]) for labels, counts in self._counts.items()}

    def describe(self) -> Iterable[Metric]:
        return [self.family({})]

    def collect(self) -> Iterable[Metric]:
        return [self.family({"": self.snapshot()})]

    def family(
        self, by_actor: Mapping[str, Mapping[tuple[str, ...], tuple[Sequence[int], float]]]
    ) -> HistogramMetricFamily:
        """The figures of several processes, by actor. One whose buckets are cut otherwise (another release) is left out."""
        family = HistogramMetricFamily(self.name, self._documentation, labels=[*self.labels, "actor"])
        for actor, figures in by_actor.items():
            for labels, (counts, total) in figures.items():
                if len(counts) == len(self._edges):
                    family.add_metric([*labels, actor], list(self._cumulated(counts)), total)
        return family

    def _cumulated(self, counts: Sequence[int]) -> Iterator[tuple[str, float]]:
        so_far = 0
        for edge, count in zip(self._edges, counts, strict=True):
            so_far += count
            yield edge, so_far


BATCHES = Spread("kovra_batch_items", "How many items a batch held, by the stage that carried it out", ["stage"], SIZES)


def snapshot() -> Snapshot:
    """Every Spread of this process that has seen anything."""
    return {name: figures for name, spread in _SPREADS.items() if (figures := spread.snapshot())}


def exposition(cell: str, actors: Mapping[str, Snapshot]) -> bytes:
    """The process's own figures and those that its actors told, as Prometheus reads them; every `kovra_` figure names the cell.

    Actors of one name (all wallets with a place of their own, say) must be added up first: see `added`.
    """
    registry = CollectorRegistry()
    registry.register(_Gathered(cell, actors))
    return generate_latest(registry)


def added(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Several processes' figures as if they were one's."""
    total: dict[str, dict[tuple[str, ...], tuple[Sequence[int], float]]] = {}
    for one in snapshots:
        for name, figures in one.items():
            sums = total.setdefault(name, {})
            for labels, (counts, amount) in figures.items():
                before, before_amount = sums.get(labels, ((0,) * len(counts), 0.0))
                if len(before) == len(counts):
                    sums[labels] = ([a + b for a, b in zip(before, counts, strict=True)], before_amount + amount)
    return total


class _Gathered(Collector):
    def __init__(self, cell: str, actors: Mapping[str, Snapshot]) -> None:
        self._cell = cell
        self._actors = actors

    def collect(self) -> Iterator[Metric]:
        for metric in REGISTRY.collect():
            spread = _SPREADS.get(metric.name)
            if spread is not None:
                told = {
                    actor: figures[spread.name] for actor, figures in self._actors.items() if spread.name in figures
                }
                yield self._of_cell(spread.family({"": spread.snapshot(), **told}))
            else:
                yield self._of_cell(metric)

    def _of_cell(self, metric: Metric) -> Metric:
        if not metric.name.startswith("kovra_"):
            return metric
        named = Metric(metric.name, metric.documentation, metric.type)
        for sample in metric.samples:
            labels: dict[str, Any] = {"cell": self._cell, **sample.labels}
            named.add_sample(sample.name, labels, sample.value, sample.timestamp, sample.exemplar)
        return named
