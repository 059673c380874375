"""compose.yaml against the code: the same roles, the same secrets for each, the same grace."""

import os
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack.supervisor.components import module_of
from devstack.supervisor.credentials import create
from devstack.supervisor.environment import of_role, of_web
from devstack.supervisor.options import Options
from devstack.supervisor.ports import Ports
from infra.postgres.privileges import ROLES
from operations.container_secrets import MOUNTED, Hosts, secret_files
from tests.support.infra.tls.authority import Authority
from tests.support.stack import ROOT

CHART = ROOT / "infra/helm"
PACKAGES = ("contracts", "devstack", "gateway", "infra", "operations", "web", "workers")
OF_THE_PLACE = {"QNT9_ENVIRONMENT", "QNT9_LOG_LEVEL", "QNT9_LIMITS"}
OF_THE_PLACE |= {"QNT9_KAFKA_MECHANISM", "QNT9_INSTANCE", "QNT9_PLAINTEXT_ALLOWED"}
OF_THE_PLACE |= {"QNT9_TRUSTED_PROXIES", "QNT9_OUTCOMES_KEPT_DAYS", "QNT9_RELAY_OUTBOX_KEPT_DAYS"}
OF_THE_PLACE |= {"QNT9_ACCOUNTS_SESSIONS_KEPT_DAYS", "QNT9_VERIFICATION_MAILS_KEPT_DAYS"}
OF_THE_PLACE |= {"QNT9_AUDIT_CHECKPOINT_SECONDS"}
"""Settings whose defaults are right in containers, or which differ between the two places."""

IN_PRODUCTION = {
    "QNT9_ENVIRONMENT": "production",
    "QNT9_PUBLIC_URL": "https://api.example.com",
    "QNT9_WEB_URL": "https://app.example.com",
    "QNT9_LIMITS": "strict",
}


@cache
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return loaded


def services() -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"]
    return found


def seconds(text: str) -> int:
    assert text.endswith("s"), text
    return int(text.removesuffix("s"))


def mounted(service: str) -> dict[str, str]:
    """The file of each secret, by its path in the container."""
    given = [
        {"source": each, "target": each} if isinstance(each, str) else each
        for each in services()[service].get("secrets", ())
    ]
    return {str(MOUNTED / each["target"]): each["source"] for each in given}


@pytest.mark.parametrize("role", ROLES)
def test_every_role_is_a_service_of_the_one_image(role: str) -> None:
    service = services()[role]
    assert service["image"].startswith("qnt9:")
    assert service["command"] == ["python", "-m", module_of(role)]
    assert service["environment"]["QNT9_KAFKA_USERNAME"] == role
    assert service["environment"]["QNT9_INSTANCE"] == role


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_the_settings_and_the_secrets_that_it_has_on_one_machine(role: str) -> None:
    credentials = create()
    here = of_role(role, credentials, Ports(8000), Options(Path("data")))
    files = secret_files(credentials, Hosts(kafka="127.0.0.1:8092", postgres="127.0.0.1:8032"))
    files |= {"redis_url": here.get("QNT9_REDIS_URL", "")}
    variables = services()[role]["environment"]
    paths = mounted(role)
    secret = {
        name.removesuffix("_FILE"): files[paths.pop(path)]
        for name, path in variables.items()
        if name.endswith("_FILE")
    }
    assert not paths, "mounted, but read by no setting"
    assert secret == {name: here[name] for name in secret}
    assert here.keys() - OF_THE_PLACE == (variables.keys() - OF_THE_PLACE - _files_of(secret)) | (
        secret.keys()
    )


@pytest.mark.parametrize("chosen", [{}, IN_PRODUCTION], ids=["as it is", "in production"])
@pytest.mark.parametrize("role", ROLES)
def test_a_role_would_start_with_what_it_is_given(
    role: str, chosen: dict[str, str], tmp_path: Path
) -> None:
    for name, text in secret_files(create(), Hosts()).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    paths = mounted(role)
    given = {
        name: str(tmp_path / paths[value]) if value in paths else interpolated(value, chosen)
        for name, value in services()[role]["environment"].items()
    }
    done = checked(role, given)
    assert (done.returncode, done.stderr) == (0, "")


def test_front_end_has_no_secret_and_would_start_with_what_it_is_given() -> None:
    service = services()["web"]
    assert "secrets" not in service
    given = {name: interpolated(v, IN_PRODUCTION) for name, v in service["environment"].items()}
    done = checked("web", given)
    assert (done.returncode, done.stderr) == (0, "")
    assert given.keys() <= of_web(Ports(8000)).keys() | {"QNT9_LOG_LEVEL"}


