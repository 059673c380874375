"""Staying signed in over reloads and tabs, by a cookie that no script can read."""

import asyncio

from playwright.async_api import Page, expect

from tests.support.stack import Stack
from tests.support.web.visit import Visit

READABLE = "JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])"


async def signed_in(page: Page) -> None:
    await expect(page.get_by_role("heading", name="Watchlist", exact=True)).to_be_visible()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


async def test_reloads_and_tabs_stay_signed_in_until_one_signs_out(
    stack: Stack, visit: Visit
) -> None:
    user = await stack.verified_user()
    await visit.sign_in(user.email)
    page, other = visit.page, await visit.context.new_page()
    await page.reload()
    await signed_in(page)
    await other.goto(f"{visit.web}/watchlist")
    await signed_in(other)
    for _ in range(3):
        await asyncio.gather(page.reload(), other.reload())
        await asyncio.gather(signed_in(page), signed_in(other))
    await page.get_by_role("button", name="Sign out").click()
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    await other.reload()
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_refresh_token_is_in_a_cookie_that_no_script_can_read(
    stack: Stack, visit: Visit
) -> None:
    user = await stack.verified_user()
    await visit.sign_in(user.email)
    (cookie,) = await visit.context.cookies(f"{visit.api}/api/v1/auth/session/refresh")
    assert cookie["httpOnly"]
    assert cookie["secure"]
    assert cookie["sameSite"] == "Strict"
    assert await visit.context.cookies(f"{visit.api}/api/v1/watchlist") == []
    assert cookie["value"]
    readable = await visit.page.evaluate(READABLE)
    assert cookie["value"] not in readable
    assert "eyJ" not in readable  # how an access token begins
