"""Two authorities, of which one is trusted, and servers with its certificates."""

from collections.abc import AsyncIterator

import pytest

from tests.support.infra.tls.authority import ELSEWHERE, HERE, Authority, Certificate
from tests.support.infra.tls.broker import TlsBroker, running_broker


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that signed nothing of what the servers show."""
    return Authority(tmp_path_factory.mktemp("tls") / "strangers")


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Certificate:
    return authority.issue(*HERE)


@pytest.fixture(scope="session")
def of_another_host(authority: Authority) -> Certificate:
    return authority.issue(*ELSEWHERE)


@pytest.fixture(scope="session")
async def broker(
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
    certificate: Certificate,
    of_another_host: Certificate,
) -> AsyncIterator[TlsBroker]:
    folder = tmp_path_factory.mktemp("tls-kafka") / "data"
    async with running_broker(folder, authority, certificate, of_another_host) as running:
        yield running
