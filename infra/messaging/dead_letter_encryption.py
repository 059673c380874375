"""Dead letters of a person's commands: encrypted under that person's key, which erasure destroys.

The value and who asked are encrypted; key, type and reason stay, so that operators see what waits.
`docs/adr/0028-personal-data-in-commands-and-dead-letters.md` says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.personal import ErasedError, PersonalKey
from infra.kafka.records import Record
from infra.kafka.transactional_producer import Draft, Headers
from infra.messaging.dead_letter_owner import Erased, Owner
from infra.messaging.record_reader import EVENT_TOPICS, envelope_of

ENCRYPTED_FOR = "qnt9_dlq_encrypted_for"
OWNER_ERASED = "qnt9_dlq_owner_erased"
CLIENT = "ce_client"


@dataclass(slots=True)
class DecryptedRecord:
    """A dead letter as it was before it was encrypted."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def actor_of(record: Record) -> UUID | None:
    """Whose command this is; None for an event, and for a command of nobody who is known."""
    envelope = envelope_of(record)
    return envelope.actor_id if envelope and record.topic not in EVENT_TOPICS else None


def encrypt(draft: Draft, owner: Owner) -> Draft:
    """The dead letter of a person's command. Of somebody who was erased nothing is kept."""
    key, value, headers = draft
    if isinstance(owner, Erased):
        kept: Headers = [header for header in headers if header[0] != CLIENT]
        return key, None, [*kept, (OWNER_ERASED, b"true")]
    hidden: Headers = [
        (name, owner.encrypt_bytes(content) if name == CLIENT and content else content)
        for name, content in headers
    ]
    encrypted = None if value is None else owner.encrypt_bytes(value)
    return key, encrypted, [*hidden, (ENCRYPTED_FOR, owner.id.encode())]


def is_of_erased(record: Record) -> bool:
    """Whether the owner was erased before the dead letter was written."""
    return any(name == OWNER_ERASED for name, _ in record.headers)


def owner_of(record: Record) -> str | None:
    """The id of the key under which a dead letter is encrypted; None for one in clear."""
    for name, content in record.headers:
        if name == ENCRYPTED_FOR:
            return (content or b"").decode(errors="replace")
    return None


def decrypt(record: Record, key: PersonalKey) -> Record:
    """The dead letter as it was. Raises `ErasedError` where this is not its key."""
    if owner_of(record) != key.id:
        raise ErasedError(key.id)
    return DecryptedRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        None if record.value is None else key.decrypt_bytes(record.value),
        [
            (name, key.decrypt_bytes(content) if name == CLIENT and content else content)
            for name, content in record.headers
            if name != ENCRYPTED_FOR
        ],
    )
