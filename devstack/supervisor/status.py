"""The status of a system: for people while it comes up, for scripts at any time."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

from devstack.supervisor.credentials import KAFKA_USERS, Credentials
from devstack.supervisor.environment import dsn, kafka_settings, redis_url, web_url
from devstack.supervisor.options import Options
from devstack.supervisor.ports import LOOPBACK, Ports
from devstack.supervisor.probes import readiness
from devstack.supervisor.process import Process, State
from devstack.supervisor.system import Step

ORDER = (
    "web",
    *KAFKA_USERS[2:],
    "kafka",
    "postgres",
    "valkey",
    "inbox",
    "exchange",
)


class SupervisedSystem(Protocol):
    """What a status is made of. The supervisor is one."""

    state: str
    error: str
    began: float
    """By the monotonic clock."""

    @property
    def processes(self) -> Mapping[str, Process]: ...

    @property
    def steps(self) -> Mapping[str, Step]: ...

    @property
    def options(self) -> Options: ...

    @property
    def credentials(self) -> Credentials: ...


def progress(supervisor: SupervisedSystem) -> dict[str, Any]:
    """What a live picture shows; asks nobody."""
    now = time.monotonic()
    units: list[dict[str, Any]] = []
    for process in supervisor.processes.values():
        took = process.took
        if took is None and process.began:
            took = now - process.began
        units.append(_unit(process.part.name, process.state, process.detail, took))
        units[-1]["where"] = process.part.where
    units += [
        _unit(step.name, step.state, step.detail, step.took) for step in supervisor.steps.values()
    ]
    return {
        "state": supervisor.state,
        "error": supervisor.error,
        "seconds": now - supervisor.began,
        "units": units,
        "unready": [
            each.part.name
            for each in supervisor.processes.values()
            if each.state not in {State.READY, State.STOPPED}
        ],
        "endpoints": endpoints(supervisor.credentials, Ports(supervisor.options.port_base)),
    }


async def of_running(supervisor: SupervisedSystem) -> dict[str, Any]:
    """The whole truth, each part asked anew."""
    processes = sorted(supervisor.processes.values(), key=_order)
    states = await asyncio.gather(*(_state(each) for each in processes))
    reported = await asyncio.gather(*(_reported(each) for each in processes))
    state = supervisor.state
    if state == "ready" and any(each != State.READY for each in states):
        state = "degraded"
    return {
        "state": state,
        "data": str(supervisor.options.data),
        **endpoints(supervisor.credentials, Ports(supervisor.options.port_base)),
        "processes": [
            {
                "name": process.part.name,
                "pid": process.pid,
                "state": displayed,
                "health_url": process.part.health_url,
                **({"problems": why} if (why := _problems(process, displayed, said)) else {}),
                **({"details": said["details"]} if said and said.get("details") else {}),
            }
            for process, displayed, said in zip(processes, states, reported, strict=True)
        ],
    }


def endpoints(credentials: Credentials, ports: Ports) -> dict[str, Any]:
    kafka = kafka_settings("operator", credentials, ports)
    return {
        "web": {"url": web_url(ports)},
        "gateway": {"url": f"http://{LOOPBACK}:{ports.gateway()}"},
        "kafka": {name.removeprefix("QNT9_KAFKA_").lower(): value for name, value in kafka.items()},
        "postgres": {"dsn": dsn("qnt9_owner", credentials, ports)},
        "redis": {"url": redis_url(credentials, ports)},
        "inbox": {"url": f"http://{LOOPBACK}:{ports.inbox}"},
        "exchange": {"url": f"http://{LOOPBACK}:{ports.exchange}"},
    }


async def _state(process: Process) -> str:
    if process.state != State.READY:
        return process.state
    answers = await process.part.probe()
    return process.state if answers or process.state != State.READY else "unready"


async def _reported(process: Process) -> dict[str, Any] | None:
    url = process.part.health_url
    asked = process.state in {State.READY, State.STARTING}
    return await readiness(url) if url and asked else None


def _problems(process: Process, displayed: str, said: dict[str, Any] | None) -> dict[str, str]:
    """Why a part is not ready, by check; nothing for one that is, or that somebody stopped."""
    if displayed in {State.READY, State.STOPPED}:
        return {}
    if said and said.get("problems"):
        return dict(said["problems"])
    if displayed == "unready":
        return {"process": "does not answer"}
    return {"process": process.detail} if process.detail else {}


def _order(process: Process) -> tuple[int, str]:
    role = process.part.name.partition("-")[0]
    return ORDER.index(role), process.part.name


def _unit(name: str, state: State, detail: str, seconds: float | None) -> dict[str, Any]:
    return {"name": name, "state": state, "detail": detail, "seconds": seconds}
