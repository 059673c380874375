"""Fixtures of tests that look at the plans of a database."""

import os
from collections.abc import AsyncIterator

import pytest

from tests.support.postgres import OUTSIDE, Server, local_server, migrated_template


@pytest.fixture(scope="session")
async def local_template(
    postgres_server: Server, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Server, str]]:
    """A server whose files are on this machine, and a migrated database there."""
    if OUTSIDE not in os.environ:
        yield postgres_server, postgres_template
        return
    with local_server(tmp_path_factory.mktemp("planner") / "data") as server:
        async with migrated_template(server) as template:
            yield server, template
