"""What can be supervised, and in which order it comes up and goes down."""

import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum

from devstack.supervisor import environment
from devstack.supervisor.credentials import Credentials
from devstack.supervisor.layout import Layout
from devstack.supervisor.options import Options
from devstack.supervisor.ports import LOOPBACK, SCALABLE, Ports
from devstack.supervisor.probes import answers_ready

Probe = Callable[[], Awaitable[bool]]
"""True when the part does its work; False or an exception when it does not yet."""

Say = Callable[[str], None]
"""Tells whoever watches what is being done."""


class Tier(IntEnum):
    """Tiers drain one after another, the highest first."""

    INFRASTRUCTURE = 0
    STAND_INS = 1
    AUDIT = 2
    RELAY = 3
    WORKERS = 4
    GATEWAY = 5


@dataclass(frozen=True)
class Part:
    name: str
    tier: Tier
    command: tuple[str, ...]
    variables: dict[str, str]
    probe: Probe
    where: str
    """Where to look, as shown to a person."""
    ports: tuple[int, ...]
    after: tuple[str, ...] = ()
    prepare: Callable[[Say], None] | None = None
    """Runs in a thread before each start."""
    health_url: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 25.0
    ready_within: float = 45.0


def parts_of_ours(
    layout: Layout, credentials: Credentials, ports: Ports, options: Options
) -> list[Part]:
    stand_ins = [
        _stand_in("inbox", ports.inbox, (ports.smtp,), environment.of_inbox(layout, ports)),
        _stand_in("exchange", ports.exchange, (), environment.of_exchange(ports)),
    ]
    if options.quotes != "sandbox":
        stand_ins.pop()
    roles = [
        _role(role, instance, credentials, ports, options)
        for role in SCALABLE
        for instance in range(1, options.scale.get(role, 1) + 1)
    ]
    return [*stand_ins, _web(ports), *roles]


def _web(ports: Ports) -> Part:
    """The front end needs nothing of the rest to start: its pages say when the gateway is away."""
    health = f"http://{LOOPBACK}:{ports.web_health}"
    return Part(
        "web",
        Tier.GATEWAY,
        _python("web"),
        environment.of_web(ports),
        probe=lambda: answers_ready(health),
        where=environment.web_url(ports),
        ports=(ports.web, ports.web_health),
        health_url=f"{health}/health/ready",
        grace=10.0,
    )


def _stand_in(name: str, port: int, others: tuple[int, ...], variables: dict[str, str]) -> Part:
    url = f"http://{LOOPBACK}:{port}"
    return Part(
        name,
        Tier.STAND_INS,
        _python(f"devstack.{name}"),
        variables,
        probe=lambda: answers_ready(url),
        where=url,
        ports=(port, *others),
        health_url=f"{url}/health/ready",
        grace=10.0,
    )


_TIERS = {"gateway": Tier.GATEWAY, "relay": Tier.RELAY, "audit": Tier.AUDIT}


def _role(
    role: str, instance: int, credentials: Credentials, ports: Ports, options: Options
) -> Part:
    name = role if instance == 1 else f"{role}-{instance}"
    health = ports.health(role, instance)
    url = f"http://{LOOPBACK}:{health}"
    listens = {"QNT9_HEALTH_HOST": LOOPBACK, "QNT9_HEALTH_PORT": str(health)}
    listening: tuple[int, ...] = (health,)
    where = f"{url}/health/ready"
    if role == "gateway":
        port = ports.gateway(instance)
        listens |= {"QNT9_HTTP_HOST": LOOPBACK, "QNT9_HTTP_PORT": str(port)}
        listening, where = (port, health), f"http://{LOOPBACK}:{port}"
    return Part(
        name,
        _TIERS.get(role, Tier.WORKERS),
        _python(module_of(role)),
        environment.of_role(role, credentials, ports, options) | listens | {"QNT9_INSTANCE": name},
        probe=lambda: answers_ready(url),
        where=where,
        ports=listening,
        after=("migrations", "topics", "valkey"),
        health_url=f"{url}/health/ready",
    )


def module_of(role: str) -> str:
    return role if role in {"gateway", "web"} else f"workers.{role}"


def _python(module: str) -> tuple[str, ...]:
    # -P: what lies about in the current folder is not imported.
    return (sys.executable, "-P", "-u", "-m", module)
