"""A page of the front end in a browser, with all that must not happen there."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
)

from tests.support.stack import PASSWORD, Stack

SECONDS = 30
_STATUS = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")
_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`);
});
"""

_GO = """path => {
  history.pushState(null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
}"""


@dataclass
class Visit:
    """One context of a browser: its page, and what went wrong in it."""

    context: BrowserContext
    page: Page
    web: str
    api: str
    allowed_statuses: set[int] = field(default_factory=set)
    """Refusals that the test provokes: a browser logs each as an error."""
    is_offline: bool = False
    faults: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.web}{path}")
        await self.settled()

    async def settled(self) -> None:
        """The view is there, and nothing is loaded any more."""
        await expect(self.page.locator("main h1, main h2").first).to_be_visible()
        await expect(self.page.locator(".skeletons")).to_have_count(0)

    async def sign_in(self, email: str, password: str = PASSWORD) -> None:
        await self.open("/signin")
        await self.page.get_by_label("E-mail address").fill(email)
        await self.page.get_by_label("Password", exact=True).fill(password)
        await self.page.locator("main").get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("heading", name="Watchlist")).to_be_visible()
        await self.settled()

    async def go(self, path: str) -> None:
        """To another view, without loading the page anew."""
        await self.page.evaluate(_GO, path)
        await self.settled()

    async def set_offline(self, is_offline: bool) -> None:
        self.is_offline = self.is_offline or is_offline
        await self.context.set_offline(is_offline)

    async def live(self) -> None:
        await expect(self.page.get_by_text("Live", exact=True)).to_be_visible()

    def row(self, symbol: str) -> Locator:
        return self.page.locator(f'tr[data-symbol="{symbol}"]')

    async def inaccessible(self) -> list[str]:
        """What axe finds: the rule, and the elements that break it."""
        found = await Axe().run(self.page, options={"resultTypes": ["violations"]})
        return [
            f"{each['id']}: {node['html']} {node.get('failureSummary', '')}"
            for each in found.response["violations"]
            for node in each["nodes"]
        ]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        status = _STATUS.search(message.text)
        if status and int(status[1]) in self.allowed_statuses:
            return
        if self.is_offline and "net::ERR_" in message.text:
            return
        self.faults.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.web, self.api, "data:", "blob:")):
            self.faults.append(f"third party: {request.url}")


NewVisit = Callable[..., Awaitable[Visit]]
"""Makes a visit with options of a browser context, such as `locale`."""


async def visit_with(browser: Browser, stack: Stack, **options: object) -> Visit:
    """A fresh profile, in English unless `locale` is given."""
    options.setdefault("locale", "en-GB")
    context = await browser.new_context(**options)  # type: ignore[arg-type]  # its own options
    context.set_default_timeout(SECONDS * 1000)
    await context.add_init_script(_REPORT_VIOLATIONS)
    page = await context.new_page()
    visit = Visit(context, page, stack.urls["web"]["url"], stack.urls["gateway"]["url"])
    context.on("console", visit._on_console)
    context.on("request", visit._on_request)
    context.on("weberror", lambda error: visit.faults.append(f"error: {error.error}"))
    return visit
