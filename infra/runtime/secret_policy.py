"""What is wrong with settings that are each valid: weak, known or shared secrets, open doors.

Looks at the values as they were given, so that every fault is named at once. Keys are judged
everywhere, the rest outside development.
"""

import binascii
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from urllib.parse import parse_qs, unquote, urlsplit

from contracts import base64url
from infra.runtime.unsafe_settings import Violation, accepted, violations

PASSWORD_CHARACTERS = 12
_FEWEST_DIFFERENT = 6

# The keys of the examples in RFC 8032 (and 8037) and RFC 7748: everybody has them.
_OF_STANDARDS = {
    bytes.fromhex(text)
    for text in (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "77076d0a7318a57d3c16c17251b26645df4c2f92ebc099ac2d4bc5d4bb0e5e5d",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
    )
}
_WORDS = re.compile(
    "admin|administrator|api|broker|change|changeit|database|default|demo|dev|development|dsn"
    "|empty|example|foobar|gateway|guest|hello|here|kafka|key|letmein|local|localhost|mail|mailer"
    "|master|me|operator|owner|pass|passphrase|passwd|password|please|postgres|postgresql"
    "|production|pw|qnt|qwerty|redis|relay|replace|root|secret|sendgrid|sg|smtp|super|superuser"
    "|temp|test|testing|todo|user|valkey|verification|welcome|worker|your"
)
_PLAIN = ("kafka_password", "sendgrid_key")
_WITH_PASSWORD = ("postgres_dsn", "redis_url", "smtp_url")
_MAY_HAVE_NONE = {"smtp_url"}


def secret_violations(
    names: Collection[str],
    keys: Iterable[str],
    given: Mapping[str, str],
    more: Iterable[Violation] = (),
) -> Iterator[tuple[str, str]]:
    """Yield settings with what is wrong. `names` are known to the process, `keys` are keys.

    `more` are violations that only the process itself can know.
    """
    known = {name: given[name] for name in names if given.get(name)}
    yield from _keys({name: known[name] for name in keys if name in known})
    if known.get("environment") == "development":
        return
    yield from _passwords(known)
    yield from _open_doors(known)
    fine = accepted(known)
    for each in (*violations(known, names), *more):
        if each.risk not in fine:
            yield each.setting, str(each)


def weak_key(key: bytes) -> str | None:
    """Return why 32 bytes are no secret, None where they may be one."""
    if key in _OF_STANDARDS:
        return "is an example key of a standard"
    steps = {(b - a) % 256 for a, b in pairwise(key)}
    if len(set(key)) < len(key) // 4 or len(steps) == 1:
        return "is no random key"
    if all(32 <= byte < 127 for byte in key):
        return "is text, no random key"
    return None


def weak_password(password: str) -> str | None:
    """Return why a password of a part of the system is none, None where it may be one."""
    if len(password) < PASSWORD_CHARACTERS:
        return f"is short: at least {PASSWORD_CHARACTERS} characters"
    if len(set(password)) < _FEWEST_DIFFERENT or password in (password + password)[1:-1]:
        return "repeats itself"
    words = re.findall(r"[^\W\d_]+", password.casefold())
    if "changeme" in password.casefold() or all(map(_WORDS.fullmatch, words)):
        return "is well known"
    return None


def _keys(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    holders: dict[bytes, list[str]] = defaultdict(list)
    for name, text in given.items():
        try:
            key = base64url.decode(text)
        except (binascii.Error, ValueError):
            continue
        holders[key].append(name)
        if fault := weak_key(key):
            yield name, fault
    for first, *others in holders.values():
        for other in others:
            yield other, f"is the same as QNT9_{first.upper()}"


def _passwords(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    holders: dict[str, str] = {}
    for name, password in _given_passwords(given):
        if password is None:
            yield name, "has no password"
            continue
        if fault := weak_password(password):
            yield name, fault if name in _PLAIN else f"its password {fault}"
        elif password in holders:
            yield name, f"has the password of QNT9_{holders[password].upper()}"
        holders[password] = name


def _given_passwords(given: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Each password that is given, also within a URL; None where one is missing."""
    yield from ((name, given[name]) for name in _PLAIN if name in given)
    for name in _WITH_PASSWORD:
        if name in given:
            password = _password_in(given[name])
            if password is not None or name not in _MAY_HAVE_NONE:
                yield name, password


def _password_in(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        password = parts.password or parse_qs(parts.query).get("password", [""])[0]
    except ValueError:
        return None
    return unquote(password) or None


def _open_doors(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if given.get("log_level", "").lower() == "debug":
        yield "log_level", "debug is for development"
    if given.get("public_url", "https:").lower().startswith("http:"):
        yield "public_url", "must be https: mailed links lead there"
    if given.get("sendgrid_url", "https:").lower().startswith("http:"):
        yield "sendgrid_url", "must be https: mails go there, and the key"
    for origin in given.get("cors_origins", "").split(","):
        if origin.strip().lower().startswith("http:"):
            yield "cors_origins", f"{origin.strip()!r} must be https"
