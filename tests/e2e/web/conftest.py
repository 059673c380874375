"""A browser for the run, and a visit for each test that must end without a fault."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.support.stack import Stack
from tests.support.web.chromium import LEFT_OUT, chromium
from tests.support.web.visit import SECONDS, NewVisit, Visit, visit_with

collect_ignore = [] if os.environ.get("QNT9_SCREENSHOTS") else ["test_screenshots.py"]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip(LEFT_OUT)
    expect.set_options(timeout=SECONDS * 1000)
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        await browser.close()


@pytest.fixture
async def new_visit(browser: Browser, stack: Stack) -> AsyncIterator[NewVisit]:
    """Makes visits; after the test none of them may have had a fault."""
    visits: list[Visit] = []
    async with AsyncExitStack() as cleanup:

        async def make(**options: object) -> Visit:
            visit = await visit_with(browser, stack, **options)
            cleanup.push_async_callback(visit.context.close)
            visits.append(visit)
            return visit

        yield make
    assert [fault for visit in visits for fault in visit.faults] == []


@pytest.fixture
async def visit(new_visit: NewVisit) -> Visit:
    return await new_visit()
