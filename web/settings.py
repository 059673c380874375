"""Settings of the front end's process."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from infra.runtime.settings import ProcessSettings


def _origin(text: str) -> str:
    """Scheme, host and port of a server. Raises `ValueError` for what has more or less."""
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("must be an address such as https://api.example.com")
    if url.path.strip("/") or url.query or url.fragment or "@" in url.netloc:
        raise ValueError("must have no path, query, fragment or user")
    if any(character in url.netloc for character in "*;,' \t"):
        raise ValueError("must name a single host")
    return f"{url.scheme}://{url.netloc}"


Origin = Annotated[str, AfterValidator(_origin)]
"""An origin (RFC 6454), such as `https://api.example.com`."""


class WebSettings(ProcessSettings):
    """Where to listen, and which addresses the pages get."""

    instance: str = "web"
    http_host: str = "127.0.0.1"
    http_port: int = 8010
    public_url: Origin
    """The gateway, as browsers reach it. It must list the front end in `QNT9_CORS_ORIGINS`."""
    web_inbox_url: Origin | None = None
    """The development inbox, linked after a sign-up; None in production."""
