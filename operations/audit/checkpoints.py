"""The checkpoints of the audit log, as they lie on their topic or in a file of an operator's."""

import json
from collections.abc import Iterable, Iterator

from contracts.topics import AUDIT_CHECKPOINTS
from infra.audit.checkpoints import Checkpoint, CheckpointChecker, CheckpointError
from operations.broker import Broker, Range

MOST = 10_000
"""So many of the newest are looked at: each vouches for all that came before it."""


async def newest(broker: Broker, most: int = MOST) -> list[str]:
    """The JWS of each, oldest first. What is no checkpoint is passed on as it is."""
    place = (AUDIT_CHECKPOINTS.name, 0)
    first = (await broker.beginnings([place]))[place]
    until = (await broker.ends([place]))[place]
    wanted = Range(0, max(first, until - most), until)
    return [
        _signed(record.value or b"")
        async for batch in broker.read(AUDIT_CHECKPOINTS.name, [wanted])
        for record in batch.records
    ]


def checked(
    signed: Iterable[str], checker: CheckpointChecker, faults: list[str]
) -> Iterator[Checkpoint]:
    """Those that are what they say; of the others it is said why not."""
    for number, each in enumerate(signed, 1):
        try:
            yield checker.check(each)
        except CheckpointError as error:
            faults.append(f"checkpoint {number}: {error}")


def _signed(value: bytes) -> str:
    try:
        return str(json.loads(value)["signed"])
    except (ValueError, KeyError, TypeError):
        return ""
