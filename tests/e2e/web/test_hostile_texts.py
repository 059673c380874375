"""Stored texts that would be scripts are shown as the texts that they are."""

import re
from uuid import UUID

import jwt
from playwright.async_api import Dialog, Page, Route, expect

from tests.support.stack import Stack, User
from tests.support.web.payloads import PAYLOADS
from tests.support.web.visit import Visit

_BLANKS = re.compile(r"\s+")


def collapsed(text: str) -> str:
    """As a page shows it: blanks in a row are one."""
    return _BLANKS.sub(" ", text).strip()


def refuse_dialogs(visit: Visit) -> None:
    async def on_dialog(dialog: Dialog) -> None:
        visit.faults.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    visit.page.on("dialog", on_dialog)


async def texts_of(page: Page, selector: str) -> set[str]:
    return {collapsed(each) for each in await page.locator(selector).all_text_contents()}


async def store_notes(stack: Stack, user: User) -> None:
    """Past every rule of the gateway and its workers: as rows of the database."""
    claims = jwt.decode(user.access_token, options={"verify_signature": False})
    user_id = UUID(claims["sub"])
    async with stack.postgres() as connection:
        await connection.executemany(
            "INSERT INTO watchlist_items (user_id, symbol, note) VALUES ($1, $2, $3)",
            [(user_id, f"X{n:04}.DE", text) for n, text in enumerate(PAYLOADS, 7001)],
        )
        await connection.execute(
            "UPDATE users SET display_name = $2 WHERE id = $1", user_id, PAYLOADS[9]
        )


async def test_stored_notes_and_names_are_shown_as_text(stack: Stack, visit: Visit) -> None:
    user = await stack.verified_user()
    await store_notes(stack, user)
    refuse_dialogs(visit)
    await visit.sign_in(user.email)
    page = visit.page
    await expect(page.locator(".note-text")).to_have_count(len(PAYLOADS))
    assert await texts_of(page, ".note-text") == {collapsed(each) for each in PAYLOADS}
    assert collapsed(PAYLOADS[9]) in await texts_of(page, ".wide-only")
    await page.locator(".note").first.click()
    await expect(page.locator(".note-form input")).to_have_value(PAYLOADS[0])


async def test_names_of_securities_and_users_are_shown_as_text(stack: Stack, visit: Visit) -> None:
    """What a provider or another user may have chosen, as the gateway would send it."""
    admin = await stack.admin()
    refuse_dialogs(visit)

    async def found(route: Route) -> None:
        answer = await route.fetch()
        candidates = [
            {"symbol": f"X{n:04}", "name": text, "exchange": text, "currency": None}
            | {"type": None, "isin": None, "match": "name"}
            for n, text in enumerate(PAYLOADS)
        ]
        found = {"query": "x", "kind": "text", "complete": True, "candidates": candidates}
        await route.fulfill(response=answer, json=found)

    async def users(route: Route) -> None:
        answer = await route.fetch()
        (one, *_) = (await answer.json())["users"]
        changed = [one | {"id": str(n), "display_name": text} for n, text in enumerate(PAYLOADS)]
        await route.fulfill(response=answer, json={"users": changed, "next_cursor": None})

    page = visit.page
    await page.route("**/api/v1/search?*", found)
    await page.route("**/api/v1/admin/users?*", users)
    await visit.sign_in(admin.email)
    await visit.go("/search?q=x")
    await expect(page.locator(".found .name")).to_have_count(len(PAYLOADS))
    assert await texts_of(page, ".found .name") == {collapsed(each) for each in PAYLOADS}
    await visit.go("/admin")
    await expect(page.locator(".rows li")).to_have_count(len(PAYLOADS))
    texts = "\n".join(await texts_of(page, ".rows .muted"))
    assert [each for each in PAYLOADS if collapsed(each) not in texts] == []
