from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.devstack.inbox_client import Inbox, running_inbox


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Inbox]:
    async with running_inbox(tmp_path / "mail") as running:
        yield running
