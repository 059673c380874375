"""What a consumer works with besides its topics and its handler."""

from dataclasses import dataclass, field
from typing import Any

from infra.kafka.connection import connection_options
from infra.messaging.consumer_controls import Controls
from infra.messaging.consumer_policy import Policy
from infra.messaging.dead_letter_status import DeadLetterStatus
from infra.messaging.record_reader import Reader
from infra.messaging.transaction import Transactions
from infra.runtime.settings import KafkaSettings
from infra.security.client_cipher import ClientCipher

FETCH_BYTES = 6 * 1024 * 1024
SESSION_MS = 10_000
"""How long the work of a killed process lies still: the group waits for it that long."""
METADATA_MS = 60_000
"""How late a consumer notices that a topic was created again."""


@dataclass(frozen=True, kw_only=True)
class ConsumerOptions:
    """The parts of one consumer.

    `client_id` names the process to the broker. Without `transactions` nothing is known of what was
    handled before, and dead letters leave a mark in the database only with `dead_letter_status`.
    `cipher` opens what commands hold encrypted. The default `reader` reads what the topics carry,
    and without `controls` no operator's instruction is followed.
    """

    client_id: str
    transactions: Transactions | None
    cipher: ClientCipher | None = None
    policy: Policy = field(default_factory=Policy)
    reader: Reader | None = None
    controls: Controls | None = None
    dead_letter_status: DeadLetterStatus | None = None


def client_options(settings: KafkaSettings, options: ConsumerOptions) -> dict[str, Any]:
    """Return the options of aiokafka's consumer: the connection, the group's times, the fetches."""
    return connection_options(settings) | {
        "client_id": options.client_id,
        "session_timeout_ms": SESSION_MS,
        "heartbeat_interval_ms": SESSION_MS // 4,
        "rebalance_timeout_ms": 60_000,
        "max_poll_interval_ms": 600_000,
        "metadata_max_age_ms": METADATA_MS,
        "isolation_level": "read_committed",
        "max_partition_fetch_bytes": FETCH_BYTES,
        "fetch_max_bytes": 8 * FETCH_BYTES,
        "fetch_min_bytes": options.policy.fetch_min_bytes,
        "fetch_max_wait_ms": options.policy.fetch_max_wait_ms,
    }
