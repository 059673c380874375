"""Settings of each role, and the faults that a program finds in them."""

import asyncio
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest

from devstack.supervisor.credentials import Credentials
from devstack.supervisor.environment import of_role
from devstack.supervisor.options import Options
from devstack.supervisor.ports import Ports
from infra.runtime.settings import ProcessSettings, SettingsError
from tests.support.stack import ROOT

Environment = dict[str, str]


Changes = dict[str, str | None]


IN_PRODUCTION = {
    "QNT9_ENVIRONMENT": "production",
    "QNT9_KAFKA_PROTOCOL": "SASL_SSL",
    "QNT9_PUBLIC_URL": "https://qnt9.example.com",
    "QNT9_SMTP_URL": "smtps://mail.example.com",
    "QNT9_LIMITS": "strict",
    "QNT9_CORS_ORIGINS": "https://app.example.com",
}


def settings_of(role: str, credentials: Credentials, **changes: str | None) -> Environment:
    """As on one machine, but outside development; None takes a setting away."""
    found = of_role(role, credentials, Ports(8000), Options(Path("data")))
    found |= {name: value for name, value in IN_PRODUCTION.items() if name in found}
    for name, value in changes.items():
        found.pop(f"QNT9_{name}", None)
        if value is not None:
            found[f"QNT9_{name}"] = value
    return found


def faults_of(role: str, settings: Mapping[str, str]) -> list[str]:
    """What the role's settings are refused for, loaded as its program loads them."""
    program = import_module(f"{module_of(role)}.__main__")
    kind: type[ProcessSettings] = get_type_hints(program.run)["settings"]
    with pytest.MonkeyPatch.context() as environment:
        for name in [*os.environ]:
            if name.startswith("QNT9_"):
                environment.delenv(name)
        for name, value in settings.items():
            environment.setenv(name, value)
        try:
            kind.load()
        except SettingsError as error:
            return list(error.faults)
    return []


def module_of(role: str) -> str:
    return role if role == "gateway" else f"workers.{role}"


async def faults_of_program(role: str, settings: Mapping[str, str]) -> list[str]:
    """What the program says, and that its exit code tells."""
    machine = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module_of(role), "--check"),
        env={**machine, "PYTHONPATH": str(ROOT), **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    faults = errors.decode().splitlines()
    assert process.returncode == (2 if faults else 0)
    return faults


A_SENDGRID_KEY = "SG.wK3_vq9-Tz0aLx.pJ7hYc2VfMs6GkXw"


BY_SENDGRID: Changes = {
    "MAIL_TRANSPORT": "sendgrid",
    "SENDGRID_KEY": A_SENDGRID_KEY,
    "SMTP_URL": None,
}
