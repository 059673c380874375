"""Fixtures of tests on the running system."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.stack import Stack, User


@pytest.fixture(scope="module")
async def user(stack: Stack) -> User:
    """A verified user, shared by the tests of a module."""
    return await stack.verified_user()


@pytest.fixture
async def http(stack: Stack, user: User) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is signed in as that user."""
    async with stack.http(headers=user.headers) as client:
        yield client
