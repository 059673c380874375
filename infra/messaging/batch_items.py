"""Messages of a batch that wait for their handler, and how they are tried one by one."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.message import Message
from infra.kafka.records import Record
from infra.messaging.batch_progress import Batch, Failure
from infra.messaging.call_result import Awaiting, CallResult, Failed, Handled, Poisoned
from infra.messaging.failure_guard import Source
from infra.messaging.inbound import InboundMessage


@dataclass(slots=True)
class Item:
    """A readable message with its record, which a dead letter must repeat."""

    received: InboundMessage[Message]
    record: Record
    failures: int = 0
    first_failure: datetime | None = None

    def count_failure(self) -> None:
        """Count one more failure of the handler, and remember the time of the first."""
        self.failures += 1
        self.first_failure = self.first_failure or datetime.now(UTC)

    @property
    def source(self) -> Source:
        """Who sent it, as far as that is known."""
        client = self.received.client
        actor = self.received.envelope.actor_id
        return Source(self.record.key, actor, client.ip if client else None)


def by_key(items: Iterable[Item]) -> list[list[Item]]:
    """Return the messages of each key, in order."""
    groups: dict[object, list[Item]] = {}
    for item in items:
        groups.setdefault(item.record.key, []).append(item)
    return list(groups.values())


async def probe(
    items: Iterable[Item], handle: Callable[[list[Item]], Awaitable[CallResult]], batch: Batch
) -> list[tuple[Item, str]]:
    """Try each message once. Returns those that the handler failed on, and how. Raises `DOWN`."""
    failed: list[tuple[Item, str]] = []
    for item in items:
        match await handle([item]):
            case Handled():
                pass
            case Awaiting(error=error):
                raise error
            case Poisoned(error=error):
                batch.set_aside(item.record, Failure(str(error), "poison"))
            case Failed(reason=reason):
                failed.append((item, reason))
    return failed
