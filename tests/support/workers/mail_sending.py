"""Waiting for what the sender of mails does."""

from prometheus_client import REGISTRY

from tests.support.waiting import until
from tests.support.workers.verification_slice import VerificationSlice


def sent_again() -> float:
    return REGISTRY.get_sample_value("qnt9_mails_sent_again_total") or 0


async def until_status(deps: VerificationSlice, user_id: object, status: str) -> None:
    async def reached() -> bool:
        rows = await deps.database.fetch("SELECT status FROM mails WHERE user_id = $1", user_id)
        return [row["status"] for row in rows] == [status]

    await until(reached)


async def all_are(deps: VerificationSlice, *statuses: str) -> bool:
    rows = await deps.database.fetch("SELECT FROM mails WHERE status <> ALL($1)", statuses)
    return not rows


async def tried(deps: VerificationSlice, times: int) -> bool:
    rows = await deps.database.fetch("SELECT FROM mails WHERE attempts >= $1", times)
    return bool(rows)
