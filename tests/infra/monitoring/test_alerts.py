"""Every alert uses metrics that exist and names a runbook that exists."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FOLDERS = ("contracts", "devstack", "gateway", "infra", "operations", "web", "workers")
SEVERITIES = {"page", "ticket"}
_METRIC = re.compile(r"\bqnt9_[a-z0-9_]+")
_NAME = re.compile(r'"(qnt9_[a-z0-9_]+)"')
_SUFFIXES = ("_bucket", "_count", "_sum")


def alerts() -> list[dict[str, Any]]:
    text = (ROOT / "infra" / "monitoring" / "alerts.yml").read_text("utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def metrics() -> set[str]:
    """The names of all metrics that the source declares."""
    sources = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return {name for path in sources for name in _NAME.findall(path.read_text("utf-8"))}


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    titles = re.findall(r"^#+ (.*)", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_alert_uses_declared_metrics(alert: dict[str, Any], metrics: set[str]) -> None:
    used = _METRIC.findall(alert["expr"])
    assert used
    for name in used:
        base = next((name.removesuffix(each) for each in _SUFFIXES if name.endswith(each)), name)
        assert base in metrics, f"{name} is not declared by any module"


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_alert_has_severity_summary_and_an_existing_runbook(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in SEVERITIES
    assert alert["annotations"]["summary"].endswith(".")
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert anchor in headings(ROOT / page)


def test_names_of_alerts_are_unique() -> None:
    names = [alert["alert"] for alert in alerts()]
    assert len(names) == len(set(names))


def test_prometheus_of_the_compose_file_loads_the_alerts() -> None:
    config = yaml.safe_load((ROOT / "infra/containers/prometheus.yml").read_text("utf-8"))
    volumes = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]["prometheus"][
        "volumes"
    ]
    (loaded,) = config["rule_files"]
    assert f"./infra/monitoring/alerts.yml:{loaded}:ro" in volumes
