"""The whole system, run as its users run it: `qnt9 up` in a data folder of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.topics import MAX_DEAD_LETTER_BYTES
from devstack.supervisor.control import ACT_SECONDS, ask
from devstack.supervisor.layout import Layout
from tests.support.mailed_links import link_in
from tests.support.process_guard import watch_folder
from tests.support.run_report import note_started
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORT_BASE = int(os.environ.get("QNT9_TEST_PORT_BASE", "21000")) + 1000 * WORKER
PASSWORD = "Quiet-harbour-61-lantern"
AGENT = "qnt9-tests/1.0"
UP_SECONDS = 180
EXTERNAL = "QNT9_TEST_STACK"
"""The data folder of a system that somebody else has started, to be used instead."""
STATUS = "status.json"
"""In that folder: what `qnt9 status --json` would say of it."""
OPEN_SECONDS = 2
"""How long a circuit of quotes stays open: a test waits for it to close."""
SETTINGS = {
    "QNT9_AUDIT_CHECKPOINT_SECONDS": "5",
    "QNT9_QUOTES_OPEN_SECONDS": str(OPEN_SECONDS),
}
"""What a system is started with, unless the environment says otherwise."""


@dataclass(frozen=True)
class User:
    """Somebody with an account."""

    email: str
    password: str
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


class Stack:
    """A running system, and what a test does with it."""

    def __init__(
        self, data: Path, source: Path = ROOT, environment: Mapping[str, str] | None = None
    ) -> None:
        self.data = data
        self._environment = environment or {}
        self._source = source

    def qnt9(self, *arguments: str) -> str:
        """Run the command line tool; its output. Fails when it does."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"qnt9 {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def run(
        self, *arguments: str, seconds: float = UP_SECONDS
    ) -> "subprocess.CompletedProcess[str]":
        """Run the command line tool, whatever comes of it. Fails after `seconds`."""
        with self.begin(*arguments) as running:
            out, err = running.communicate(timeout=seconds)
        return subprocess.CompletedProcess(arguments, running.returncode, out, err)

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the command line tool, to be killed or waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "operations.cli", *arguments],
            cwd=self._source,
            env={
                **SETTINGS,
                **os.environ,
                **self._environment,
                "PYTHONPATH": str(self._source),
                "QNT9_DATA": str(self.data),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def control(self, verb: str, **arguments: str) -> dict[str, Any]:
        """Ask the supervisor over its socket, as `qnt9` does. Fails when it refuses.

        It takes milliseconds, where a command takes a second of a core. May block for as long as a
        part takes to start or stop.
        """
        answer = ask(Layout(self.data), {"do": verb, **arguments}, ACT_SECONDS)
        assert answer["ok"], f"{verb} {arguments}: {answer}"
        return answer

    def status(self) -> dict[str, Any]:
        """Return what `qnt9 status --json` prints."""
        status: dict[str, Any] = self.control("status")["status"]
        return status

    async def stop(self, name: str) -> None:
        """Stop one part; it stays stopped until it is started."""
        await asyncio.to_thread(self.control, "stop", name=name)

    async def start(self, name: str) -> None:
        """Start one part and wait until it is ready."""
        await asyncio.to_thread(self.control, "start", name=name)

    async def restart(self, name: str) -> None:
        """Stop one part gracefully and start it again."""
        await asyncio.to_thread(self.control, "restart", name=name)

    def pid(self, name: str) -> int:
        """Of a process that runs: pid 0 would mean the group of the test run itself."""
        pid = next(p["pid"] for p in self.status()["processes"] if p["name"] == name)
        assert pid, f"{name} does not run"
        return int(pid)

    def kill(self, name: str) -> int:
        """SIGKILL one process; the supervisor starts it again."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    async def until_ready(self, name: str, *, seconds: float = 60) -> None:
        """The named part runs and is ready."""

        async def ready() -> bool:
            status = await asyncio.to_thread(self.status)
            return any(p["name"] == name and p["state"] == "ready" for p in status["processes"])

        await eventually(ready, seconds=seconds, what=f"{name} ready", every=0.25)

    def http(self, **options: Any) -> httpx.AsyncClient:
        """A client of the gateway."""
        options.setdefault("timeout", 30)
        options.setdefault("headers", {"User-Agent": AGENT})
        return httpx.AsyncClient(base_url=self.urls["gateway"]["url"], **options)

    @property
    def urls(self) -> dict[str, Any]:
        if not hasattr(self, "_status"):
            self._status = self.status()
        return self._status

    @asynccontextmanager
    async def postgres(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """A connection of the owner's, who reads everything."""
        connection = await asyncpg.connect(self.urls["postgres"]["dsn"])
        try:
            yield connection
        finally:
            await connection.close()

    def kafka_options(self) -> dict[str, Any]:
        """The operator's connection, for any aiokafka client."""
        kafka = self.urls["kafka"]
        return {
            "bootstrap_servers": kafka["bootstrap"],
            "security_protocol": kafka["protocol"],
            "sasl_mechanism": kafka["mechanism"],
            "sasl_plain_username": kafka["username"],
            "sasl_plain_password": kafka["password"],
        }

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(**self.kafka_options(), max_request_size=MAX_DEAD_LETTER_BYTES)
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()

    async def records(self, *topics: str) -> list[Any]:
        """Every record that these topics hold now."""
        consumer = AIOKafkaConsumer(
            *topics,
            **self.kafka_options(),
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            max_partition_fetch_bytes=MAX_DEAD_LETTER_BYTES,
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            found: list[Any] = []
            while any([await consumer.position(p) < end for p, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
            return found
        finally:
            await consumer.stop()

    async def mails(self, address: str) -> list[dict[str, Any]]:
        """What the inbox has for an address, newest first."""
        async with httpx.AsyncClient(base_url=self.urls["inbox"]["url"], timeout=60) as inbox:
            answer = await inbox.get("/api/v1/messages", params={"to": address})
            messages: list[dict[str, Any]] = answer.json()["messages"]
            return messages

    async def mailed_token(self, address: str, *, seconds: float = 120) -> str:
        """The token of the newest link that was mailed to an address.

        A mail without a link, as a repeated sign-up causes, may come before or after it.
        """

        async def newest() -> str:
            tokens = [link[1] for mail in await self.mails(address) if (link := link_in(mail))]
            return tokens[0] if tokens else ""

        return await eventually(newest, seconds=seconds, what=f"a link for {address}")

    async def sign_in(self, email: str, password: str = PASSWORD) -> User:
        async with self.http() as http:
            answer = await http.post(
                "/api/v1/auth/signin", json={"email": email, "password": password}
            )
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        return User(email, password, tokens["access_token"], tokens["refresh_token"])

    async def mails_may_go(self) -> None:
        """As if an hour had passed: every address may be mailed again, and no mail waits."""
        async with self.postgres() as conn:
            await conn.execute("DELETE FROM mail_allowances")
            await conn.execute("UPDATE mails SET next_attempt_at = now() WHERE status = 'queued'")

    async def admin(self, password: str = PASSWORD) -> User:
        """A verified user whom the operator has made an admin."""
        user = await self.verified_user(password=password)
        await asyncio.to_thread(self.qnt9, "user", "create-admin", user.email)
        return user

    async def verified_user(self, email: str | None = None, password: str = PASSWORD) -> User:
        """Sign up, verify with the mailed link, sign in."""
        email = email or f"{uuid4().hex[:12]}@example.com"
        async with self.http() as http:
            body = {"email": email, "password": password, "display_name": "Ada"}
            assert (await http.post("/api/v1/auth/signup", json=body)).status_code == 202
            token = await self.mailed_token(email)
            answer = await http.post(
                "/api/v1/auth/verify", json={"token": token, "password": password}
            )
            assert answer.status_code == 200, answer.text
        await self.mails_may_go()
        return await self.sign_in(email, password)


class ExternalStack(Stack):
    """A system that runs without our supervisor: its parts can be asked, not killed."""

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads((self.data / STATUS).read_text("utf-8"))
        return status


@contextmanager
def running_stack(
    data: Path,
    *,
    port_base: int,
    source: Path = ROOT,
    options: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """The system, up and ready; down again afterwards."""
    stack = Stack(data, source, environment)
    watch_folder(data)
    note_started(data)
    stack.qnt9("up", "--detach", "--port-base", str(port_base), *options)
    try:
        yield stack
    finally:
        stack.qnt9("down")