def test_the_pages_example_of_another_mail_server_would_start(tmp_path: Path) -> None:
    page = (ROOT / "docs/deployment.md").read_text("utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    override = yaml.safe_load(example)
    ours = {f"secrets/{name}": text for name, text in secret_files(create(), Hosts()).items()}
    ours |= {"secrets/smtp_url": "smtps://mailer:Kx7-tq2_VwZs0@mail.example.com"}
    ours |= {"secrets/smtp_ca": Authority(tmp_path / "authority").file.read_text("ascii")}
    (tmp_path / "secrets").mkdir()
    for name, text in ours.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    paths = {path: f"./secrets/{source}" for path, source in mounted("verification").items()}
    theirs = override["services"]["verification"]
    paths |= {str(MOUNTED / each): override["secrets"][each]["file"] for each in theirs["secrets"]}
    variables = services()["verification"]["environment"] | theirs["environment"]
    done = checked(
        "verification",
        {
            name: str(tmp_path / paths[value]) if value in paths else interpolated(value, {})
            for name, value in variables.items()
        }
        | {"QNT9_ENVIRONMENT": "production", "QNT9_PUBLIC_URL": "https://api.example.com"},
    )
    assert (done.returncode, done.stderr) == (0, "")


def checked(role: str, given: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """As the role's process judges its settings."""
    return subprocess.run(
        [sys.executable, "-m", module_of(role), "--check"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **given},
        capture_output=True,
        text=True,
        check=False,
    )


def interpolated(value: str, chosen: dict[str, str]) -> str:
    """As Compose does it: `${NAME:-default}`."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda m: chosen.get(m[1]) or m[2], value)


def _files_of(names: dict[str, str]) -> set[str]:
    return {f"{name}_FILE" for name in names}


@pytest.mark.parametrize("name", services())
def test_every_secret_of_a_service_is_a_file_that_is_made(name: str) -> None:
    made = secret_files(create(), Hosts()).keys()
    declared = compose()["secrets"]
    assert declared == {each: {"file": f"./secrets/{each}"} for each in sorted(made)}
    assert set(mounted(name).values()) <= made


def test_no_secret_is_in_the_file_itself() -> None:
    text = (ROOT / "compose.yaml").read_text("utf-8")
    secret = r"^ +[A-Z0-9_]*(?:PASSWORD|KEY|DSN|PRIVATE)[A-Z0-9_]*: (.*)$"
    words = re.findall(secret, text, re.MULTILINE)
    assert words
    assert all(word.startswith("/run/secrets/") for word in words)


@pytest.mark.parametrize("name", services())
def test_a_service_has_no_right_it_does_not_need(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    reached = {"gateway", "web", "quotes", "mailpit", "prometheus"}
    assert ("outside" in service["networks"]) == (name in reached)


@pytest.mark.parametrize("name", services())
def test_a_service_says_how_it_is_and_has_time_to_drain(name: str) -> None:
    service = services()[name]
    assert name == "setup" or service["healthcheck"]["test"]
    assert seconds(service["stop_grace_period"]) >= (20 if name in ROLES else 10)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_starts_when_the_installation_is_ready_for_it(role: str) -> None:
    assert services()[role]["depends_on"] == {
        "setup": {"condition": "service_completed_successfully"},
        "redis": {"condition": "service_healthy"},
    }
    assert services()["setup"]["depends_on"].keys() == {"kafka", "postgres"}


def test_every_role_is_watched() -> None:
    scraped = yaml.safe_load((ROOT / "infra/containers/prometheus.yml").read_text("utf-8"))
    (job,) = scraped["scrape_configs"]
    (discovery,) = job["dns_sd_configs"]
    assert sorted(discovery["names"]) == sorted((*ROLES, "web"))


def test_the_image_runs_as_no_one_and_stops_when_asked() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    assert "USER 10001:10001" in lines
    assert "STOPSIGNAL SIGTERM" in lines
    assert any("--require-hashes" in line for line in lines)


def test_every_file_that_lies_beside_the_code_is_packaged() -> None:
    """In a checkout they are found anyway: an image would miss them only when it is run.

    But the chart, which is installed from a checkout.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    beside = [
        path.name
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and CHART not in path.parents
    ]
    assert beside
    assert [n for n in beside if not any(fnmatch(n, p) for p in patterns)] == []


def test_every_package_of_the_wheel_reaches_the_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    found = project["tool"]["setuptools"]["packages"]["find"]["include"]
    allowed = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {name.rstrip("*") for name in found} <= {line.removeprefix("!") for line in allowed}
