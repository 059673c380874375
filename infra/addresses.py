"""E-mail addresses: one spelling for each, and the HMAC that stands for it on the bus."""

import hashlib
import hmac

from email_validator import EmailNotValidError, validate_email


def normalise(address: str) -> str:
    """The one spelling of an address (RFC 5321, RFC 6531). Raises `ValueError` for none."""
    try:
        parsed = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    return parsed.normalized.casefold()


def contains_address(password: str, address: str) -> bool:
    """Whether a password tells the address, or the name before the @."""
    local = address.partition("@")[0]
    folded = password.casefold()
    return address in folded or (len(local) >= 4 and local in folded)


def address_hash(key: bytes, address: str) -> str:
    """HMAC-SHA256 of the normalised address, in hex."""
    return hmac.new(key, normalise(address).encode(), hashlib.sha256).hexdigest()
