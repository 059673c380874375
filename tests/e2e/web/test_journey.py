"""From a sign-up to a live price, by keyboard and pointer, in a browser."""

import re
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import uuid4

from playwright.async_api import expect

from tests.support.e2e.stream_client import publish_prices
from tests.support.stack import PASSWORD, Stack
from tests.support.waiting import eventually
from tests.support.web.links import mailed_link
from tests.support.web.visit import NewVisit, Visit


async def test_sign_up_leads_to_a_live_price(stack: Stack, visit: Visit) -> None:
    page, email = visit.page, f"{uuid4().hex[:12]}@example.com"
    visit.allowed_statuses |= {403}  # the first press on Confirm is asked for the password
    await visit.open("/")
    await page.get_by_role("link", name="Create an account").click()
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Name", exact=True).fill("Ada")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.locator("form").get_by_role("button", name="Sign up").click()
    await expect(page.get_by_role("heading", name="Check your mail")).to_be_focused()

    link = urlsplit(await mailed_link(stack, email))
    assert f"{link.scheme}://{link.netloc}" == visit.web
    await visit.open(f"{link.path}?{link.query}")
    assert "token" not in page.url
    await page.get_by_role("button", name="Confirm my address").click()
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Confirm my address").click()
    await expect(page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()

    await visit.sign_in(email)
    await expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    await page.keyboard.press("/")
    await page.keyboard.type("sap")
    await expect(page.get_by_role("option").first).to_be_visible()
    await page.get_by_role("combobox", name="Search securities").fill("SAP.DE")
    await expect(page.get_by_role("option").first).to_contain_text("SAP.DE")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{visit.web}/quotes/SAP.DE")
    await page.get_by_role("button", name="Watch", exact=True).click()
    await expect(page.get_by_role("button", name="On your watchlist")).to_be_visible()

    await page.get_by_role("link", name="Watchlist", exact=True).click()
    await visit.live()
    await expect(visit.row("SAP.DE")).not_to_have_class("pending")
    prices = iter(range(77, 97))

    async def is_shown() -> bool:
        """A price that came before the gateway knew of the new item is not sent to it."""
        price = next(prices)
        await publish_prices(stack, "SAP.DE", range(price, price + 1))
        with suppress(AssertionError):
            cell = visit.row("SAP.DE").locator(".price")
            await expect(cell).to_have_text(f"€{price}.00", timeout=10_000)
            return True
        return False

    await eventually(is_shown, seconds=120, what="a live price")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Every price with its age")).to_be_visible()


async def test_keyboard_alone_suffices_to_watch_note_and_remove(stack: Stack, visit: Visit) -> None:
    user = await stack.verified_user()
    page, press = visit.page, visit.page.keyboard.press
    await visit.open("/signin")
    await page.get_by_label("E-mail address").focus()
    await page.keyboard.type(user.email)
    await press("Tab")
    await page.keyboard.type(PASSWORD)
    await press("Enter")
    await expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    await page.keyboard.press("/")
    await page.keyboard.type("AAPL")
    await expect(page.get_by_role("option").first).to_contain_text("AAPL")
    await press("ArrowDown")
    await press("Enter")
    await expect(page.get_by_role("button", name="Watch", exact=True)).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await press("Tab")
    await press("Enter")
    await expect(page.get_by_role("button", name="On your watchlist")).to_be_focused()
    await page.get_by_role("link", name="Watchlist", exact=True).focus()
    await press("Enter")
    await expect(page.get_by_role("heading", name="Watchlist", exact=True)).to_be_focused()
    await expect(visit.row("AAPL")).to_be_visible()
    await press("Tab")
    await press("Tab")
    await press("Enter")
    await expect(page.get_by_label("Note of AAPL", exact=True)).to_be_focused()
    await page.keyboard.type("bought at a good price")
    await press("Enter")
    note = page.get_by_role("button", name="Edit the note of AAPL")
    await expect(note).to_be_focused()
    await expect(note).to_contain_text("bought at a good price")
    await press("Tab")
    await press("Enter")
    await expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()


async def test_german_reader_gets_german_texts_and_numbers(
    stack: Stack, new_visit: NewVisit
) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=user.headers) as http:
        assert (await http.put("/api/v1/watchlist/SAP.DE")).status_code == 201
    visit = await new_visit(locale="de-DE")
    page = visit.page
    await visit.open("/signin")
    await expect(page.locator("html")).to_have_attribute("lang", "de")
    await page.get_by_label("E-Mail-Adresse").fill(user.email)
    await page.get_by_label("Passwort").fill(PASSWORD)
    await page.locator("main").get_by_role("button", name="Anmelden").click()
    await visit.settled()
    await expect(visit.row("SAP.DE").locator(".price")).to_have_text(
        re.compile(r"^[\d.]+,\d\d\s€$")
    )
    await page.get_by_label("Sprache").select_option("en")
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
