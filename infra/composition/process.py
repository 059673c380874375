"""What every process behind the bus is made of; a slice's `__main__` names only its own parts."""

from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from starlette.applications import Starlette

from contracts.topics import Consumer, takes_commands
from infra.kafka.producer import Producer
from infra.messaging.consumer_controls import Controls
from infra.messaging.consumer_options import ConsumerOptions
from infra.messaging.consumer_policy import Policy
from infra.messaging.consumer_shell import ConsumerShell
from infra.messaging.database_age import DatabaseAge
from infra.messaging.dead_letter_expiry import keep_expiring
from infra.messaging.dead_letter_status import DeadLetterStatus
from infra.messaging.handler_calls import Handle
from infra.messaging.outcome_notifier import OutcomeNotifier
from infra.messaging.postgres_controls import PostgresControls
from infra.messaging.record_reader import Reader
from infra.messaging.restored_database import Memory
from infra.messaging.transaction import Transactions
from infra.postgres.pool import Pool, open_pool
from infra.postgres.reads import probe_of
from infra.postgres.retention import Rule, run_retention
from infra.redis.client import open_redis
from infra.resilience.dependency_monitor import Dependency
from infra.runtime.clock import CLOCK
from infra.runtime.health import Health
from infra.runtime.http_server import http_server
from infra.runtime.lifecycle import GracefulShutdownHandler
from infra.runtime.settings import BusSettings, WorkerSettings
from infra.security.client_cipher import ClientCipher

log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class Process:
    """What every process has. Consumers and loops are added, then `run` ends with a signal."""

    settings: BusSettings
    shutdown: GracefulShutdownHandler
    health: Health
    pool: Pool
    producer: Producer
    cipher: ClientCipher | None = None

    async def consume(
        self,
        consumer: Consumer,
        handle: Handle,
        *,
        transactions: Transactions | None,
        policy: Policy | None = None,
        reader: Reader | None = None,
        memory: Memory | None = None,
        dead_letter_status: DeadLetterStatus | None = None,
    ) -> None:
        """Start a consumer; it is stopped before anything it uses.

        It joins its group when the database knows what the group has read (`database_age`);
        `memory` is what it remembers itself, and `dead_letter_status` where it keeps what it sets
        aside, where it has no transactions for that.
        """
        options = ConsumerOptions(
            client_id=self.settings.instance,
            transactions=transactions,
            cipher=self.cipher,
            policy=policy or Policy(),
            reader=reader,
            controls=Controls(consumer.name, PostgresControls(self.pool, consumer.name)),
            dead_letter_status=dead_letter_status,
        )
        shell = ConsumerShell(consumer, self.settings, handle, options)
        self.health.alive[consumer.name] = lambda: None if shell.alive else "no progress"
        self.health.ready[consumer.name] = lambda: shell.problem
        self.shutdown.on_shutdown(consumer.name, shell.stop)
        if memory is None and transactions and consumer.inbox:
            memory = transactions.memory
        self.start(f"start {consumer.name}", self._join(consumer, shell, memory))
        self.start(f"tidy {consumer.name}", shell.tidy())
        if transactions and takes_commands(consumer):
            self.start(f"expire {consumer.name}", keep_expiring(transactions, consumer.name))

    async def _join(self, consumer: Consumer, shell: ConsumerShell, memory: Memory | None) -> None:
        if memory is None:
            await shell.run()
            return
        age = DatabaseAge(
            self.settings, consumer, self.pool, memory, client_id=self.settings.instance
        )
        self.health.ready[f"{consumer.name} database"] = lambda: age.problem
        await age.current()
        await shell.run()
        await age.watch()

    def start(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        """Run a loop beside the consumers, cancelled in its turn. If it fails, the process ends."""
        self.shutdown.background(name, loop)

    def delete_expired(self, rules: Sequence[Rule]) -> None:
        """Remove from time to time what the rules say has been kept for long enough."""
        self.start("retention", run_retention(self.pool, rules))

    async def run(self) -> None:
        """Run until the process is asked to stop, then release everything."""
        self.health.started = True
        await self.shutdown.run_until_signalled()


@dataclass(kw_only=True)
class Worker(Process):
    """A process that handles commands and announces what became of them."""

    redis: Redis
    outcome_notifier: OutcomeNotifier

    def transactions(self, consumer: Consumer) -> Transactions:
        """Return the transactions of one consumer, which announce outcomes."""
        return Transactions(self.pool, consumer.name, self.outcome_notifier)


@asynccontextmanager
async def open_process(settings: BusSettings) -> AsyncIterator[Process]:
    """Open what every process has, in order; release it in reverse, the health port last."""
    async with GracefulShutdownHandler() as shutdown:
        enter = shutdown.resources.enter_async_context
        health = Health()
        health.ready["shutdown"] = lambda: "draining" if shutdown.draining.is_set() else None
        app = Starlette(routes=health.routes())
        await enter(http_server(app, settings.health_host, settings.health_port, name="operations"))
        pool = await enter(open_pool(settings, instance=settings.instance))
        producer = await enter(Producer(settings, client_id=settings.instance))
        watch_needed(Dependency("postgres", probe_of(pool)), health, shutdown)
        watch_needed(Dependency("kafka", producer.probe), health, shutdown)
        yield Process(
            settings=settings, shutdown=shutdown, health=health, pool=pool, producer=producer
        )


def watch_needed(
    dependency: Dependency, health: Health, shutdown: GracefulShutdownHandler
) -> Dependency:
    """Watch a server without which the process cannot work; readiness names it while it is away."""
    health.ready[dependency.name] = lambda: dependency.problem
    health.ready["clock"] = lambda: CLOCK.problem
    shutdown.background(f"watch {dependency.name}", dependency.watch())
    return dependency


def watch_helpful(
    dependency: Dependency, health: Health, shutdown: GracefulShutdownHandler
) -> Dependency:
    """Watch a server without which the process works slower; readiness names it as such."""
    health.degraded[dependency.name] = lambda: dependency.problem
    shutdown.background(f"watch {dependency.name}", dependency.watch())
    return dependency


@asynccontextmanager
async def open_worker(settings: WorkerSettings) -> AsyncIterator[Worker]:
    """Open a process that also has the cache server and the key of clients."""
    async with open_process(settings) as process:
        redis = await process.shutdown.resources.enter_async_context(open_redis(settings))
        watch_helpful(Dependency("valkey", redis.ping), process.health, process.shutdown)
        yield Worker(
            settings=settings,
            shutdown=process.shutdown,
            health=process.health,
            pool=process.pool,
            producer=process.producer,
            cipher=ClientCipher(settings.client_key),
            redis=redis,
            outcome_notifier=OutcomeNotifier(redis),
        )
