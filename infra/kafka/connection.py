"""How aiokafka's clients are told where the broker is, who they are, and how often to try again."""

import ssl
from typing import Any

from aiokafka.helpers import create_ssl_context

from infra.runtime.settings import KafkaSettings

RETRY_BACKOFF_MS = 500
"""aiokafka waits this long wherever it tries again, and has no back-off that grows."""


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments of every aiokafka client."""
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
