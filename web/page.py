"""The one page of the front end, and the policy under which browsers run it."""

import base64
import hashlib
from importlib.resources import files

from web.assets import Asset, import_map, static_imports

MAIN = "js/main.js"
ICON = "icon.svg"


def render_page(assets: dict[str, Asset]) -> tuple[bytes, str]:
    """The page, and its import map's hash for the policy.

    The files that every view needs are named in the page, so that the browser fetches them at
    once and not one after another.
    """
    imports = import_map(assets)
    eager = static_imports(assets, MAIN)
    lines = [
        f'<link rel="icon" href="{assets[ICON].path}" type="image/svg+xml">',
        *(
            f'<link rel="stylesheet" href="{each.path}">'
            for each in assets.values()
            if each.name.startswith("css/")
        ),
        f'<script type="importmap">{imports}</script>',
        *(f'<link rel="modulepreload" href="{each.path}">' for each in eager),
        f'<script type="module" src="{assets[MAIN].path}"></script>',
    ]
    template = (files("web") / "static" / "index.html").read_text("utf-8")
    page = template.replace("<!-- assets -->", "\n  ".join(lines)).encode()
    digest = hashlib.sha256(imports.encode()).digest()
    return page, f"sha256-{base64.b64encode(digest).decode()}"


def security_headers(api_origin: str, import_map_hash: str) -> dict[str, str]:
    """Headers of every answer. The policy lets the page reach this origin and the gateway."""
    policy = (
        "default-src 'none'",
        f"script-src 'self' '{import_map_hash}'",
        "style-src 'self'",
        "img-src 'self' data:",
        f"connect-src 'self' {api_origin}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types qnt9",
    )
    headers = {
        "Content-Security-Policy": "; ".join(policy),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    if api_origin.startswith("https:"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers
