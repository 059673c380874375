"""What is served: the page for each of its paths, its files, and `config.json`."""

import hashlib

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.runtime.health import Health
from web.assets import PREFIX, Asset, load_assets
from web.page import render_page, security_headers
from web.settings import WebSettings

FOREVER = "public, max-age=31536000, immutable"
PATHS = (
    "/",
    "/watchlist",
    "/quotes/{symbol:path}",
    "/search",
    "/signin",
    "/signup",
    "/verify",
    "/forgot",
    "/reset",
    "/undo",
    "/account",
    "/account/{section}",
    "/admin",
    "/admin/{section}",
)
"""Paths of views. The page shows for any other that there is no such view, with status 404."""


class _Headers:
    """Adds the security headers to each answer."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = [(k.lower().encode(), v.encode()) for k, v in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, add)


def web_app(settings: WebSettings, health: Health) -> ASGIApp:
    """The application. Reads all files once, so that none is read for a request."""
    assets = load_assets()
    page, import_map_hash = render_page(assets)
    shell = Asset("index.html", page, b"", "text/html; charset=utf-8")
    by_path = {asset.path: asset for asset in assets.values()}
    config = {"api_url": settings.public_url, "inbox_url": settings.web_inbox_url}

    async def show_page(request: Request) -> Response:
        return _page(request, shell, 200)

    async def not_found(request: Request, _: Exception) -> Response:
        if request.url.path.startswith(PREFIX):
            return Response(status_code=404, headers={"Cache-Control": "no-store"})
        return _page(request, shell, 404)

    async def show_asset(request: Request) -> Response:
        asset = by_path.get(request.url.path)
        if asset is None:
            return Response(status_code=404, headers={"Cache-Control": "no-store"})
        return _asset(request, asset)

    async def show_config(_: Request) -> Response:
        return JSONResponse(config, headers={"Cache-Control": "no-store"})

    app = Starlette(
        routes=[
            *(Route(path, show_page) for path in PATHS),
            Route("/config.json", show_config),
            Route(PREFIX + "{name:path}", show_asset),
            *health.public_routes(),
        ],
        exception_handlers={404: not_found},
    )
    return _Headers(app, security_headers(settings.public_url, import_map_hash))


def _asset(request: Request, asset: Asset) -> Response:
    headers = {
        "Cache-Control": FOREVER,
        "Content-Type": asset.media_type,
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.content, headers=headers)


def _page(request: Request, page: Asset, status: int) -> Response:
    """The page is asked for anew each time, because it names the hashes of its files."""
    tag = f'"{hashlib.sha256(page.content).hexdigest()[:16]}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag, "Content-Type": page.media_type}
    if status == 200 and tag in _tags(request.headers):
        return Response(status_code=304, headers=headers)
    return Response(page.content, status, headers=headers)


def _tags(headers: Headers) -> list[str]:
    return [each.strip() for each in headers.get("if-none-match", "").split(",")]
