"""The rendered chart runs every role as the contracts and compose.yaml have it."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.topics import PARTITIONS, TOPICS
from devstack.supervisor.ports import SCALABLE
from tests.support.stack import ROOT

HELM = ROOT / "infra" / "helm"
FILES = ("qnt9", "keda")
STAGES = ("dev", "staging", "production")
DRAIN_SECONDS = 20
"""What docs/graceful-shutdown.md asks for."""
ROLES = sorted((*SCALABLE, "web"))


@cache
def objects(stage: str) -> tuple[dict[str, Any], ...]:
    texts = [(HELM / "rendered" / stage / f"{name}.yaml").read_text("utf-8") for name in FILES]
    return tuple(each for text in texts for each in yaml.safe_load_all(text) if each)


def manifests(stage: str, kind: str) -> dict[str, Any]:
    """Every object of a kind, by the component that it is for."""
    found = [each for each in objects(stage) if each["kind"] == kind]
    return {each["metadata"]["name"].removeprefix("qnt9-"): each for each in found}


def pod_of(stage: str, role: str) -> dict[str, Any]:
    spec: dict[str, Any] = manifests(stage, "Deployment")[role]["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("stage", STAGES)
def test_every_role_has_deployment_and_disruption_budget(stage: str) -> None:
    assert sorted(manifests(stage, "Deployment")) == ROLES
    assert sorted(manifests(stage, "PodDisruptionBudget")) == ROLES


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("role", ROLES)
def test_pod_is_confined_and_has_time_to_drain(stage: str, role: str) -> None:
    pod = pod_of(stage, role)
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert pod["terminationGracePeriodSeconds"] > before + DRAIN_SECONDS
    assert (before > 0) == (role in {"gateway", "web"})
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in PROBES}
    assert paths == PROBES


PROBES = {"startup": "/health/startup", "liveness": "/health/live", "readiness": "/health/ready"}


@pytest.mark.parametrize("role", ROLES)
def test_role_reads_the_secrets_that_compose_gives_it(role: str) -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"][role]
    if role == "web":
        assert "secrets" not in compose
        assert not any("secret" in volume for volume in pod_of("production", role)["volumes"])
        return
    given = {each if isinstance(each, str) else each["target"] for each in compose["secrets"]}
    if role == "verification":
        given.add("smtp_url")  # in compose mail stays inside
    (secrets,) = (v["secret"] for v in pod_of("production", role)["volumes"] if "secret" in v)
    assert secrets["secretName"] == f"qnt9-{role}"
    assert {item["key"] for item in secrets["items"]} == given


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_workers_scale_on_lag_of_every_group_up_to_the_partitions(stage: str) -> None:
    wanted = {
        (consumer.principal, consumer.group, topic.name)
        for topic in TOPICS
        for consumer in topic.consumers
    }
    scaled = manifests(stage, "ScaledObject")
    found = {
        (role, trigger["metadata"]["consumerGroup"], trigger["metadata"]["topic"])
        for role, each in scaled.items()
        for trigger in each["spec"]["triggers"]
    }
    assert found == wanted
    assert all(each["spec"]["maxReplicaCount"] <= PARTITIONS for each in scaled.values())


@pytest.mark.parametrize("stage", STAGES)
def test_network_lets_each_role_talk_to_its_servers_only(stage: str) -> None:
    policies = manifests(stage, "NetworkPolicy")
    assert policies.pop("nobody")["spec"]["policyTypes"] == ["Ingress", "Egress"]
    ports = {
        role: {port["port"] for rule in each["spec"]["egress"] for port in rule["ports"]}
        for role, each in policies.items()
    }
    otlp = set() if stage == "dev" else {4318}
    servers, cache = {53, 9093, 5432} | otlp, {6379}
    assert ports.pop("verification") == servers | cache | {465}
    assert ports.pop("quotes") == servers | cache | {443}
    assert ports.pop("web") == {53} | otlp
    for role in ("audit", "relay", "setup"):
        assert ports.pop(role) == servers
    assert set(ports) == {"gateway", "signup", "accounts", "watchlist"}
    assert all(each == servers | cache for each in ports.values())
    listening = {
        role: {port["port"] for rule in each["spec"]["ingress"] for port in rule["ports"]}
        for role, each in policies.items()
    }
    assert listening.pop("gateway") == listening.pop("web") == {8000, 8080}
    assert listening.pop("setup") == set()
    assert all(each == {8080} for each in listening.values())


@pytest.mark.skipif(
    not shutil.which("helm"), reason="helm is not installed: nothing is re-rendered"
)
def test_rendering_again_changes_nothing(tmp_path: Path) -> None:
    subprocess.run((str(HELM / "render.sh"), str(tmp_path)), check=True)
    for path in tmp_path.rglob("*.yaml"):
        committed = HELM / "rendered" / path.relative_to(tmp_path)
        assert path.read_text("utf-8") == committed.read_text("utf-8"), committed
