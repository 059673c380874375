"""The grammar of the header fields that the gateway reads (RFC 9110), as pure functions."""

import re
from collections.abc import Iterator

TCHAR = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*(?:({TCHAR}+)=({TCHAR}+|{QUOTED}))?")
_MEDIA_TYPE = re.compile(rf"({TCHAR}+)/({TCHAR}+)")
_MEMBER = re.compile(rf"(?:{QUOTED}|[^,\"])+")
_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)
_UTF8 = ("utf-8", "utf8")

SINGLETONS = frozenset({"authorization", "content-type", "idempotency-key", "last-event-id"})
"""Fields with one value: with two, each reader of the request may take another."""


def members(value: str) -> Iterator[str]:
    """The members of a list field: commas within quotes separate nothing, empty ones are left out.

    A quote that is never closed ends the list.
    """
    at = 0
    while at < len(value):
        if value[at] == ",":
            at += 1
            continue
        match = _MEMBER.match(value, at)
        if match is None:
            return
        at = match.end()
        if at < len(value) and value[at] != ",":
            return
        if member := match[0].strip(" \t"):
            yield member


def unquoted(word: str) -> str:
    """A token as it is, a quoted string without its quotes and escapes."""
    if len(word) >= 2 and word[0] == word[-1] == '"':
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return word


def is_json(content_type: str) -> bool:
    """Whether a Content-Type is `application/json` in UTF-8. Parameters other than charset: any."""
    value = content_type.strip(" \t")
    match = _MEDIA_TYPE.match(value)
    if match is None or (match[1].lower(), match[2].lower()) != ("application", "json"):
        return False
    at = match.end()
    while at < len(value):
        parameter = _PARAMETER.match(value, at)
        if parameter is None:
            return False
        at = parameter.end()
        name = (parameter[1] or "").lower()
        if name == "charset" and unquoted(parameter[2]).lower() not in _UTF8:
            return False
    return True


def is_plain(content_encoding: str) -> bool:
    """Whether a Content-Encoding names no coding."""
    return all(each.lower() == "identity" for each in members(content_encoding))


def bearer_token(authorization: str) -> str | None:
    """The token of Bearer credentials (RFC 6750, 2.1), with one blank before it or several."""
    match = _BEARER.fullmatch(authorization.strip(" \t"))
    return match[1] if match else None
