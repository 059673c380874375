"""Pictures of the pages for the documentation: `make screenshots`."""

from typing import Any

from playwright.async_api import Browser, expect

from tests.support.stack import ROOT, Stack, User
from tests.support.web.visit import Visit, visit_with

FOLDER = ROOT / "docs" / "screenshots"
NOTES = {
    "AAPL": "Long term",
    "MSFT": None,
    "SAP.DE": "Buy below 150",
    "VOD.L": "Dividend in June",
    "SIE.DE": None,
    "NESN.SW": "Watch the currency",
}
VARIANTS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {
        "color_scheme": "light",
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
    },
}
PUBLIC = {"home": "/", "signin": "/signin", "signup": "/signup"}
PRIVATE = {
    "watchlist": "/watchlist",
    "quote": "/quotes/SAP.DE",
    "search": "/search?q=de",
    "account": "/account",
    "security": "/account/security",
    "sessions": "/account/sessions",
    "activity": "/account/activity",
    "admin": "/admin",
    "audit": "/admin/audit",
}


async def watched(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers) as http:
        for symbol, note in NOTES.items():
            await http.put(f"/api/v1/watchlist/{symbol}", json={"note": note})
            await http.get(f"/api/v1/quotes/{symbol}")


async def take(visit: Visit, name: str, look: str) -> None:
    if name == "quote":
        await expect(visit.page.locator(".u-over")).to_be_visible()
    await visit.page.mouse.move(0, 0)
    await visit.page.screenshot(path=FOLDER / f"{name}-{look}.png", animations="disabled")


async def all_pages(browser: Browser, stack: Stack, user: User, look: str) -> None:
    visit = await visit_with(browser, stack, reduced_motion="reduce", **VARIANTS[look])
    for name, path in PUBLIC.items():
        await visit.open(path)
        await take(visit, name, look)
    await visit.sign_in(user.email)
    await visit.live()
    for name, path in PRIVATE.items():
        await visit.go(path)
        await take(visit, name, look)
    await visit.context.close()


async def test_pictures_of_every_page_are_taken(stack: Stack, browser: Browser) -> None:
    FOLDER.mkdir(exist_ok=True)
    user = await stack.admin()
    await watched(stack, user)
    for look in VARIANTS:
        await all_pages(browser, stack, user, look)
