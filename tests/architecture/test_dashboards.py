"""Dashboards and alert rules say only what the code measures: every expression parses, every metric and label exists."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from promql_parser import VectorSelector

import actors.figures
import actors.workers.admitter
import actors.workers.exporter
import actors.workers.gauges
import actors.workers.reconcile
import actors.workers.sweep
import actors.workers.webhooks
import cells.payments.watch
import router.api.metrics
from cells.kit.metrics import Spread
from residency.directory import load_directory
from router.edge.app import Edge
from tests.architecture.tree import ROOT, keep

FOLDER = ROOT / "infra" / "dashboards"
BOARDS = sorted((FOLDER / "grafana").glob("*.json"))
MEASURED_BY = (
    actors.figures, actors.workers.admitter, actors.workers.exporter, actors.workers.gauges, actors.workers.reconcile, actors.workers.sweep,
    actors.workers.webhooks, cells.payments.watch, router.api.metrics,
)  # fmt: skip
# What Prometheus and Grafana put in, and what the host adds to the figures of others.
_GIVEN = {"le", "job", "instance", "cell", "actor"}
_IDS = {
    "transfer_id",
    "wallet_id",
    "tenant_id",
    "tenant",
    "wallet",
    "transfer",
    "recipient",
    "payer",
    "endpoint",
    "key",
}


_SERIES = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",), "gauge": ("",)}


def measured() -> dict[str, set[str]]:
    """Every series that the processes show, with its labels."""
    found: dict[str, set[str]] = {"up": set()}
    for registry in (REGISTRY, Edge(load_directory(None), {}).registry):
        for collector in registry._collector_to_names:
            if isinstance(collector, Spread):
                labels = set(collector.labels)
            elif isinstance(collector, MetricWrapperBase):
                labels = set(collector._labelnames)
            else:
                continue
            for metric in collector.describe():
                found |= {metric.name + end: labels for end in _SERIES[metric.type] if metric.name.startswith("kovra_")}
    return found


def selectors(node: Any) -> Iterator[VectorSelector]:
    """Every vector that an expression reads."""
    if isinstance(node, VectorSelector):
        yield node
        return
    for name in ("expr", "lhs", "rhs", "param", "vector_selector"):
        child = getattr(node, name, None)
        if child is not None and not isinstance(child, str):
            yield from selectors(child)
    for argument in getattr(node, "args", None) or ():
        yield from selectors(argument)


def faults(expression: str, known: dict[str, set[str]]) -> Iterator[str]:
    """What is wrong with one expression."""
    for variable, value in (("$__rate_interval", "5m"), ("$cell", ".*")):
        expression = expression.replace(variable, value)
    try:
        parsed = promql_parser.parse(expression)
    except ValueError as error:
        yield f"{expression}  does not parse: {error}"
        return
    read = list(selectors(parsed))
    if not read:
        yield f"{expression}  reads nothing"
    for one in read:
        if one.name not in known:
            yield f"{expression}  {one.name} is measured nowhere"
            continue
        strange = {matcher.name for matcher in one.matchers.matchers} - known[one.name] - _GIVEN
        yield from (f"{expression}  {one.name} has no label {label}" for label in strange)
    grouped = {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", expression) for label in labels.split(",")}
    there = _GIVEN.union(*(known.get(one.name, set()) for one in read))
    yield from (f"{expression}  groups by {label}, which nothing there has" for label in grouped - there)


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    assert len({group["name"] for group in groups}) == len(groups), "two groups share a name"
    return [rule for group in groups for rule in group["rules"]]


def test_dashboards_and_rules_read_only_what_is_measured() -> None:
    known = measured()
    boards = {path.name: json.loads(path.read_text()) for path in BOARDS}
    asked = [
        (name, one["expr"]) for name, board in boards.items() for panel in board["panels"] for one in panel["targets"]
    ]
    asked += [(rule["alert"], rule["expr"]) for rule in rules()]
    assert len(asked) > 60
    keep(
        "Dashboards and alerts read what the code measures.",
        why="a panel or an alert on a metric that is misspelt or gone shows nothing, which looks exactly like all being well.",
        mend="use the metric's name and labels as the code has them, or bring the metric back.",
        breaches=[f"{where}: {fault}" for where, expression in asked for fault in faults(expression, known)],
    )


def test_no_figure_has_a_label_for_ids() -> None:
    keep(
        "No metric has a label for ids.",
        why="a label with an id makes a series for each payment, and a copy of who paid when in a system that erases nothing.",
        mend="leave the label out; kovra trace and the traces follow one payment.",
        breaches=[f"{name}  {sorted(labels & _IDS)}" for name, labels in measured().items() if labels & _IDS],
    )


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path: Any) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    assert "kovra" in board["tags"]
    assert {one["name"] for one in board["templating"]["list"]} == {"datasource", "cell"}
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert panel["title"], path
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        here = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not here & taken, f"{panel['title']} lies upon another panel"
        assert max(x for x, _ in here) < 24, f"{panel['title']} is off the grid"
        taken |= here
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references), panel["title"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    variable = next(one for one in board["templating"]["list"] if one["name"] == "cell")
    metric = re.fullmatch(r"label_values\((\w+), cell\)", variable["query"]["query"])
    assert metric is not None
    assert metric[1] in measured()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, "promtool knows no other fields of a rule"
    assert re.fullmatch(r"Kovra[A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description"}
    if "for" in rule:
        promql_parser.parse_duration(rule["for"])
    # A rule that groups has these labels and no others; what its words name must be among them.
    outer = re.search(r"\bby \(([^)]*)\)", rule["expr"])
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    if outer is not None:
        assert named <= set(outer[1].replace(" ", "").split(",")), (
            "words that name a label which the result does not have"
        )


def test_every_alert_has_a_name_of_its_own_and_the_dangers_have_one() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    read = " ".join(rule["expr"] for rule in rules())
    for danger in (
        "kovra_invariant_findings", "kovra_outbox_oldest_seconds", "kovra_rail_breaker_state", "in_doubt_oldest", "kovra_sweep_rounds",
        'state="dead"', 'state="unreachable"', "kovra_disk_free_bytes", "kovra_gauges_timestamp_seconds",
    ):  # fmt: skip
        assert danger in read, f"no alert watches {danger}"


@pytest.mark.parametrize(
    "expression",
    [
        "sum(kovra_nothing)",
        "sum by (wallet_id) (kovra_actor_processed)",
        'kovra_actors{colour="red"}',
        "sum by (cell (kovra_actors)",
        "rate(kovra_webhook_attempts[5m])",
        "1 + 1",
    ],
)
def test_the_check_sees_a_fault(expression: str) -> None:
    assert list(faults(expression, measured()))
