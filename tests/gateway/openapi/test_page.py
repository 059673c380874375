"""The page of the contract: Swagger UI as it was released, and nothing from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from gateway.app import Application
from gateway.openapi.document import as_text, document
from gateway.openapi.page import ENDPOINTS
from gateway.routes import ENDPOINTS as ALL
from operations.release import vendored
from tests.support.gateway.deps import deps_of
from tests.support.stack import ROOT

PATHS = [endpoint.path for endpoint in ENDPOINTS]
VERSIONED = [path for path in PATHS if path.startswith("/static/swagger-ui/")]


class Page(HTMLParser):
    """What a page loads, and what it runs that is written in itself."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag in {"script", "style"}
        for name, value in attrs:
            if name in {"src", "href"} and tag != "a":
                self.loaded.append(value or "")
            if name == "style" or name.startswith("on"):
                self.inline.append(f"{name}={value}")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  # the parser passes it
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.inline.append(data)


async def answer_to(path: str) -> httpx.Response:
    deps = deps_of(openapi=as_text(document(ALL)).encode())
    transport = httpx.ASGITransport(Application(deps, ALL, []))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.get(path)


@pytest.mark.parametrize("folder", vendored.FOLDERS, ids=lambda folder: folder.name)
def test_vendored_files_match_the_hashes_of_their_manifest(folder: Path) -> None:
    assert vendored.changed(ROOT / folder) == []


async def test_docs_page_loads_only_files_of_this_gateway_and_has_no_inline_script() -> None:
    page = Page()
    page.feed((await answer_to("/docs")).text)
    assert page.inline == []
    assert {each for each in page.loaded if not each.startswith("data:")} <= set(PATHS)
    assert set(VERSIONED) <= set(page.loaded)


async def test_docs_page_policy_lets_a_browser_reach_this_gateway_alone() -> None:
    policy = (await answer_to("/docs")).headers["content-security-policy"]
    directives = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert directives["default-src"] == "'none'"
    sources = {source for each in directives.values() for source in each.split()}
    assert sources == {"'none'", "'self'", "data:"}
    assert "data:" not in directives["script-src"] + directives["connect-src"]


async def test_docs_script_reports_no_validator_of_the_document() -> None:
    script = (await answer_to("/static/docs.js")).text
    assert "validatorUrl: null" in script
    assert not re.search(r"https?://", script)


@pytest.mark.parametrize("path", VERSIONED)
async def test_file_with_its_version_in_the_path_is_cached_for_ever(path: str) -> None:
    answer = await answer_to(path)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].partition(";")[0] in {"text/css", "text/javascript"}


@pytest.mark.parametrize("path", ["/docs", "/static/docs.js", "/openapi.json"])
async def test_file_without_its_version_in_the_path_is_not_cached(path: str) -> None:
    answer = await answer_to(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
