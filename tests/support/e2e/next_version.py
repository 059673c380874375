"""A next version of the system, beside this one: the same source with one addition of each kind.

An event of a new type, `UserSigninNoticed`, and a new value of an enumeration in an event: the
reason of a failed sign-in.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from devstack.supervisor import environment
from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from devstack.supervisor.options import Options
from devstack.supervisor.ports import Ports
from tests.support.chaos.source_mutation import Cut, mutated
from tests.support.stack import Stack
from tests.support.waiting import eventually

NEW_TYPE = "qnt9.user.signin_noticed.v1"
NEW_REASON = "wrong_password_again"
OLD_REASON = "wrong_password"

_NEW_EVENT = '''class UserSigninNoticed(UserEvent):
    """Of the next version."""


class UserTokenRefreshed(UserEvent):'''
_BOTH = """tx.emit(event, about=about, caused_by=received, key=key)
    if event.user_id:
        import contracts.events

        noticed = contracts.events.UserSigninNoticed(user_id=event.user_id)
        tx.emit(noticed, about=about, caused_by=received, key=key)
    tx.complete(received, Rejected("invalid-credentials"))"""
NEXT_VERSION = (
    Cut(
        "contracts/events.py",
        'reason: Literal["unknown_address", "wrong_password"]',
        f'reason: Literal["unknown_address", "wrong_password", "{NEW_REASON}"]',
    ),
    Cut("contracts/events.py", "class UserTokenRefreshed(UserEvent):", _NEW_EVENT),
    *(
        Cut(
            file,
            "        events.UserSigninFailed,\n",
            "        events.UserSigninFailed,\n        events.UserSigninNoticed,\n",
        )
        for file in ("contracts/topics.py", "contracts/emitters.py")
    ),
    Cut("workers/accounts/signin/rules.py", 'reason="wrong_password"', f'reason="{NEW_REASON}"'),
    Cut(
        "workers/accounts/signin/handlers.py",
        "tx.emit(event, about=about, caused_by=received, key=key)\n"
        '    tx.complete(received, Rejected("invalid-credentials"))',
        _BOTH,
    ),
)


def next_version(folder: Path) -> Path:
    """The source of the next version."""
    return mutated(folder, NEXT_VERSION)


async def migrate(stack: Stack, source: Path) -> None:
    """As each rollout begins: the rights of the roles are those of the version."""
    await asyncio.to_thread(Stack(stack.data, source).qnt9, "migrate")


@asynccontextmanager
async def running(stack: Stack, role: str, source: Path) -> AsyncIterator[None]:
    """One worker of another version in the place of the supervised one."""
    base = httpx.URL(stack.urls["gateway"]["url"]).port
    assert base is not None
    layout, ports = Layout(stack.data), Ports(base)
    settings = environment.of_role(
        role, load_or_create(layout), ports, Options(data=stack.data, port_base=base)
    )
    port = ports.health(role)
    settings |= {"QNT9_INSTANCE": f"{role}-next", "QNT9_HEALTH_PORT": str(port)}
    await stack.stop(role)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", f"workers.{role}"),
        env=environment.of_machine() | settings | {"PYTHONPATH": str(source)},
        cwd=layout.run,
        stdout=asyncio.subprocess.DEVNULL,
    )
    health = f"http://127.0.0.1:{port}/health/ready"
    try:
        await eventually(lambda: _is_ready(health), seconds=120, what=f"the next {role}", every=0.5)
        yield
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
        await process.wait()
        await stack.start(role)
        await stack.until_ready(role, seconds=120)


async def _is_ready(url: str) -> bool:
    async with httpx.AsyncClient() as http:
        try:
            return (await http.get(url)).status_code == 200
        except httpx.TransportError:
            return False
