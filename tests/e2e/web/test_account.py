"""What a user does with the account: a new password by mail, another name, sessions, the end."""

from urllib.parse import urlsplit

from playwright.async_api import expect

from tests.support.stack import PASSWORD, Stack
from tests.support.waiting import eventually
from tests.support.web.links import mailed_link
from tests.support.web.visit import NewVisit, Visit

OTHER_PASSWORD = "Bright-meadow-27-violin"


async def test_forgotten_password_is_replaced_by_a_mailed_link(stack: Stack, visit: Visit) -> None:
    user, page = await stack.verified_user(), visit.page
    await visit.open("/signin")
    await page.get_by_role("link", name="Forgot your password?").click()
    await page.get_by_label("E-mail address").fill(user.email)
    await page.get_by_role("button", name="Send the link").click()
    await expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    link = urlsplit(await mailed_link(stack, user.email, to="/reset"))
    await visit.open(f"{link.path}?{link.query}")
    await page.get_by_label("New password").fill(OTHER_PASSWORD)
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_role("heading", name="Your password is set")).to_be_visible()
    await visit.sign_in(user.email, OTHER_PASSWORD)


async def test_name_and_address_are_changed(stack: Stack, new_visit: NewVisit) -> None:
    user, visit = await stack.verified_user(), await new_visit()
    page = visit.page
    await visit.sign_in(user.email)
    await visit.go("/account")
    await page.get_by_label("Name", exact=True).fill("Grace")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("link", name="Account").first).to_contain_text("Grace")
    await visit.go("/account/security")
    form = page.locator("form").nth(1)
    await form.get_by_label("New e-mail address").fill(f"new-{user.email}")
    await form.get_by_label("Current password").fill(PASSWORD)
    await form.get_by_role("button", name="Change the address").click()
    await expect(page.get_by_text("a link is on its way")).to_be_visible()
    link = urlsplit(await mailed_link(stack, f"new-{user.email}", to="/verify"))
    await visit.open(f"{link.path}?{link.query}")
    await page.get_by_role("button", name="Confirm my address").click()
    await expect(page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
    await (await new_visit()).sign_in(f"new-{user.email}")


async def test_session_that_is_ended_elsewhere_is_signed_out(
    stack: Stack, new_visit: NewVisit
) -> None:
    user = await stack.verified_user()
    here, there = await new_visit(), await new_visit()
    there.allowed_statuses.add(401)
    await here.sign_in(user.email)
    await there.sign_in(user.email)
    await there.live()
    await here.go("/account/sessions")
    ends = here.page.get_by_role("button", name="End")
    await expect(ends.first).to_be_visible()
    for _ in range(await ends.count()):
        await ends.first.click()
    await expect(ends).to_have_count(0)
    await expect(there.page.get_by_role("heading", name="Sign in")).to_be_visible()

    async def is_listed() -> bool:
        await here.go("/account/sessions")
        await here.go("/account/activity")
        return await here.page.get_by_text("Session ended").count() > 0

    await eventually(is_listed, what="the end of the sessions among the activity")


async def test_erased_account_cannot_sign_in_again(stack: Stack, visit: Visit) -> None:
    user, page = await stack.verified_user(), visit.page
    visit.allowed_statuses |= {401, 403}
    await visit.sign_in(user.email)
    await visit.go("/account/security")
    await page.get_by_role("button", name="Erase the account").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Current password").fill("wrong")
    await dialog.get_by_role("button", name="Erase for good").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("not the password")
    await dialog.get_by_label("Current password").fill(PASSWORD)
    await dialog.get_by_role("button", name="Erase for good").click()
    await expect(page.get_by_role("heading", name="Every price with its age")).to_be_visible()
    await visit.open("/signin")
    await page.get_by_label("E-mail address").fill(user.email)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.locator("main").get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("Address and password do not match.")).to_be_visible()
