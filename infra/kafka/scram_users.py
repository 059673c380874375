"""The broker's users: SCRAM credentials, made or changed by the operator."""

from collections.abc import Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, but not by name
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from infra.kafka.admin import TopologyError
from infra.kafka.operator_client import SECONDS, Operator, UnreachableError
from infra.runtime.settings import KafkaSettings

ITERATIONS = 4096
"""The least that Kafka takes; what protects these words is that they are long and random."""

_MECHANISMS = {
    "SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256,
    "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512,
}


def ensure_users(settings: KafkaSettings, passwords: Mapping[str, str]) -> None:
    """Give each user this password. Open connections stay. Idempotent; blocks."""
    admin = Operator(settings)
    try:
        admin.topics()
    except UnreachableError as error:
        raise TopologyError(f"Kafka does not answer: {error}") from error
    info = ScramCredentialInfo(_MECHANISMS[settings.kafka_mechanism], ITERATIONS)
    wanted: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(user, info, password.encode())
        for user, password in passwords.items()
    ]
    for future in admin.alter_user_scram_credentials(wanted, request_timeout=SECONDS).values():
        try:
            future.result(timeout=SECONDS)
        except (KafkaException, TimeoutError) as error:
            reason = str(error) or f"no answer within {SECONDS:.0f} s"
            raise TopologyError(f"the broker did not take a user: {reason}") from error
