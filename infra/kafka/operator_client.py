"""The operator's connection to the broker, by confluent-kafka, and why there is none."""

import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from infra.runtime.settings import KafkaSettings

SECONDS = 20.0
TRY_SECONDS = 1.0

_FINAL = (KafkaError._SSL, KafkaError._AUTHENTICATION)  # noqa: SLF001  # their public names


class UnreachableError(Exception):
    """The broker is away or refuses the operator; the message says what the connection met."""


class Operator(AdminClient):
    """Remembers what its connection meets: of that, a request's own error tells nothing."""

    def __init__(self, settings: KafkaSettings, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._protocol = settings.kafka_protocol
        self._met: KafkaError | None = None
        options: dict[str, Any] = {
            "bootstrap.servers": settings.kafka_bootstrap,
            "security.protocol": settings.kafka_protocol,
            "sasl.mechanism": settings.kafka_mechanism,
            "sasl.username": settings.kafka_username,
            "sasl.password": settings.kafka_password.get_secret_value(),
            "ssl.ca.location": str(settings.kafka_ca_file or ""),
            "log_level": 2,
            "error_cb": self._meet,
        }
        super().__init__(options)

    def topics(self) -> dict[str, Any]:
        """Return the broker's topics by name.

        Blocks; a refused certificate or password ends it early.
        """
        ends = time.monotonic() + self._seconds
        while True:
            try:
                found: dict[str, Any] = self.list_topics(timeout=TRY_SECONDS).topics
            except KafkaException as error:
                self.poll(0)  # reports what the connection met
                refused = self._met is not None and self._met.code() in _FINAL
                if refused or time.monotonic() > ends:
                    raise UnreachableError(self._why(error)) from error
            else:
                return found

    def _why(self, error: KafkaException) -> str:
        if self._met:
            return " ".join(self._met.str().split())
        # A listener of the other protocol hangs up without a word.
        return f"{error.args[0].str()}; is it up, and does it speak {self._protocol} there?"

    def _meet(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  # its public name
            self._met = error
