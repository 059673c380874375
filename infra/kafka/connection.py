"""Connection options of aiokafka's clients: address, credentials, and how often to retry."""

import ssl
from typing import Any

from aiokafka.helpers import create_ssl_context

from contracts.topics import MAX_DEAD_LETTER_BYTES
from infra.runtime.settings import KafkaSettings

BATCH_BYTES = 65_536
REQUEST_MS = 10_000
RETRY_BACKOFF_MS = 500
"""aiokafka waits this long wherever it tries again, and has no back-off that grows."""


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments of every aiokafka client."""
    context: ssl.SSLContext | None = None
    if settings.kafka_protocol == "SASL_SSL":
        context = create_ssl_context(cafile=settings.kafka_ca_file)
    return {
        "retry_backoff_ms": RETRY_BACKOFF_MS,
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": settings.kafka_protocol,
        "sasl_mechanism": settings.kafka_mechanism,
        "sasl_plain_username": settings.kafka_username,
        "sasl_plain_password": settings.kafka_password.get_secret_value(),
        "ssl_context": context,
    }


def producer_options(settings: KafkaSettings, client_id: str) -> dict[str, Any]:
    """Return the keyword arguments of every `AIOKafkaProducer`, which waits for all replicas.

    Idempotence keeps the order within a partition and sends nothing twice.
    """
    return connection_options(settings) | {
        "client_id": client_id,
        "acks": "all",
        "enable_idempotence": True,
        "max_batch_size": BATCH_BYTES,
        "max_request_size": MAX_DEAD_LETTER_BYTES,
        "request_timeout_ms": REQUEST_MS,
    }


def reader_options(
    settings: KafkaSettings, client_id: str, *, group_id: str | None = None
) -> dict[str, Any]:
    """Return the arguments of an `AIOKafkaConsumer` that commits nothing and joins no group.

    With `group_id` it may ask for what that group has committed.
    """
    return connection_options(settings) | {
        "client_id": client_id,
        "group_id": group_id,
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
    }
