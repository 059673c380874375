"""What a reader sees while something is away, and that the page comes back by itself."""

import asyncio

from playwright.async_api import expect

from tests.support.e2e.stream_client import publish_prices
from tests.support.stack import Stack
from tests.support.web.visit import Visit

FRAMES_OF_3_SECONDS = """async () => {
  const { putPrice } = await import("/assets/js/quotes.js");
  const rows = [...document.querySelectorAll("tr[data-symbol]")];
  const symbols = rows.map((row) => row.dataset.symbol);
  const began = performance.now();
  let frames = 0, longest = 0, sent = 0, before = began;
  return new Promise((resolve) => {
    const feed = setInterval(() => {
      const due = Math.floor(performance.now() - began); // 1,000 a second
      for (; sent < due; sent += 1) {
        const as_of = new Date(Date.UTC(2032, 0, 1) + sent).toISOString();
        const price = (100 + (sent % 97) / 10).toFixed(2);
        const symbol = symbols[sent % symbols.length];
        putPrice({ symbol, price, currency: "EUR", as_of, source: "test" });
      }
    }, 1);
    const frame = (now) => {
      frames += 1;
      longest = Math.max(longest, now - before);
      before = now;
      if (now - began < 3000) requestAnimationFrame(frame);
      else { clearInterval(feed); resolve({ frames, longest, sent }); }
    };
    requestAnimationFrame(frame);
  });
}"""


async def test_page_shows_that_it_is_offline_and_catches_up(stack: Stack, visit: Visit) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=user.headers) as http:
        assert (await http.put("/api/v1/watchlist/X0301.DE")).status_code == 201
        await visit.sign_in(user.email)
        await visit.live()
        await visit.set_offline(True)
        await expect(visit.page.get_by_text("No connection")).to_be_visible()
        await expect(visit.row("X0301.DE").locator(".price")).to_be_visible()
        assert (await http.put("/api/v1/watchlist/X0302.DE")).status_code == 201
        await publish_prices(stack, "X0301.DE", range(41, 42))
        await visit.set_offline(False)
        await visit.live()
        await expect(visit.page.get_by_text("No connection")).to_be_hidden()
        await expect(visit.row("X0302.DE")).to_be_visible()


async def test_change_without_its_worker_is_pending_until_the_worker_is_back(
    stack: Stack, visit: Visit
) -> None:
    user = await stack.verified_user()
    await visit.sign_in(user.email)
    await asyncio.to_thread(stack.qnt9, "stop", "watchlist")
    try:
        await visit.page.get_by_role("button", name="AAPL").click()
        await expect(visit.row("AAPL")).to_contain_text("Being saved")
    finally:
        await asyncio.to_thread(stack.qnt9, "start", "watchlist")
    await expect(visit.row("AAPL")).not_to_contain_text("Being saved", timeout=90_000)
    async with stack.http(headers=user.headers) as http:
        items = (await http.get("/api/v1/watchlist")).json()["items"]
    assert [each["symbol"] for each in items] == ["AAPL"]


async def test_refused_change_is_undone_and_the_reason_told(stack: Stack, visit: Visit) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=user.headers) as http:
        puts = [
            http.put(f"/api/v1/watchlist/X{n:04}.DE", headers={"Prefer": "wait=20"})
            for n in range(401, 451)
        ]
        assert {answer.status_code for answer in await asyncio.gather(*puts)} == {201}
    visit.allowed_statuses.add(409)
    await visit.sign_in(user.email)
    await visit.go("/quotes/AAPL")
    await visit.page.get_by_role("button", name="Watch", exact=True).click()
    await expect(visit.page.get_by_text("Your watchlist is full.")).to_be_visible()
    await expect(visit.page.get_by_role("button", name="Watch", exact=True)).to_be_visible()


async def test_thousand_prices_a_second_do_not_freeze_the_page(stack: Stack, visit: Visit) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=user.headers) as http:
        puts = [
            http.put(f"/api/v1/watchlist/X{n:04}.DE", headers={"Prefer": "wait=20"})
            for n in range(501, 541)
        ]
        await asyncio.gather(*puts)
    await visit.sign_in(user.email)
    await visit.live()
    await expect(visit.page.locator(".price")).to_have_count(40)
    seen = await visit.page.evaluate(FRAMES_OF_3_SECONDS)
    assert seen["sent"] >= 2900
    assert seen["longest"] < 2500, seen
    assert seen["frames"] > 15, seen
