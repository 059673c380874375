"""What the front end's process answers: pages, files, headers."""

import base64
import hashlib
import json
import re
from typing import Any

import httpx
import pytest

from tests.web.conftest import API
from web.assets import load_assets, static_imports
from web.page import MAIN

FOREVER = "public, max-age=31536000, immutable"


def import_map_of(page: str) -> tuple[str, dict[str, Any]]:
    found = re.search(r'<script type="importmap">(.*?)</script>', page)
    assert found
    return found[1], json.loads(found[1])["imports"]


def directives(answer: httpx.Response) -> dict[str, str]:
    policy = answer.headers["content-security-policy"]
    parts = [each.strip().partition(" ") for each in policy.split(";")]
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize("path", ["/", "/watchlist", "/quotes/BRK%2FB", "/verify", "/account/x"])
async def test_path_of_a_view_gets_the_page(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_unknown_path_gets_the_page_with_status_404(http: httpx.AsyncClient) -> None:
    answer = await http.get("/nothing/here")
    assert answer.status_code == 404
    assert "<!doctype html>" in answer.text


async def test_page_that_did_not_change_is_not_sent_again(http: httpx.AsyncClient) -> None:
    tag = (await http.get("/")).headers["etag"]
    answer = await http.get("/watchlist", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_policy_allows_scripts_of_this_origin_and_requests_to_the_gateway_alone(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get("/")
    policy = directives(answer)
    text, _ = import_map_of(answer.text)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert policy["connect-src"] == f"'self' {API}"
    assert policy["default-src"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/config.json", "/assets/nothing.js"])
async def test_every_answer_has_the_security_headers(http: httpx.AsyncClient, path: str) -> None:
    headers = (await http.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "content-security-policy" in headers


async def test_every_file_of_the_page_is_cached_for_ever_under_the_hash_of_its_content(
    http: httpx.AsyncClient,
) -> None:
    page = (await http.get("/")).text
    _, imports = import_map_of(page)
    paths = {*imports.values(), *re.findall(r'(?:href|src)="(/[^"]+)"', page)}
    assert len(paths) > 30
    for path in sorted(paths):
        answer = await http.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, FOREVER), path
        assert hashlib.sha256(answer.content).hexdigest()[:12] in path
        assert answer.headers["content-encoding"] == "gzip"


async def test_file_without_the_hash_of_its_content_is_not_found(http: httpx.AsyncClient) -> None:
    for path in ("/assets/js/main.js", "/assets/vendor/preact/vendored.json", "/assets/../app.py"):
        assert (await http.get(path)).status_code == 404


async def test_client_without_gzip_gets_the_file_as_it_is(http: httpx.AsyncClient) -> None:
    asset = load_assets()["js/main.js"]
    answer = await http.get(asset.path, headers={"Accept-Encoding": "identity"})
    assert answer.content == asset.content
    assert "content-encoding" not in answer.headers


async def test_config_names_the_gateway_and_no_inbox_in_production(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get("/config.json")
    assert answer.json() == {"api_url": API, "inbox_url": None}
    assert answer.headers["cache-control"] == "no-store"


async def test_every_import_of_a_module_leads_to_a_file() -> None:
    assets = load_assets()
    modules = [name for name in assets if name.startswith("js/")]
    for name in modules:
        static_imports(assets, name)  # raises KeyError for a file that does not exist
        for specifier in re.findall(r'import\("(\.[^"]+)"\)', assets[name].content.decode()):
            assert f"js/{specifier.removeprefix('./')}" in assets, f"{name}: {specifier}"


async def test_page_preloads_what_its_main_module_imports(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).text
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)"', page)
    assert preloaded == [each.path for each in static_imports(load_assets(), MAIN)]
