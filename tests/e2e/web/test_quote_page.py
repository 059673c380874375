"""The quote page: the chart by keyboard and pointer, and why a price is old."""

import re

from playwright.async_api import expect

from tests.support.e2e.exchange_control import age_quotes, exchange_of
from tests.support.stack import Stack
from tests.support.web.visit import Visit

WHY = re.compile("answered with an error|failed several times")


async def test_chart_shows_each_range_and_the_point_under_the_cursor(
    stack: Stack, visit: Visit
) -> None:
    user = await stack.verified_user()
    await visit.sign_in(user.email)
    await visit.go("/quotes/SAP.DE")
    page = visit.page
    await expect(page.locator(".chart canvas")).to_be_visible()
    readout = page.locator(".chart-readout")
    for name in ("5 D", "1 M", "1 Y", "5 Y", "Max"):
        await page.get_by_role("button", name=name, exact=True).click()
        await expect(page.locator(".chart-place")).to_have_attribute("aria-busy", "false")
        await expect(page.locator(".chart canvas")).to_be_visible()
        await expect(readout).to_contain_text("€")
    newest = await readout.text_content()
    await page.get_by_role("application").focus()
    await page.keyboard.press("Home")
    await expect(readout).not_to_have_text(newest or "")
    oldest = await readout.text_content()
    await page.keyboard.press("ArrowRight")
    await expect(readout).not_to_have_text(oldest or "")


async def test_move_of_a_small_price_has_as_many_places_as_the_price(
    stack: Stack, visit: Visit
) -> None:
    """Pence become pounds with four places: a move is not rounded to nothing."""
    user = await stack.verified_user()
    await visit.sign_in(user.email)
    await visit.go("/quotes/VOD.L")
    headline = visit.page.locator(".headline")
    await expect(headline.locator(".price")).to_have_text(re.compile(r"^£\d+\.\d{3,}$"))
    price, moved = [await headline.locator(each).text_content() for each in (".price", ".moved")]
    assert price
    assert moved
    assert len(moved.partition(".")[2]) == len(price.partition(".")[2])


async def test_page_of_an_unknown_symbol_names_the_one_that_is_meant(
    stack: Stack, visit: Visit
) -> None:
    user = await stack.verified_user()
    visit.allowed_statuses.add(404)
    await visit.sign_in(user.email)
    await visit.go("/quotes/BRK.B")
    await visit.page.get_by_role("link", name="BRK-B").click()
    await expect(visit.page.get_by_text("Berkshire").first).to_be_visible()


async def test_stale_price_says_why_in_words(stack: Stack, visit: Visit) -> None:
    user = await stack.verified_user()
    await visit.sign_in(user.email)
    await visit.go("/quotes/X0601.DE")
    await expect(visit.page.locator(".headline .price")).to_be_visible()
    visit.allowed_statuses |= {503}
    async with exchange_of(stack) as exchange:
        await exchange.fault("X0601.DE", kind="status", status=500)
        await age_quotes(stack)
        await visit.go("/watchlist")
        await visit.go("/quotes/X0601.DE")
        # The next price that is asked for, some seconds later, is known not to come.
        await expect(visit.page.get_by_text("This price is stale")).to_be_visible(timeout=60_000)
        await expect(visit.page.get_by_text(WHY)).to_be_visible()
