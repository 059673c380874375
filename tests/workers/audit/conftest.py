"""Fixtures of these tests."""

import pytest

from tests.support.postgres import Database
from tests.support.workers.audit_slice import Audit, an_audit


@pytest.fixture
async def audit(database: Database) -> Audit:
    return an_audit(database, await database.pool("qnt9_audit"))
