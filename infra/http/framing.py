"""What a request head says about its framing (RFC 9112), judged without I/O."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import httptools

from infra.http.refusals import (
    EXPECTATION_FAILED,
    NOT_IMPLEMENTED,
    VERSION,
    RefusedError,
    malformed,
)

FRAMING_FIELDS = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
"""The fields that are judged here."""

_SUBDELIMS_AND_UNRESERVED = rb"[A-Za-z0-9\-._~!$&'()*+,;=]"
_HOST = re.compile(
    rb"(?:\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.(?:"
    + _SUBDELIMS_AND_UNRESERVED
    + rb"|:)+)\]|(?:"
    + _SUBDELIMS_AND_UNRESERVED
    + rb"|%[0-9A-Fa-f]{2})+)(?::([0-9]{0,5}))?"
)
_MAX_PORT = 65_535
_CODINGS = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:\s*,\s*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*")
_REQUEST_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e]+ HTTP/1\.[01]\r\n")
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Framing:
    """How the content of a request is delimited. `length`: None for a chunked one."""

    length: int | None
    expects_continue: bool


def framing(version: str, fields: Sequence[tuple[bytes, bytes]]) -> Framing:
    """The framing of a request with these of its `FRAMING_FIELDS`. Raises `RefusedError`.

    llhttp has refused lengths that are no numbers, two lengths, and a length beside a coding.
    """
    if version not in {"1.1", "1.0"}:
        raise RefusedError(VERSION)
    found: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    hosts = found.get(b"host", [])
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise RefusedError(malformed("There must be one Host field."))
    if hosts and not is_host(hosts[0]):
        raise RefusedError(malformed("The Host field is not valid."))
    expects = version == "1.1" and _expects_continue(found.get(b"expect", []))
    if codings := found.get(b"transfer-encoding"):
        _check_codings(version, b",".join(codings))
        return Framing(None, expects)
    return Framing(int(found.get(b"content-length", [b"0"])[0]), expects)


def _expects_continue(expectations: Sequence[bytes]) -> bool:
    """From HTTP/1.0 it would be ignored (RFC 9110, 10.1.1). Raises `RefusedError`."""
    if any(each.strip().lower() != b"100-continue" for each in expectations):
        raise RefusedError(EXPECTATION_FAILED)
    return bool(expectations)


def _check_codings(version: str, value: bytes) -> None:
    """Chunked alone (RFC 9112, 6.1). Raises `RefusedError`."""
    if version == "1.0":
        raise RefusedError(malformed("HTTP/1.0 has no Transfer-Encoding."))
    names = [each.strip().lower() for each in value.split(b",")]
    if names == [b"chunked"]:
        return
    if not _CODINGS.fullmatch(value) or b"chunked" in names[:-1] or names[-1] != b"chunked":
        raise RefusedError(malformed("The Transfer-Encoding field is not valid."))
    raise RefusedError(NOT_IMPLEMENTED)


@lru_cache(maxsize=1_024)
def is_host(value: bytes) -> bool:
    """Whether a value is `uri-host [ ":" port ]` (RFC 9110, 7.2) and names a host."""
    match = _HOST.fullmatch(value)
    return match is not None and int(match[1] or b"0") <= _MAX_PORT


def split_target(method: str, target: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request target, both as sent (RFC 9112, 3.2). Raises `RefusedError`."""
    if method == "CONNECT":
        raise RefusedError(NOT_IMPLEMENTED)
    if b"#" in target:
        raise RefusedError(malformed("The request target has a fragment."))
    if target.startswith(b"/"):
        path, _, query = target.partition(b"?")
        return path, query
    if target == b"*":
        if method != "OPTIONS":
            raise RefusedError(malformed("The request target is not valid."))
        return target, b""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise RefusedError(malformed("The request target is not valid.")) from None
    if (url.schema or b"").lower() not in {b"http", b"https"} or not url.host:
        raise RefusedError(malformed("The request target is not valid."))
    return url.path or b"/", url.query or b""


def decoded_path(path: bytes) -> str:
    """The path without percent-encoding. Raises `RefusedError` for what encodes no UTF-8."""
    if b"%" not in path:
        return path.decode("ascii")
    if _BAD_PERCENT.search(path):
        raise RefusedError(malformed("The percent-encoding of the path is not valid."))
    try:
        return unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise RefusedError(malformed("The path is not UTF-8.")) from None


def is_request_line(head: bytes) -> bool:
    """Whether bytes begin with the line of an HTTP/1 request, whatever its method."""
    return bool(_REQUEST_LINE.match(head))
