"""quotes.commands → handlers, a batch at a time."""

from collections import deque
from functools import partial
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field

from contracts.topics import QUOTES
from infra.kafka.work import Policy
from infra.process import Worker
from infra.resilience import Upstream
from infra.settings import WorkerSettings
from infra.upstreams import Change, CircuitPolicy, RetryPolicy
from workers.quotes.cache import QuoteCache
from workers.quotes.handlers import Quotes, look_up_quotes
from workers.quotes.yahoo import open_yahoo

POLICY = Policy(max_records=200, in_bulk=True)
CHANGES_KEPT = 1_000

Seconds = Annotated[float, Field(gt=0, le=3_600)]


class QuotesSettings(WorkerSettings):
    """Where quotes come from, and how patiently it is asked."""

    quotes_source: Literal["sandbox", "yahoo"]
    yahoo_url: AnyHttpUrl
    quotes_connect_seconds: Seconds = 3.0
    quotes_read_seconds: Seconds = 8.0
    quotes_attempts: int = Field(default=3, ge=1, le=10)
    quotes_retry_seconds: Seconds = 2.0
    quotes_retry_seconds_most: Seconds = 30.0
    quotes_failures: int = Field(default=5, ge=1, le=100)
    quotes_open_seconds: Seconds = 30.0
    quotes_limited_seconds: Seconds = 300.0
    quotes_limited_seconds_most: Seconds = 3_600.0
    quotes_parallel: int = Field(default=4, ge=1, le=32)

    @property
    def retries(self) -> RetryPolicy:
        return RetryPolicy(
            self.quotes_attempts, self.quotes_retry_seconds, self.quotes_retry_seconds_most
        )

    @property
    def circuit(self) -> CircuitPolicy:
        return CircuitPolicy(
            self.quotes_failures,
            self.quotes_open_seconds,
            self.quotes_limited_seconds,
            self.quotes_limited_seconds_most,
            self.quotes_parallel,
        )


async def start(worker: Worker, settings: QuotesSettings) -> None:
    provider = await worker.shutdown.resources.enter_async_context(
        open_yahoo(
            str(settings.yahoo_url),
            name=settings.quotes_source,
            connect_seconds=settings.quotes_connect_seconds,
            read_seconds=settings.quotes_read_seconds,
        )
    )
    changes: deque[Change] = deque(maxlen=CHANGES_KEPT)
    slice_ = Quotes(
        transactions=worker.transactions(QUOTES),
        pool=worker.pool,
        wakeups=worker.wakeups,
        cache=QuoteCache(worker.redis),
        provider=provider,
        upstream=Upstream(
            provider.name,
            worker.redis,
            changes.append,
            retries=settings.retries,
            circuit=settings.circuit,
        ),
        changes=changes,
    )
    worker.shutdown.on_shutdown("look-ups", slice_.look_ups.finish)
    await worker.consume(QUOTES, partial(look_up_quotes, slice_), transactions=None, policy=POLICY)
