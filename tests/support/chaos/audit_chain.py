"""I5: every row of the audit log is in its chain, every checkpoint a part of it."""

from collections.abc import AsyncIterator

from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from infra.audit.checkpoints import CheckpointChecker
from infra.runtime.settings import AuditKeys
from operations.audit.checkpoints import checked, newest
from operations.audit.verification import Verifier
from operations.broker import Broker
from tests.support.e2e.broker_view import kafka_settings
from tests.support.stack import Stack


class Proof:
    """Follows the chains as they grow, and all of them from their start in the end."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._settings = kafka_settings(stack)
        self._verifier = Verifier()
        self._checkpoints = 0

    async def violations(self) -> AsyncIterator[str]:
        checker = CheckpointChecker(self._keys().public_keys)
        async with Broker(self._settings) as broker:
            signed = await newest(broker)
        faults: list[str] = []
        async with self._stack.postgres() as conn:
            report = await self._verifier.verify(conn, checked(signed, checker, faults))
        self._checkpoints = report.checkpoints
        for fault in [*faults, *report.faults]:
            yield f"I5: {fault}"

    async def violations_in_everything(self) -> AsyncIterator[str]:
        self._verifier = Verifier()
        async for violation in self.violations():
            yield violation
        if not self._checkpoints:
            yield "I5: nobody has signed where the chains end"

    def _keys(self) -> AuditKeys:
        keys = load_or_create(Layout(self._stack.data)).keys
        return AuditKeys(audit_public_key=keys["QNT9_AUDIT_PUBLIC_KEY"])
