"""axe finds nothing on any page, in light and dark, wide and on a phone."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.stack import Stack
from tests.support.web.visit import NewVisit, Visit

PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 900}
VARIANTS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": WIDE},
    "dark": {"color_scheme": "dark", "viewport": WIDE},
    "phone": {"color_scheme": "light", "viewport": PHONE, "has_touch": True},
}
PUBLIC = ("/", "/signin", "/signup", "/forgot", "/verify?token=x", "/reset?token=x", "/nothing")
PRIVATE = (
    "/watchlist",
    "/quotes/SAP.DE",
    "/quotes/NOSUCH.XX",
    "/search?q=sap",
    "/account",
    "/account/security",
    "/account/sessions",
    "/account/activity",
    "/admin",
    "/admin/audit",
)


async def check(visit: Visit, path: str) -> None:
    found = await visit.inaccessible()
    assert found == [], f"{path}: {found}"
    width = await visit.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0, f"{path} is wider than the screen by {width} pixels"


@pytest.mark.parametrize("look", VARIANTS)
async def test_no_violation_on_pages_for_everybody(new_visit: NewVisit, look: str) -> None:
    visit = await new_visit(reduced_motion="reduce", **VARIANTS[look])
    visit.allowed_statuses.add(404)
    for path in PUBLIC:
        await visit.open(path)
        await check(visit, path)


@pytest.mark.parametrize("look", VARIANTS)
async def test_no_violation_on_pages_of_a_user(
    stack: Stack, new_visit: NewVisit, look: str
) -> None:
    admin = await stack.admin()
    visit = await new_visit(reduced_motion="reduce", **VARIANTS[look])
    visit.allowed_statuses.add(404)
    await visit.sign_in(admin.email)
    await check(visit, "empty watchlist")
    await visit.page.get_by_role("button", name="SAP.DE").click()
    await expect(visit.row("SAP.DE").locator(".price")).to_be_visible()
    for path in PRIVATE:
        await visit.go(path)
        await check(visit, path)
    await visit.go("/account/security")
    await visit.page.get_by_role("button", name="Erase the account").click()
    await expect(visit.page.get_by_role("dialog")).to_be_visible()
    await check(visit, "dialog")
