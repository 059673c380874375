"""E-mail addresses: the form that mail is sent to, and the form for comparing. Pure.

Mail goes to the address that was given: its local part as typed, its domain as IDNA 2008 has it.
Two addresses are one account's when their folded forms are the same; a folded form is hashed, and
never shown, stored as an address or written to.
"""

import re
from typing import Annotated, Any

from email_validator import EmailNotValidError, ValidatedEmail, validate_email
from pydantic import BeforeValidator, Field

MAX_CHARACTERS = 254
MAX_LOCAL_BYTES = 64
"""RFC 5321, 4.5.3.1.1; in UTF-8 beyond ASCII (RFC 6531)."""
_AROUND = re.compile(
    r"^[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+|"
    r"[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+$"
)
"""What keyboards and copying put around an address, and nobody sees."""


def parse_address(text: str) -> str:
    """The address to send to (RFC 5321, RFC 6531): local part as typed, domain in Unicode.

    Parsing what was parsed changes nothing. Raises `ValueError` for what is no address, or for an
    address whose folded form is none.
    """
    parsed = _parse(_AROUND.sub("", text))
    address = f"{parsed.local_part}@{parsed.domain}"
    if address.isascii():
        return address
    if len(parsed.local_part.encode()) > MAX_LOCAL_BYTES or len(address) > MAX_CHARACTERS:
        raise ValueError("The email address is too long.")
    if _parse(address).normalized != address:
        raise ValueError("The email address has no stable spelling.")
    fold = folded_address(address)
    again = _parse(fold)
    if folded_address(f"{again.local_part}@{again.domain}") != fold:
        raise ValueError("The email address has no stable spelling.")
    return address


def folded_address(address: str) -> str:
    """The form for comparing of an address as `parse_address` returns it.

    The domain is compared as it is: under IDNA 2008 `straße.de` and `strasse.de` are two domains.
    """
    local, at, domain = address.rpartition("@")
    return f"{local.casefold()}{at}{domain}"


def _parse(text: str) -> ValidatedEmail:
    try:
        return validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error


def _address(value: Any) -> Any:
    return parse_address(value) if isinstance(value, str) else value


EmailAddress = Annotated[
    str,
    Field(
        min_length=3,
        max_length=MAX_CHARACTERS,
        examples=["ada@example.com"],
        json_schema_extra={"format": "email"},
    ),
    BeforeValidator(_address),
]
"""An address as mail is sent to it. Blanks around it are taken off."""
