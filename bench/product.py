"""The system under measurement: `qnt9 up` in a folder of its own, as anybody would start it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, but not by name
    AdminClient,
    OffsetSpec,
)

from bench.scenarios import Settles
from bench.systems import System
from contracts.topics import AUDIT, SIGNUP, VERIFICATION_MAILS, Consumer, topics_of
from devstack.supervisor import credentials
from devstack.supervisor.credentials import Credentials
from devstack.supervisor.layout import Layout
from devstack.supervisor.ports import Ports
from devstack.supervisor.system import operator
from infra.kafka.operator_client import Operator

ROOT = Path(__file__).parents[1]
STAND_INS = ("inbox", "exchange", "web")
"""Not part of what is measured; nobody is charged for them."""

NAME = "qnt9"


class BenchError(Exception):
    """The benchmark cannot be run; the message says why."""


@dataclass(frozen=True)
class Stack:
    """The running system and everybody's secrets."""

    system: System
    credentials: Credentials
    ports: Ports
    status: dict[str, Any]


@asynccontextmanager
async def running_product(data: Path, port_base: int) -> AsyncIterator[Stack]:
    """Up and ready; down again afterwards, however it ends."""
    try:
        await qnt9(data, "up", "--detach", "--port-base", str(port_base), "--limits", "relaxed")
        status = json.loads(await qnt9(data, "status", "--json"))
        ports = Ports(port_base)
        made = credentials.load_or_create(Layout(data))
        pids = {p["name"]: p["pid"] for p in status["processes"] if p["name"] not in STAND_INS}
        connection = await asyncpg.connect(status["postgres"]["dsn"])
        try:
            work = Done(connection, Operator(operator(made, ports)))
            system = System(
                NAME,
                "QNT9",
                (ports.gateway(),),
                {name: pid for name, pid in pids.items() if pid},
                "qnt9",
                connection,
                work,
            )
            yield Stack(system, made, ports, status)
        finally:
            await connection.close()
    finally:
        await asyncio.shield(qnt9(data, "down"))


async def qnt9(data: Path, *arguments: str) -> str:
    """The command line tool. In a session of its own: Ctrl-C is for us, who then stop it."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "operations.cli",
        *arguments,
        "--data",
        str(data),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    output, _ = await child.communicate()
    if child.returncode:
        raise BenchError(f"qnt9 {arguments[0]}: {output.decode().strip()}")
    return output.decode()


class Done:
    """All commands handled, all events in the audit log, all mails sent: nothing lags behind."""

    def __init__(
        self,
        connection: "asyncpg.Connection[asyncpg.Record]",
        admin: AdminClient,
    ) -> None:
        self._connection = connection
        self._admin = admin

    async def done(self, what: Settles) -> bool:
        """In the order in which work flows, so that nothing slips past between two looks.

        The broker is asked as little as can be: what that costs it is on the system's bill.
        """
        if what is Settles.NOTHING:
            return True
        everything = what is Settles.EVERYTHING
        if everything and await self._lag(SIGNUP):
            return False
        if not await self._connection.fetchval(_ALL_PUBLISHED):
            return False
        if await self._lag(AUDIT) or (everything and await self._lag(VERIFICATION_MAILS)):
            return False
        sent: bool = not everything or await self._connection.fetchval(_ALL_SENT)
        return sent

    async def _lag(self, consumer: Consumer) -> int:
        return await asyncio.to_thread(self._lag_of, consumer)

    def _lag_of(self, consumer: Consumer) -> int:
        partitions = [
            TopicPartition(topic.name, partition)
            for topic in topics_of(consumer)
            for partition in range(topic.partitions)
        ]
        asked = [ConsumerGroupTopicPartitions(consumer.group, partitions)]
        answer = self._admin.list_consumer_group_offsets(asked)[consumer.group].result()
        ends = self._admin.list_offsets(dict.fromkeys(partitions, _LATEST))
        latest = {(p.topic, p.partition): f.result().offset for p, f in ends.items()}
        return sum(
            latest[p.topic, p.partition] - max(p.offset, 0) for p in answer.topic_partitions or ()
        )


_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_ALL_PUBLISHED = "SELECT NOT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"
_ALL_SENT = "SELECT NOT EXISTS (SELECT FROM mails WHERE status IN ('queued', 'sending'))"
